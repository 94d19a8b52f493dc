//! Loading: puts what the database holds into the state.

use rollcall_events::{DeadLetterId, GroupId, OrganizationId, SessionId, StreamId, TokenId, UserId};
use rollcall_scim::casefold::casefold;

use super::{Entitlement, Group, Keys, SessionState, State, TokenStatus, User, Workspace};

impl State {
    pub(crate) fn load_user(&mut self, organization: OrganizationId, user: User) {
        self.user_names.load((organization, user.name_key()), Some(user.id));
        self.users.load((organization, user.id), Some(user));
    }

    /// Presumes a user to be created new, without a look-up: see [`State::user_to_create`].
    pub(crate) fn presume_new(&mut self, organization: OrganizationId, id: UserId) {
        self.presumed_new.insert((organization, id));
    }

    /// Presumes the name of a user to be created free, without a look-up: see [`State::user_named`].
    pub(crate) fn presume_free(&mut self, organization: OrganizationId, name_key: String) {
        self.presumed_free.insert((organization, name_key));
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

    pub(crate) fn load_token(&mut self, organization: OrganizationId, id: TokenId, status: TokenStatus) {
        self.tokens.load((organization, id), Some(status));
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
        for name in &user_names {
            self.presumed_free.remove(name);
        }
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
