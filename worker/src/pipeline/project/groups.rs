//! Projects groups and their members.

use rollcall_events::{GroupId, OrganizationId, Timestamp, UserId};
use rollcall_scim::resource::{Attributes, text};
use rollcall_scim::schema::GROUP;
use rollcall_scim::search;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::db::{Statement, StatementBatch, StoreError, rows, seq_column};
use crate::pipeline::rows::{Counts, Ids, RowKey, delete_by, timestamp};
use crate::pipeline::state::Group;

/// All statements of this module, to be prepared.
pub(super) fn statements() -> impl Iterator<Item = &'static str> {
    let deletions = [&DELETE_GROUPS, &DELETE_MEMBERS_OF_GROUPS, &DELETE_MEMBERSHIPS_OF_USERS, &DELETE_MEMBERS];
    let writes = [&INSERT_GROUPS, &UPDATE_GROUPS, &INSERT_MEMBERS, &COUNT_GROUPS];
    deletions.into_iter().chain(writes).map(|sql| sql.as_str())
}

rows! {
    /// Groups. The log has the resource of each at its seq, as for users.
    struct ResourceRows {
        organization_id: OrganizationId => "uuid",
        id: GroupId => "uuid",
        seq: i64 => "bigint",
        display_name_key: String => "text",
        external_id: Option<String> => "text",
        keys: Json<Attributes> => "jsonb",
        created_at: Timestamp => "timestamptz",
        last_modified_at: Timestamp => "timestamptz",
    }
}

rows! {
    /// Members of groups.
    struct MemberRows {
        organization_id: OrganizationId => "uuid", group_id: GroupId => "uuid", user_id: UserId => "uuid"
    }
}

static DELETE_GROUPS: LazyLock<String> = LazyLock::new(|| delete_by("groups", "id"));
static DELETE_MEMBERS_OF_GROUPS: LazyLock<String> = LazyLock::new(|| delete_by("group_members", "group_id"));
static DELETE_MEMBERSHIPS_OF_USERS: LazyLock<String> = LazyLock::new(|| delete_by("group_members", "user_id"));

static DELETE_MEMBERS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "DELETE FROM group_members m USING {}
        WHERE m.organization_id = r.organization_id AND m.group_id = r.group_id AND m.user_id = r.user_id",
        MemberRows::source(1)
    )
});

static INSERT_GROUPS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO groups (organization_id, id, display_name_key, external_id, keys, resource, created_at,
            last_modified_at)
        SELECT r.organization_id, r.id, r.display_name_key, r.external_id, r.keys, e.payload -> 'resource',
            r.created_at, r.last_modified_at
        FROM {} JOIN events e ON e.organization_id = r.organization_id AND e.seq = r.seq",
        ResourceRows::source(1)
    )
});

static UPDATE_GROUPS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE groups g SET display_name_key = r.display_name_key, external_id = r.external_id, keys = r.keys,
            resource = e.payload -> 'resource', created_at = r.created_at, last_modified_at = r.last_modified_at
        FROM {} JOIN events e ON e.organization_id = r.organization_id AND e.seq = r.seq
        WHERE g.organization_id = r.organization_id AND g.id = r.id",
        ResourceRows::source(1)
    )
});

/// A user who left and joined again within a batch is in the table already.
static INSERT_MEMBERS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO group_members (organization_id, group_id, user_id) SELECT organization_id, group_id, user_id
        FROM {} ON CONFLICT DO NOTHING",
        MemberRows::source(1)
    )
});

/// Updates the number of groups in an organization.
static COUNT_GROUPS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE organizations o SET groups = o.groups + r.more FROM {} WHERE o.id = r.organization_id",
        Counts::source(1)
    )
});

/// The changes of a batch to groups.
#[derive(Default)]
pub(super) struct Groups {
    /// The groups, each with the seq at which the log has its resource.
    put: BTreeMap<RowKey<GroupId>, (Group, u64)>,
    /// Whether each group that the batch writes or deletes was in the table before.
    stored: BTreeMap<RowKey<GroupId>, bool>,
    /// Rows to delete first, for the same reason as for users.
    removed: BTreeSet<RowKey<GroupId>>,
    gone: BTreeSet<RowKey<GroupId>>,
    gone_users: BTreeSet<RowKey<UserId>>,
    /// For each group and user that the batch moves: whether the user is a member in the end.
    members: BTreeMap<(OrganizationId, GroupId, UserId), bool>,
    /// The groups in which the batch moves each user.
    moves: HashMap<RowKey<UserId>, HashSet<GroupId>>,
    /// The change in the number of groups; negative if there are fewer.
    more: BTreeMap<OrganizationId, i64>,
}

/// The rows of groups that a batch writes.
pub(super) struct GroupRows {
    removed: Ids,
    gone: Ids,
    gone_users: Ids,
    inserted: ResourceRows,
    updated: ResourceRows,
    left: MemberRows,
    joined: MemberRows,
    counts: Counts,
}

impl Groups {
    pub(super) fn put(&mut self, organization: OrganizationId, seq: u64, group: Group, before: Option<&Group>) {
        let key = (organization, group.id);
        self.stored.entry(key).or_insert(before.is_some());
        match before {
            Some(before) if before.name_key() != group.name_key() => {
                self.removed.insert(key);
            }
            Some(_) => {}
            None => *self.more.entry(organization).or_default() += 1,
        }
        self.put.insert(key, (group, seq));
    }

    pub(super) fn move_members(
        &mut self,
        organization: OrganizationId,
        group: GroupId,
        users: &[UserId],
        are_in: bool,
    ) {
        for user in users {
            self.members.insert((organization, group, *user), are_in);
            self.moves.entry((organization, *user)).or_default().insert(group);
        }
    }

    pub(super) fn delete(&mut self, organization: OrganizationId, id: GroupId, before: Option<&Group>) {
        let key = (organization, id);
        self.stored.entry(key).or_insert(before.is_some());
        *self.more.entry(organization).or_default() -= 1;
        self.put.remove(&key);
        let everybody = (organization, id, UserId(Uuid::nil()))..=(organization, id, UserId(Uuid::max()));
        let members: Vec<_> = self.members.range(everybody).map(|(member, _)| *member).collect();
        for member in members {
            self.members.remove(&member);
        }
        self.removed.insert(key);
        self.gone.insert(key);
    }

    /// Removes a deleted user from all groups.
    pub(super) fn forget_user(&mut self, organization: OrganizationId, id: UserId) {
        for group in self.moves.remove(&(organization, id)).unwrap_or_default() {
            self.members.remove(&(organization, group, id));
        }
        self.gone_users.insert((organization, id));
    }

    /// The organizations whose groups change.
    pub(super) fn organizations(&self) -> impl Iterator<Item = OrganizationId> {
        self.stored.keys().map(|key| key.0)
    }

    pub(super) fn rows(&self) -> Result<GroupRows, StoreError> {
        let ids = |keys: &BTreeSet<RowKey<GroupId>>| keys.iter().map(|key| (key.0, key.1.0)).collect();
        let mut rows = GroupRows {
            removed: ids(&self.removed),
            gone: ids(&self.gone),
            gone_users: self.gone_users.iter().map(|key| (key.0, key.1.0)).collect(),
            inserted: ResourceRows::default(),
            updated: ResourceRows::default(),
            left: MemberRows::default(),
            joined: MemberRows::default(),
            counts: self
                .more
                .iter()
                .map(|(organization, more)| (*organization, *more))
                .filter(|(_, more)| *more != 0)
                .collect(),
        };
        for (key, (group, seq)) in &self.put {
            let is_there = self.stored.get(key) == Some(&true) && !self.removed.contains(key);
            if is_there { &mut rows.updated } else { &mut rows.inserted }.push(key.0, group, *seq)?;
        }
        for ((organization, group, user), is_in) in &self.members {
            if *is_in { &mut rows.joined } else { &mut rows.left }.push(*organization, *group, *user);
        }
        Ok(rows)
    }
}

impl GroupRows {
    pub(super) fn add_to<'a>(&'a self, batch: &mut StatementBatch<'a>) {
        batch.add_if(!self.removed.is_empty(), &DELETE_GROUPS, || self.removed.parameters());
        batch.add_if(!self.gone.is_empty(), &DELETE_MEMBERS_OF_GROUPS, || self.gone.parameters());
        batch.add_if(!self.gone_users.is_empty(), &DELETE_MEMBERSHIPS_OF_USERS, || self.gone_users.parameters());
        if !self.inserted.is_empty() {
            batch.add(Statement::new(&INSERT_GROUPS, self.inserted.parameters()).of_new_rows());
        }
        batch.add_if(!self.updated.is_empty(), &UPDATE_GROUPS, || self.updated.parameters());
        batch.add_if(!self.left.is_empty(), &DELETE_MEMBERS, || self.left.parameters());
        batch.add_if(!self.joined.is_empty(), &INSERT_MEMBERS, || self.joined.parameters());
        batch.add_if(!self.counts.is_empty(), &COUNT_GROUPS, || self.counts.parameters());
    }
}

impl ResourceRows {
    fn push(&mut self, organization: OrganizationId, group: &Group, seq: u64) -> Result<(), StoreError> {
        self.organization_id.push(organization);
        self.id.push(group.id);
        self.seq.push(seq_column(seq));
        self.display_name_key.push(group.name_key());
        self.external_id.push(text(&group.resource, "externalId").map(str::to_owned));
        self.keys.push(Json(search::keys(&GROUP, &group.resource)));
        self.created_at.push(timestamp(group.created())?);
        self.last_modified_at.push(timestamp(group.last_modified())?);
        Ok(())
    }
}

impl MemberRows {
    fn push(&mut self, organization: OrganizationId, group: GroupId, user: UserId) {
        self.organization_id.push(organization);
        self.group_id.push(group);
        self.user_id.push(user);
    }
}
