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

/// The members of a group that a batch has changed.
#[derive(Debug, Default)]
struct GroupChanges {
    /// Whether the batch created or deleted the group. Then the members before do not count.
    is_afresh: bool,
    moved: HashMap<UserId, bool>,
}

/// The changes of a batch to members.
#[derive(Debug, Default)]
struct MemberChanges {
    groups: HashMap<GroupKey, GroupChanges>,
    /// The groups into which, or out of which, the batch moved each user.
    moves: HashMap<UserKey, HashSet<GroupId>>,
    /// Users whom the batch deleted. They are in no group unless they were moved into one later.
    gone: HashSet<UserKey>,
}

/// The members of groups: the loaded ones, the changes of the batch before, and those of the batch.
#[derive(Debug, Default)]
pub(super) struct Members {
    loaded: HashMap<GroupKey, LoadedMembers>,
    /// The database may not have these changes yet.
    carried: MemberChanges,
    changed: MemberChanges,
}

impl MemberChanges {
    /// Whether the changes make a user a member; `None` if they say nothing about it.
    fn contains(&self, organization: OrganizationId, group: GroupId, user: UserId) -> Option<bool> {
        let group = self.groups.get(&(organization, group));
        let is_out = group.is_some_and(|group| group.is_afresh) || self.gone.contains(&(organization, user));
        group.and_then(|group| group.moved.get(&user).copied()).or(is_out.then_some(false))
    }

    /// Whether the members of a group before these changes do not count.
    fn is_afresh(&self, key: GroupKey) -> bool {
        self.groups.get(&key).is_some_and(|group| group.is_afresh)
    }

    /// Applies the changes to all members of a group.
    fn apply(&self, (organization, group): GroupKey, members: &mut BTreeSet<UserId>) {
        members.retain(|user| !self.gone.contains(&(organization, *user)));
        let Some(GroupChanges { is_afresh, moved }) = self.groups.get(&(organization, group)) else { return };
        if *is_afresh {
            members.clear();
        }
        for (user, is_in) in moved {
            if *is_in {
                members.insert(*user);
            } else {
                members.remove(user);
            }
        }
    }
}

impl Members {
    /// Whether a user is a member of a group.
    pub(super) fn contains(
        &self,
        organization: OrganizationId,
        group: GroupId,
        user: UserId,
    ) -> Result<bool, NotLoaded> {
        let changes = [&self.changed, &self.carried];
        if let Some(is_in) = changes.into_iter().find_map(|changes| changes.contains(organization, group, user)) {
            return Ok(is_in);
        }
        match self.loaded.get(&(organization, group)) {
            Some(loaded) if loaded.present.contains(&user) => Ok(true),
            Some(loaded) if loaded.is_whole || loaded.absent.contains(&user) => Ok(false),
            _ => Err(NotLoaded::one(Key::Member(organization, group, user))),
        }
    }

    /// All members of a group.
    pub(super) fn all(&self, organization: OrganizationId, group: GroupId) -> Result<BTreeSet<UserId>, NotLoaded> {
        let key = (organization, group);
        let mut members = BTreeSet::new();
        if !self.changed.is_afresh(key) && !self.carried.is_afresh(key) {
            let loaded = self.loaded.get(&key).filter(|loaded| loaded.is_whole);
            members.extend(&loaded.ok_or_else(|| NotLoaded::one(Key::Members(organization, group)))?.present);
        }
        self.carried.apply(key, &mut members);
        self.changed.apply(key, &mut members);
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
        self.changed.groups.entry((organization, group)).or_default().moved.insert(user, is_in);
        self.changed.moves.entry((organization, user)).or_default().insert(group);
    }

    /// Removes all members of a group that is created or deleted.
    pub(super) fn empty(&mut self, organization: OrganizationId, group: GroupId) {
        self.changed.groups.insert((organization, group), GroupChanges { is_afresh: true, moved: HashMap::new() });
    }

    /// Removes a deleted user from all groups.
    pub(super) fn remove_user(&mut self, organization: OrganizationId, user: UserId) {
        for group in self.changed.moves.remove(&(organization, user)).unwrap_or_default() {
            if let Some(changed) = self.changed.groups.get_mut(&(organization, group)) {
                changed.moved.remove(&user);
            }
        }
        self.changed.gone.insert((organization, user));
    }

    /// Discards all changes of the batch.
    pub(super) fn revert(&mut self) {
        self.changed = MemberChanges::default();
    }

    /// Begins the next batch: keeps the changes of this one, and nothing else.
    pub(super) fn carry(&mut self) {
        self.loaded = HashMap::new();
        self.carried = std::mem::take(&mut self.changed);
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

    #[test]
    fn the_changes_of_the_batch_before_come_before_those_of_the_batch() {
        let mut members = Members::default();
        members.move_user(ACME, GROUP, user(7), true);
        members.move_user(ACME, GROUP, user(8), true);
        members.remove_user(ACME, user(9));
        members.empty(GLOBEX, OTHER);
        members.carry();
        for loaded in [7, 9] {
            members.load(ACME, GROUP, user(loaded), true);
        }
        members.load_whole(ACME, GROUP);
        assert_eq!(members.all(ACME, GROUP), Ok(BTreeSet::from([user(7), user(8)])));
        assert_eq!(members.all(GLOBEX, OTHER), Ok(BTreeSet::new()));
        members.remove_user(ACME, user(7));
        members.move_user(ACME, GROUP, user(9), true);
        members.move_user(GLOBEX, OTHER, user(7), true);
        assert_eq!(members.all(ACME, GROUP), Ok(BTreeSet::from([user(8), user(9)])));
        assert_eq!(members.all(GLOBEX, OTHER), Ok(BTreeSet::from([user(7)])));
        for (number, is_in) in [(7, false), (8, true), (9, true)] {
            assert_eq!(members.contains(ACME, GROUP, user(number)), Ok(is_in));
        }
        members.revert();
        assert_eq!(members.all(ACME, GROUP), Ok(BTreeSet::from([user(7), user(8)])));
    }
}
