//! The part of the state that a batch needs: the loaded values, and the changes of the batch. It knows which
//! keys are loaded: see [`Lookup`].

mod entity;
mod keys;
mod layer;
mod members;

pub(crate) use entity::{Before, Entitlement, Group, SessionState, Stored, TokenStatus, User, Workspace, is_active};
pub(crate) use keys::{Key, Keys, Lookup, NotLoaded, both, look_up_all};

use rollcall_events::request::EntitlementKind;
use rollcall_events::{
    DeadLetterId, EntitlementId, GroupId, OrganizationId, SessionId, StreamId, TokenId, UserId, WorkspaceId,
};
use rollcall_scim::casefold::casefold;
use std::collections::{BTreeSet, HashSet};

use layer::Layers;
use members::Members;

/// The loaded part of the state of a batch's organizations.
#[derive(Debug, Default)]
pub(crate) struct State {
    users: Layers<(OrganizationId, UserId), User>,
    /// The ids of users to be created that are taken for new.
    presumed_new: HashSet<(OrganizationId, UserId)>,
    user_names: Layers<(OrganizationId, String), UserId>,
    presences: Layers<(OrganizationId, UserId), ()>,
    deletions: Layers<(OrganizationId, UserId), ()>,
    groups: Layers<(OrganizationId, GroupId), Group>,
    group_names: Layers<(OrganizationId, String), GroupId>,
    members: Members,
    organizations: Layers<OrganizationId, String>,
    workspaces: Layers<(OrganizationId, WorkspaceId), Workspace>,
    workspace_names: Layers<(OrganizationId, String), WorkspaceId>,
    entitlements: Layers<(OrganizationId, EntitlementId), Entitlement>,
    entitlement_names: Layers<(OrganizationId, EntitlementKind, String), EntitlementId>,
    tokens: Layers<(OrganizationId, TokenId), TokenStatus>,
    sessions: Layers<(OrganizationId, SessionId), SessionState>,
    dead_letters: Layers<(OrganizationId, DeadLetterId), ()>,
    /// Whether delivery of each event stream is enabled.
    streams: Layers<(OrganizationId, StreamId), bool>,
}

impl State {
    pub(crate) fn user(&self, organization: OrganizationId, id: UserId) -> Lookup<&User> {
        self.users.get(&(organization, id), || Key::User(organization, id))
    }

    /// Looks up a user to be created. An id that is presumed new is absent here, and only here. If the
    /// presumption is wrong, the later insert makes Postgres refuse the batch.
    pub(crate) fn user_to_create(&self, organization: OrganizationId, id: UserId) -> Lookup<&User> {
        let key = (organization, id);
        if self.presumed_new.contains(&key) && !self.users.knows(&key) { Ok(None) } else { self.user(organization, id) }
    }

    pub(crate) fn user_named(&self, organization: OrganizationId, name_key: String) -> Lookup<UserId> {
        let key = (organization, name_key);
        Ok(self.user_names.get(&key, || Key::UserName(organization, key.1.clone()))?.copied())
    }

    /// Whether a user exists.
    pub(crate) fn has_user(&self, organization: OrganizationId, id: UserId) -> Result<bool, NotLoaded> {
        let (key, name) = ((organization, id), || Key::Presence(organization, id));
        if self.users.knows(&key) {
            Ok(self.users.get(&key, name)?.is_some())
        } else {
            Ok(self.presences.get(&key, name)?.is_some())
        }
    }

    /// Whether a user existed and was deleted.
    pub(crate) fn was_deleted(&self, organization: OrganizationId, id: UserId) -> Result<bool, NotLoaded> {
        Ok(self.deletions.get(&(organization, id), || Key::Deletion(organization, id))?.is_some())
    }

    pub(crate) fn group(&self, organization: OrganizationId, id: GroupId) -> Lookup<&Group> {
        self.groups.get(&(organization, id), || Key::Group(organization, id))
    }

    pub(crate) fn group_named(&self, organization: OrganizationId, name_key: String) -> Lookup<GroupId> {
        let key = (organization, name_key);
        Ok(self.group_names.get(&key, || Key::GroupName(organization, key.1.clone()))?.copied())
    }

    /// All members of a group.
    pub(crate) fn members(&self, organization: OrganizationId, group: GroupId) -> Result<BTreeSet<UserId>, NotLoaded> {
        self.members.all(organization, group)
    }

    pub(crate) fn is_member(
        &self,
        organization: OrganizationId,
        group: GroupId,
        user: UserId,
    ) -> Result<bool, NotLoaded> {
        self.members.contains(organization, group, user)
    }

    pub(crate) fn has_organization(&self, id: OrganizationId) -> Result<bool, NotLoaded> {
        Ok(self.organizations.get(&id, || Key::Organization(id))?.is_some())
    }

    pub(crate) fn workspace(&self, organization: OrganizationId, id: WorkspaceId) -> Lookup<&Workspace> {
        self.workspaces.get(&(organization, id), || Key::Workspace(organization, id))
    }

    pub(crate) fn workspace_named(&self, organization: OrganizationId, name_key: String) -> Lookup<WorkspaceId> {
        let key = (organization, name_key);
        Ok(self.workspace_names.get(&key, || Key::WorkspaceName(organization, key.1.clone()))?.copied())
    }

    pub(crate) fn entitlement(&self, organization: OrganizationId, id: EntitlementId) -> Lookup<&Entitlement> {
        self.entitlements.get(&(organization, id), || Key::Entitlement(organization, id))
    }

    /// The role or entitlement with this name.
    pub(crate) fn entitlement_named(
        &self,
        organization: OrganizationId,
        kind: EntitlementKind,
        name_key: String,
    ) -> Lookup<&Entitlement> {
        let key = (organization, kind, name_key);
        match self.entitlement_names.get(&key, || Key::EntitlementName(organization, kind, key.2.clone()))? {
            Some(id) => self.entitlement(organization, *id),
            None => Ok(None),
        }
    }

    pub(crate) fn token(&self, organization: OrganizationId, id: TokenId) -> Lookup<TokenStatus> {
        Ok(self.tokens.get(&(organization, id), || Key::Token(organization, id))?.copied())
    }

    /// Whether a dead letter exists and is undecided.
    pub(crate) fn has_dead_letter(&self, organization: OrganizationId, id: DeadLetterId) -> Result<bool, NotLoaded> {
        Ok(self.dead_letters.get(&(organization, id), || Key::DeadLetter(organization, id))?.is_some())
    }

    pub(crate) fn session(&self, organization: OrganizationId, id: SessionId) -> Lookup<SessionState> {
        Ok(self.sessions.get(&(organization, id), || Key::Session(organization, id))?.copied())
    }

    /// Whether delivery of an event stream is enabled.
    pub(crate) fn stream(&self, organization: OrganizationId, id: StreamId) -> Lookup<bool> {
        Ok(self.streams.get(&(organization, id), || Key::Stream(organization, id))?.copied())
    }

    /// Sets the name of an organization.
    pub(super) fn put_organization(&mut self, id: OrganizationId, name: String) {
        self.organizations.change(id, Some(name));
    }

    pub(super) fn put_workspace(&mut self, organization: OrganizationId, workspace: &Workspace) {
        self.workspace_names.change((organization, casefold(&workspace.name)), Some(workspace.id));
        self.workspaces.change((organization, workspace.id), Some(workspace.clone()));
    }

    pub(super) fn put_entitlement(&mut self, organization: OrganizationId, entitlement: &Entitlement) {
        self.entitlement_names.change(entitlement.name_key(organization), Some(entitlement.id));
        self.entitlements.change((organization, entitlement.id), Some(entitlement.clone()));
    }

    /// Removes a role or an entitlement.
    ///
    /// # Errors
    /// If it is not loaded. Then nothing is changed.
    pub(super) fn delete_entitlement(
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

    pub(super) fn put_token(&mut self, organization: OrganizationId, id: TokenId, status: TokenStatus) {
        self.tokens.change((organization, id), Some(status));
    }

    pub(super) fn put_session(&mut self, organization: OrganizationId, id: SessionId, state: SessionState) {
        self.sessions.change((organization, id), Some(state));
    }

    pub(super) fn remove_session(&mut self, organization: OrganizationId, id: SessionId) {
        self.sessions.change((organization, id), None);
    }

    /// Sets whether delivery of an event stream is enabled; `None` if the stream is deleted.
    pub(super) fn put_stream(&mut self, organization: OrganizationId, id: StreamId, is_enabled: Option<bool>) {
        self.streams.change((organization, id), is_enabled);
    }

    /// Marks a dead letter as decided. It cannot be decided again.
    pub(super) fn settle_dead_letter(&mut self, organization: OrganizationId, id: DeadLetterId) {
        self.dead_letters.change((organization, id), None);
    }

    /// Discards all changes, so that the batch can be decided again on the loaded state.
    pub(crate) fn revert(&mut self) {
        // Name every layer: then a new layer does not compile until it is reverted here. Presumed values are not
        // changes of the batch, so they stay.
        let Self {
            presumed_new: _,
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
        } = self;
        users.revert();
        user_names.revert();
        presences.revert();
        deletions.revert();
        groups.revert();
        group_names.revert();
        members.revert();
        organizations.revert();
        workspaces.revert();
        workspace_names.revert();
        entitlements.revert();
        entitlement_names.revert();
        tokens.revert();
        sessions.revert();
        dead_letters.revert();
        streams.revert();
    }

    pub(super) fn put_user(&mut self, organization: OrganizationId, user: &User) -> Lookup<Before> {
        let before = self.user_to_create(organization, user.id)?.cloned();
        let name_key = user.name_key();
        if let Some(old) = before.as_ref().map(User::name_key).filter(|old| *old != name_key) {
            self.user_names.change((organization, old), None);
        }
        self.user_names.change((organization, name_key), Some(user.id));
        self.users.change((organization, user.id), Some(user.clone()));
        Ok(before.map(Before::User))
    }

    pub(super) fn delete_user(&mut self, organization: OrganizationId, id: UserId) -> Lookup<Before> {
        let before = self.user(organization, id)?.cloned();
        if let Some(before) = &before {
            self.user_names.change((organization, before.name_key()), None);
        }
        self.users.change((organization, id), None);
        self.deletions.change((organization, id), Some(()));
        self.members.remove_user(organization, id);
        Ok(before.map(Before::User))
    }

    pub(super) fn put_group(
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

    pub(super) fn delete_group(&mut self, organization: OrganizationId, id: GroupId) -> Lookup<Before> {
        let before = self.group(organization, id)?.cloned();
        if let Some(before) = &before {
            self.group_names.change((organization, before.name_key()), None);
        }
        self.groups.change((organization, id), None);
        self.members.empty(organization, id);
        Ok(before.map(Before::Group))
    }
}

/// Sets what the database holds.
impl State {
    pub(crate) fn load_user(&mut self, organization: OrganizationId, user: User) {
        self.user_names.load((organization, user.name_key()), Some(user.id));
        self.users.load((organization, user.id), Some(user));
    }

    /// Presumes a user to be created new, without a look-up: see [`State::user_to_create`].
    pub(crate) fn presume_new(&mut self, organization: OrganizationId, id: UserId) {
        self.presumed_new.insert((organization, id));
    }

    pub(crate) fn load_presence(&mut self, organization: OrganizationId, id: UserId) {
        self.presences.load((organization, id), Some(()));
    }

    pub(crate) fn load_deletion(&mut self, organization: OrganizationId, id: UserId) {
        self.deletions.load((organization, id), Some(()));
    }

    pub(crate) fn load_group(&mut self, organization: OrganizationId, group: Group) {
        self.group_names.load((organization, group.name_key()), Some(group.id));
        self.groups.load((organization, group.id), Some(group));
    }

    pub(crate) fn load_member(&mut self, organization: OrganizationId, group: GroupId, user: UserId) {
        self.members.load(organization, group, user, true);
    }

    pub(crate) fn load_organization(&mut self, id: OrganizationId, name: String) {
        self.organizations.load(id, Some(name));
    }

    pub(crate) fn load_workspace(&mut self, organization: OrganizationId, workspace: Workspace) {
        self.workspace_names.load((organization, casefold(&workspace.name)), Some(workspace.id));
        self.workspaces.load((organization, workspace.id), Some(workspace));
    }

    pub(crate) fn load_entitlement(&mut self, organization: OrganizationId, entitlement: Entitlement) {
        self.entitlement_names.load(entitlement.name_key(organization), Some(entitlement.id));
        self.entitlements.load((organization, entitlement.id), Some(entitlement));
    }

    pub(crate) fn load_token(&mut self, organization: OrganizationId, id: TokenId, standing: TokenStatus) {
        self.tokens.load((organization, id), Some(standing));
    }

    pub(crate) fn load_session(&mut self, organization: OrganizationId, id: SessionId, state: SessionState) {
        self.sessions.load((organization, id), Some(state));
    }

    pub(crate) fn load_dead_letter(&mut self, organization: OrganizationId, id: DeadLetterId) {
        self.dead_letters.load((organization, id), Some(()));
    }

    pub(crate) fn load_stream(&mut self, organization: OrganizationId, id: StreamId, is_enabled: bool) {
        self.streams.load((organization, id), Some(is_enabled));
    }

    /// Marks keys as looked up. Those that were not found are absent.
    pub(crate) fn load_absences(&mut self, keys: Keys) {
        // Name every kind of key: then a new kind does not compile until it is handled here.
        let Keys {
            users,
            user_names,
            presences,
            deletions,
            groups,
            group_names,
            members,
            members_of,
            organizations,
            workspaces,
            workspace_names,
            entitlements,
            entitlement_names,
            tokens,
            sessions,
            streams,
            dead_letters,
        } = keys;
        self.users.load_absences(users);
        self.user_names.load_absences(user_names);
        self.presences.load_absences(presences);
        self.deletions.load_absences(deletions);
        self.groups.load_absences(groups);
        self.group_names.load_absences(group_names);
        for (of, group, user) in members {
            self.members.load(of, group, user, false);
        }
        for (of, group) in members_of {
            self.members.load_whole(of, group);
        }
        self.organizations.load_absences(organizations);
        self.workspaces.load_absences(workspaces);
        self.workspace_names.load_absences(workspace_names);
        self.entitlements.load_absences(entitlements);
        self.entitlement_names.load_absences(entitlement_names);
        self.tokens.load_absences(tokens);
        self.sessions.load_absences(sessions);
        self.streams.load_absences(streams);
        self.dead_letters.load_absences(dead_letters);
    }
}
