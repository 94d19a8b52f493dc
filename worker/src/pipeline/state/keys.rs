//! The keys that a decision looks up, and the result of a look-up.

use rollcall_events::request::EntitlementKind;
use rollcall_events::{
    DeadLetterId, EntitlementId, GroupId, OrganizationId, SessionId, StreamId, TokenId, UserId, WorkspaceId,
};
use std::collections::BTreeSet;

/// The result of a look-up: *present* (`Ok(Some)`), *absent* (`Ok(None)`) or *not loaded* (`Err`). If a key
/// is not loaded, the decision stops and reports it. The key is loaded, and the request is decided again.
pub(crate) type Lookup<T> = Result<Option<T>, NotLoaded>;

/// Keys that a decision needs and the state does not hold. They may be neither present nor absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotLoaded(pub(crate) Vec<Key>);

/// A key that can be looked up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    User(OrganizationId, UserId),
    UserName(OrganizationId, String),
    /// Whether a user exists, without the resource.
    Presence(OrganizationId, UserId),
    /// Whether the log records the deletion of a user.
    Deletion(OrganizationId, UserId),
    Group(OrganizationId, GroupId),
    GroupName(OrganizationId, String),
    /// Whether a user is a member of a group.
    Member(OrganizationId, GroupId, UserId),
    /// All members of a group.
    Members(OrganizationId, GroupId),
    Organization(OrganizationId),
    Workspace(OrganizationId, WorkspaceId),
    WorkspaceName(OrganizationId, String),
    Entitlement(OrganizationId, EntitlementId),
    /// A role or an entitlement by its casefolded name.
    EntitlementName(OrganizationId, EntitlementKind, String),
    Token(OrganizationId, TokenId),
    Session(OrganizationId, SessionId),
    Stream(OrganizationId, StreamId),
    DeadLetter(OrganizationId, DeadLetterId),
}

/// A set of keys, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) users: BTreeSet<(OrganizationId, UserId)>,
    pub(crate) user_names: BTreeSet<(OrganizationId, String)>,
    pub(crate) presences: BTreeSet<(OrganizationId, UserId)>,
    pub(crate) deletions: BTreeSet<(OrganizationId, UserId)>,
    pub(crate) groups: BTreeSet<(OrganizationId, GroupId)>,
    pub(crate) group_names: BTreeSet<(OrganizationId, String)>,
    pub(crate) members: BTreeSet<(OrganizationId, GroupId, UserId)>,
    pub(crate) members_of: BTreeSet<(OrganizationId, GroupId)>,
    pub(crate) organizations: BTreeSet<OrganizationId>,
    pub(crate) workspaces: BTreeSet<(OrganizationId, WorkspaceId)>,
    pub(crate) workspace_names: BTreeSet<(OrganizationId, String)>,
    pub(crate) entitlements: BTreeSet<(OrganizationId, EntitlementId)>,
    pub(crate) entitlement_names: BTreeSet<(OrganizationId, EntitlementKind, String)>,
    pub(crate) tokens: BTreeSet<(OrganizationId, TokenId)>,
    pub(crate) sessions: BTreeSet<(OrganizationId, SessionId)>,
    pub(crate) streams: BTreeSet<(OrganizationId, StreamId)>,
    pub(crate) dead_letters: BTreeSet<(OrganizationId, DeadLetterId)>,
}

impl NotLoaded {
    /// One key that is not loaded.
    pub(super) fn one(key: Key) -> Self {
        Self(vec![key])
    }

    /// These keys and those of another look-up, if it has any.
    pub(crate) fn and(mut self, other: Option<Self>) -> Self {
        self.0.extend(other.into_iter().flat_map(|other| other.0));
        self
    }
}

/// Looks up several keys. If some are not loaded, reports all of them, so that they can be loaded together.
pub(crate) fn look_up_all<K, T>(
    keys: impl IntoIterator<Item = K>,
    look_up: impl Fn(&K) -> Lookup<T>,
) -> Result<Vec<(K, Option<T>)>, NotLoaded> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for key in keys {
        match look_up(&key) {
            Ok(value) => found.push((key, value)),
            Err(NotLoaded(keys)) => missing.extend(keys),
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(NotLoaded(missing)) }
}

/// Combines two independent look-ups. If both are not loaded, reports the keys of both.
pub(crate) fn both<A, B>(one: Result<A, NotLoaded>, other: Result<B, NotLoaded>) -> Result<(A, B), NotLoaded> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(missing), Err(more)) => Err(missing.and(Some(more))),
        (Err(missing), Ok(_)) | (Ok(_), Err(missing)) => Err(missing),
    }
}

impl Keys {
    /// Adds a key.
    pub(crate) fn insert(&mut self, key: Key) {
        match key {
            Key::User(of, id) => self.users.insert((of, id)),
            Key::UserName(of, name) => self.user_names.insert((of, name)),
            Key::Presence(of, id) => self.presences.insert((of, id)),
            Key::Deletion(of, id) => self.deletions.insert((of, id)),
            Key::Group(of, id) => self.groups.insert((of, id)),
            Key::GroupName(of, name) => self.group_names.insert((of, name)),
            Key::Member(of, group, user) => self.members.insert((of, group, user)),
            Key::Members(of, group) => self.members_of.insert((of, group)),
            Key::Organization(id) => self.organizations.insert(id),
            Key::Workspace(of, id) => self.workspaces.insert((of, id)),
            Key::WorkspaceName(of, name) => self.workspace_names.insert((of, name)),
            Key::Entitlement(of, id) => self.entitlements.insert((of, id)),
            Key::EntitlementName(of, kind, name) => self.entitlement_names.insert((of, kind, name)),
            Key::Token(of, id) => self.tokens.insert((of, id)),
            Key::Session(of, id) => self.sessions.insert((of, id)),
            Key::Stream(of, id) => self.streams.insert((of, id)),
            Key::DeadLetter(of, id) => self.dead_letters.insert((of, id)),
        };
    }

    /// The number of keys.
    pub(crate) fn len(&self) -> usize {
        let of_users = self.users.len() + self.user_names.len() + self.presences.len() + self.deletions.len();
        let of_groups = self.groups.len() + self.group_names.len() + self.members.len() + self.members_of.len();
        let of_settings =
            self.organizations.len() + self.workspaces.len() + self.workspace_names.len() + self.tokens.len();
        let of_entitlements = self.entitlements.len() + self.entitlement_names.len();
        of_users
            + of_groups
            + of_settings
            + of_entitlements
            + self.sessions.len()
            + self.streams.len()
            + self.dead_letters.len()
    }

    /// Keeps the keys for which `choose` returns true.
    pub(crate) fn retain(&mut self, mut choose: impl FnMut() -> bool) {
        self.users.retain(|_| choose());
        self.user_names.retain(|_| choose());
        self.presences.retain(|_| choose());
        self.deletions.retain(|_| choose());
        self.groups.retain(|_| choose());
        self.group_names.retain(|_| choose());
        self.members.retain(|_| choose());
        self.members_of.retain(|_| choose());
        self.organizations.retain(|_| choose());
        self.workspaces.retain(|_| choose());
        self.workspace_names.retain(|_| choose());
        self.entitlements.retain(|_| choose());
        self.entitlement_names.retain(|_| choose());
        self.tokens.retain(|_| choose());
        self.sessions.retain(|_| choose());
        self.streams.retain(|_| choose());
        self.dead_letters.retain(|_| choose());
    }
}

impl Extend<Key> for Keys {
    fn extend<I: IntoIterator<Item = Key>>(&mut self, keys: I) {
        keys.into_iter().for_each(|key| self.insert(key));
    }
}
