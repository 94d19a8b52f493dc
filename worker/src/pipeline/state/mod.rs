//! The part of the state that a batch needs: the loaded values, the changes of the batch before (which may not be
//! committed yet), and the changes of the batch. It knows which keys are loaded: see [`Lookup`].

mod assigned;
mod changes;
mod entity;
mod keys;
mod layer;
mod loaded;
mod members;

pub(crate) use assigned::{assigned_key, assigned_keys, assigned_text, list, workspace_key, workspaces};
pub(crate) use entity::{Before, Entitlement, Group, SessionState, Stored, TokenStatus, User, Workspace, is_active};
pub(crate) use keys::{Key, Keys, Lookup, NotLoaded, both, look_up_all};

use rollcall_events::request::EntitlementKind;
use rollcall_events::{
    DeadLetterId, EntitlementId, GroupId, OrganizationId, SessionId, StreamId, TokenId, UserId, WorkspaceId,
};
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
    /// The names of users to be created that are taken for free.
    presumed_free: HashSet<(OrganizationId, String)>,
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

    /// Looks up a user by name. If a name is presumed free and is not, the later insert makes Postgres refuse the
    /// batch.
    pub(crate) fn user_named(&self, organization: OrganizationId, name_key: String) -> Lookup<UserId> {
        let key = (organization, name_key);
        if self.presumed_free.contains(&key) && !self.user_names.knows(&key) {
            return Ok(None);
        }
        Ok(self.user_names.get(&key, || Key::UserName(organization, key.1.clone()))?.copied())
    }

    /// The names that are presumed free and that nobody in `held` has. Postgres only refuses a wrong presumption if
    /// a user is inserted with the name, so these must be looked up.
    pub(crate) fn unproved_names(&self, held: impl Iterator<Item = (OrganizationId, String)>) -> Keys {
        let held: HashSet<_> = if self.presumed_free.is_empty() { HashSet::new() } else { held.collect() };
        let mut keys = Keys::default();
        keys.user_names.extend(self.presumed_free.difference(&held).cloned());
        keys
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
}
