//! The keys that a decision looks up, and the result of a look-up.

#![expect(unused_parens, reason = "the list of keys has a key with a single part")]

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

/// Defines the keys: the enum, the sets of keys by kind, and their functions.
macro_rules! keys {
    ($($(#[$about:meta])* $key:ident($($part:ident: $type:ty),+) in $set:ident,)+) => {
        /// A key that can be looked up.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Key {
            $($(#[$about])* $key($($type),+),)+
        }

        /// A set of keys, by kind.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub(crate) struct Keys {
            $(pub(crate) $set: BTreeSet<($($type),+)>,)+
        }

        impl Keys {
            /// Adds a key.
            pub(crate) fn insert(&mut self, key: Key) {
                match key {
                    $(Key::$key($($part),+) => self.$set.insert(($($part),+)),)+
                };
            }

            /// The number of keys.
            pub(crate) fn len(&self) -> usize {
                [$(self.$set.len()),+].iter().sum()
            }

            /// Keeps the keys for which `choose` returns true.
            pub(crate) fn retain(&mut self, mut choose: impl FnMut() -> bool) {
                $(self.$set.retain(|_| choose());)+
            }
        }
    };
}

keys! {
    User(of: OrganizationId, id: UserId) in users,
    UserName(of: OrganizationId, name: String) in user_names,
    /// Whether a user exists, without the resource.
    Presence(of: OrganizationId, id: UserId) in presences,
    /// Whether the log records the deletion of a user.
    Deletion(of: OrganizationId, id: UserId) in deletions,
    Group(of: OrganizationId, id: GroupId) in groups,
    GroupName(of: OrganizationId, name: String) in group_names,
    /// Whether a user is a member of a group.
    Member(of: OrganizationId, group: GroupId, user: UserId) in members,
    /// All members of a group.
    Members(of: OrganizationId, group: GroupId) in members_of,
    Organization(id: OrganizationId) in organizations,
    Workspace(of: OrganizationId, id: WorkspaceId) in workspaces,
    WorkspaceName(of: OrganizationId, name: String) in workspace_names,
    Entitlement(of: OrganizationId, id: EntitlementId) in entitlements,
    /// A role or an entitlement by its casefolded name.
    EntitlementName(of: OrganizationId, kind: EntitlementKind, name: String) in entitlement_names,
    Token(of: OrganizationId, id: TokenId) in tokens,
    Session(of: OrganizationId, id: SessionId) in sessions,
    Stream(of: OrganizationId, id: StreamId) in streams,
    DeadLetter(of: OrganizationId, id: DeadLetterId) in dead_letters,
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

impl Extend<Key> for Keys {
    fn extend<I: IntoIterator<Item = Key>>(&mut self, keys: I) {
        for key in keys {
            self.insert(key);
        }
    }
}
