//! Changes of a batch: what its decisions put into the state and remove from it.

use rollcall_events::{DeadLetterId, EntitlementId, GroupId, OrganizationId, SessionId, StreamId, TokenId, UserId};
use rollcall_scim::casefold::casefold;

use super::{Before, Entitlement, Group, Lookup, NotLoaded, SessionState, State, TokenStatus, User, Workspace};

/// Calls a function of every layer. It names all of them: then a new layer does not compile until it is listed here.
macro_rules! each_layer {
    ($state:ident, $call:ident) => {
        let Self {
            presumed_new: _,
            presumed_free: _,
            users,
            user_names,
            presences,
            deletions,
            groups,
            group_names,
            members,
            organizations,
            workspaces,
            workspace_names,
            entitlements,
            entitlement_names,
            tokens,
            sessions,
            dead_letters,
            streams,
        } = $state;
        users.$call();
        user_names.$call();
        presences.$call();
        deletions.$call();
        groups.$call();
        group_names.$call();
        members.$call();
        organizations.$call();
        workspaces.$call();
        workspace_names.$call();
        entitlements.$call();
        entitlement_names.$call();
        tokens.$call();
        sessions.$call();
        dead_letters.$call();
        streams.$call();
    };
}

impl State {
    /// Sets the name of an organization.
    pub(in crate::pipeline) fn put_organization(&mut self, id: OrganizationId, name: String) {
        self.organizations.change(id, Some(name));
    }

    pub(in crate::pipeline) fn put_workspace(&mut self, organization: OrganizationId, workspace: &Workspace) {
        self.workspace_names.change((organization, casefold(&workspace.name)), Some(workspace.id));
        self.workspaces.change((organization, workspace.id), Some(workspace.clone()));
    }

    pub(in crate::pipeline) fn put_entitlement(&mut self, organization: OrganizationId, entitlement: &Entitlement) {
        self.entitlement_names.change(entitlement.name_key(organization), Some(entitlement.id));
        self.entitlements.change((organization, entitlement.id), Some(entitlement.clone()));
    }

    /// Removes a role or an entitlement.
    ///
    /// # Errors
    /// If it is not loaded. Then nothing is changed.
    pub(in crate::pipeline) fn delete_entitlement(
        &mut self,
        organization: OrganizationId,
        id: EntitlementId,
    ) -> Result<(), NotLoaded> {
        let name_key = self.entitlement(organization, id)?.map(|entitlement| entitlement.name_key(organization));
        if let Some(key) = name_key {
            self.entitlement_names.change(key, None);
        }
        self.entitlements.change((organization, id), None);
        Ok(())
    }

    pub(in crate::pipeline) fn put_token(&mut self, organization: OrganizationId, id: TokenId, status: TokenStatus) {
        self.tokens.change((organization, id), Some(status));
    }

    pub(in crate::pipeline) fn put_session(
        &mut self,
        organization: OrganizationId,
        id: SessionId,
        state: SessionState,
    ) {
        self.sessions.change((organization, id), Some(state));
    }

    pub(in crate::pipeline) fn remove_session(&mut self, organization: OrganizationId, id: SessionId) {
        self.sessions.change((organization, id), None);
    }

    /// Sets whether delivery of an event stream is enabled; `None` if the stream is deleted.
    pub(in crate::pipeline) fn put_stream(
        &mut self,
        organization: OrganizationId,
        id: StreamId,
        is_enabled: Option<bool>,
    ) {
        self.streams.change((organization, id), is_enabled);
    }

    /// Marks a dead letter as decided. It cannot be decided again.
    pub(in crate::pipeline) fn decide_dead_letter(&mut self, organization: OrganizationId, id: DeadLetterId) {
        self.dead_letters.change((organization, id), None);
    }

    /// Discards all changes, so that the batch can be decided again on the same state.
    pub(crate) fn revert(&mut self) {
        // Presumed values are not changes of the batch, so they stay.
        each_layer!(self, revert);
    }

    /// Begins the next batch: keeps the changes of this one, and drops loaded and presumed values.
    pub(crate) fn carry(&mut self) {
        each_layer!(self, carry);
        self.presumed_new.clear();
        self.presumed_free.clear();
    }

    pub(in crate::pipeline) fn put_user(&mut self, organization: OrganizationId, user: &User) -> Lookup<Before> {
        let before = self.user_to_create(organization, user.id)?.cloned();
        let name_key = user.name_key();
        if let Some(old) = before.as_ref().map(User::name_key).filter(|old| *old != name_key) {
            self.user_names.change((organization, old), None);
        }
        self.user_names.change((organization, name_key), Some(user.id));
        self.users.change((organization, user.id), Some(user.clone()));
        Ok(before.map(Before::User))
    }

    pub(in crate::pipeline) fn delete_user(&mut self, organization: OrganizationId, id: UserId) -> Lookup<Before> {
        let before = self.user(organization, id)?.cloned();
        if let Some(before) = &before {
            self.user_names.change((organization, before.name_key()), None);
        }
        self.users.change((organization, id), None);
        self.deletions.change((organization, id), Some(()));
        self.members.remove_user(organization, id);
        Ok(before.map(Before::User))
    }

    pub(in crate::pipeline) fn put_group(
        &mut self,
        organization: OrganizationId,
        group: &Group,
        added: &[UserId],
        removed: &[UserId],
    ) -> Lookup<Before> {
        let before = self.group(organization, group.id)?.cloned();
        let name_key = group.name_key();
        match before.as_ref().map(Group::name_key) {
            None => self.members.empty(organization, group.id),
            Some(old) if old != name_key => self.group_names.change((organization, old), None),
            Some(_) => {}
        }
        self.group_names.change((organization, name_key), Some(group.id));
        self.groups.change((organization, group.id), Some(group.clone()));
        for user in added {
            self.members.move_user(organization, group.id, *user, true);
        }
        for user in removed {
            self.members.move_user(organization, group.id, *user, false);
        }
        Ok(before.map(Before::Group))
    }

    pub(in crate::pipeline) fn delete_group(&mut self, organization: OrganizationId, id: GroupId) -> Lookup<Before> {
        let before = self.group(organization, id)?.cloned();
        if let Some(before) = &before {
            self.group_names.change((organization, before.name_key()), None);
        }
        self.groups.change((organization, id), None);
        self.members.empty(organization, id);
        Ok(before.map(Before::Group))
    }
}
