//! The members of groups, as far as they are loaded.

use rollcall_events::{GroupId, OrganizationId, UserId};
use std::collections::{BTreeSet, HashMap, HashSet};

use super::keys::{Key, NotLoaded};

type GroupKey = (OrganizationId, GroupId);
type UserKey = (OrganizationId, UserId);

/// The loaded members of a group.
#[derive(Debug, Default)]
struct LoadedMembers {
    /// Whether all members are in `present`.
    is_whole: bool,
    present: HashSet<UserId>,
    absent: HashSet<UserId>,
}

/// The members of a group that the batch has changed.
#[derive(Debug, Default)]
struct MemberChanges {
    /// Whether the batch created or deleted the group. Then the loaded members do not count.
    is_afresh: bool,
    moved: HashMap<UserId, bool>,
}

/// The members of groups: the loaded ones, and the changes of the batch.
#[derive(Debug, Default)]
pub(super) struct Members {
    loaded: HashMap<GroupKey, LoadedMembers>,
    changed: HashMap<GroupKey, MemberChanges>,
    /// The groups into which, or out of which, the batch moved each user.
    moves: HashMap<UserKey, HashSet<GroupId>>,
    /// Users whom the batch deleted. They are in no group unless they were moved into one later.
    gone: HashSet<UserKey>,
}

impl Members {
    /// Whether a user is a member of a group.
    pub(super) fn contains(
        &self,
        organization: OrganizationId,
        group: GroupId,
        user: UserId,
    ) -> Result<bool, NotLoaded> {
        let changed = self.changed.get(&(organization, group));
        if let Some(is_in) = changed.and_then(|changed| changed.moved.get(&user)) {
            return Ok(*is_in);
        }
        if changed.is_some_and(|changed| changed.is_afresh) || self.gone.contains(&(organization, user)) {
            return Ok(false);
        }
        match self.loaded.get(&(organization, group)) {
            Some(loaded) if loaded.present.contains(&user) => Ok(true),
            Some(loaded) if loaded.is_whole || loaded.absent.contains(&user) => Ok(false),
            _ => Err(NotLoaded::one(Key::Member(organization, group, user))),
        }
    }

    /// All members of a group.
    pub(super) fn all(&self, organization: OrganizationId, group: GroupId) -> Result<BTreeSet<UserId>, NotLoaded> {
        let changed = self.changed.get(&(organization, group));
        let mut members = BTreeSet::new();
        if !changed.is_some_and(|changed| changed.is_afresh) {
            let loaded = self.loaded.get(&(organization, group)).filter(|loaded| loaded.is_whole);
            let loaded = loaded.ok_or_else(|| NotLoaded::one(Key::Members(organization, group)))?;
            members.extend(loaded.present.iter().filter(|user| !self.gone.contains(&(organization, **user))));
        }
        for (user, is_in) in changed.iter().flat_map(|changed| &changed.moved) {
            if *is_in {
                members.insert(*user);
            } else {
                members.remove(user);
            }
        }
        Ok(members)
    }

    /// Sets whether the database has a member.
    pub(super) fn load(&mut self, organization: OrganizationId, group: GroupId, user: UserId, is_in: bool) {
        let loaded = self.loaded.entry((organization, group)).or_default();
        if is_in {
            loaded.absent.remove(&user);
            loaded.present.insert(user);
        } else if !loaded.present.contains(&user) {
            loaded.absent.insert(user);
        }
    }

    /// Marks all members in the database as loaded.
    pub(super) fn load_whole(&mut self, organization: OrganizationId, group: GroupId) {
        self.loaded.entry((organization, group)).or_default().is_whole = true;
    }

    /// Adds a user to a group, or removes the user from it.
    pub(super) fn move_user(&mut self, organization: OrganizationId, group: GroupId, user: UserId, is_in: bool) {
        self.changed.entry((organization, group)).or_default().moved.insert(user, is_in);
        self.moves.entry((organization, user)).or_default().insert(group);
    }

    /// Removes all members of a group that is created or deleted.
    pub(super) fn empty(&mut self, organization: OrganizationId, group: GroupId) {
        self.changed.insert((organization, group), MemberChanges { is_afresh: true, moved: HashMap::new() });
    }

    /// Removes a deleted user from all groups.
    pub(super) fn remove_user(&mut self, organization: OrganizationId, user: UserId) {
        for group in self.moves.remove(&(organization, user)).unwrap_or_default() {
            if let Some(changed) = self.changed.get_mut(&(organization, group)) {
                changed.moved.remove(&user);
            }
        }
        self.gone.insert((organization, user));
    }

    /// Discards all changes.
    pub(super) fn revert(&mut self) {
        self.changed.clear();
        self.moves.clear();
        self.gone.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const ACME: OrganizationId = OrganizationId(Uuid::from_u128(1));
    const GLOBEX: OrganizationId = OrganizationId(Uuid::from_u128(2));
    const GROUP: GroupId = GroupId(Uuid::from_u128(3));
    const OTHER: GroupId = GroupId(Uuid::from_u128(4));

    fn user(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    #[test]
    fn an_unloaded_member_is_neither_present_nor_absent() {
        let mut members = Members::default();
        assert_eq!(members.contains(ACME, GROUP, user(7)), Err(NotLoaded::one(Key::Member(ACME, GROUP, user(7)))));
        members.load(ACME, GROUP, user(7), true);
        members.load(ACME, GROUP, user(8), false);
        assert_eq!(
            (members.contains(ACME, GROUP, user(7)), members.contains(ACME, GROUP, user(8))),
            (Ok(true), Ok(false))
        );
        assert!(
            members.all(ACME, GROUP).is_err() && members.contains(GLOBEX, GROUP, user(7)).is_err(),
            "some are not all"
        );
        members.load_whole(ACME, GROUP);
        assert_eq!(members.all(ACME, GROUP), Ok(BTreeSet::from([user(7)])));
        assert_eq!(members.contains(ACME, GROUP, user(9)), Ok(false));
    }

    #[test]
    fn a_deleted_user_is_in_no_group_even_if_the_group_is_loaded_later() {
        let mut members = Members::default();
        members.move_user(ACME, GROUP, user(7), true);
        members.remove_user(ACME, user(7));
        members.load(ACME, OTHER, user(7), true);
        assert_eq!(
            (members.contains(ACME, GROUP, user(7)), members.contains(ACME, OTHER, user(7))),
            (Ok(false), Ok(false))
        );
        members.move_user(ACME, OTHER, user(7), true);
        assert_eq!(members.contains(ACME, OTHER, user(7)), Ok(true));
        members.revert();
        assert_eq!(members.contains(ACME, OTHER, user(7)), Ok(true), "what was loaded");
        assert!(members.contains(ACME, GROUP, user(7)).is_err());
    }

    #[test]
    fn all_members_of_a_group_created_in_the_batch_are_known() {
        let mut members = Members::default();
        members.empty(ACME, GROUP);
        members.move_user(ACME, GROUP, user(7), true);
        assert_eq!(members.all(ACME, GROUP), Ok(BTreeSet::from([user(7)])));
        assert_eq!(members.contains(ACME, GROUP, user(8)), Ok(false));
    }
}
