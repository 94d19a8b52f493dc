//! Projects users and their direct memberships of workspaces.

use rollcall_events::membership::memberships;
use rollcall_events::{OrganizationId, Timestamp, UserId, WorkspaceId};
use rollcall_scim::resource::{Attributes, text};
use rollcall_scim::schema::USER;
use rollcall_scim::search;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use tokio_postgres::types::Json;

use crate::db::{Statement, StatementBatch, StoreError, array_text, rows, seq_column};
use crate::pipeline::rows::{Counts, Ids, RowKey, delete_by, timestamp};
use crate::pipeline::state::{User, is_active};

/// All statements of this module, to be prepared.
pub(super) fn statements() -> impl Iterator<Item = &'static str> {
    [&DELETE_USERS, &DELETE_MEMBERS, &INSERT_USERS, &UPDATE_USERS, &INSERT_MEMBERS, &COUNT_USERS]
        .into_iter()
        .map(|sql| sql.as_str())
}

rows! {
    /// Users. The log has the resource of each at its seq, and Postgres copies it from there.
    struct UserRows {
        organization_id: OrganizationId => "uuid",
        id: UserId => "uuid",
        seq: i64 => "bigint",
        user_name_key: String => "text",
        external_id: Option<String> => "text",
        active: bool => "boolean",
        keys: Json<Attributes> => "jsonb",
        created_at: Timestamp => "timestamptz",
        last_modified_at: Timestamp => "timestamptz",
    }
}

rows! {
    /// Memberships of workspaces.
    struct MemberRows {
        organization_id: OrganizationId => "uuid",
        workspace_id: WorkspaceId => "uuid",
        user_id: UserId => "uuid",
        permissions: String => "text",
        teams: Value => "jsonb",
    }
}

static DELETE_USERS: LazyLock<String> = LazyLock::new(|| delete_by("users", "id"));
static DELETE_MEMBERS: LazyLock<String> = LazyLock::new(|| delete_by("workspace_members", "user_id"));

static INSERT_USERS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO users (organization_id, id, user_name_key, external_id, active, keys, resource, created_at,
            last_modified_at)
        SELECT r.organization_id, r.id, r.user_name_key, r.external_id, r.active, r.keys, e.payload -> 'resource',
            r.created_at, r.last_modified_at
        FROM {} JOIN events e ON e.organization_id = r.organization_id AND e.seq = r.seq",
        UserRows::source(1)
    )
});

static UPDATE_USERS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE users u SET user_name_key = r.user_name_key, external_id = r.external_id, active = r.active,
            keys = r.keys, resource = e.payload -> 'resource', created_at = r.created_at,
            last_modified_at = r.last_modified_at
        FROM {} JOIN events e ON e.organization_id = r.organization_id AND e.seq = r.seq
        WHERE u.organization_id = r.organization_id AND u.id = r.id",
        UserRows::source(1)
    )
});

static INSERT_MEMBERS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO workspace_members (organization_id, workspace_id, user_id, permissions, teams)
        SELECT organization_id, workspace_id, user_id, permissions::text[], teams FROM {}",
        MemberRows::source(1)
    )
});

/// Updates the number of users in an organization.
static COUNT_USERS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE organizations o SET users = o.users + r.more FROM {} WHERE o.id = r.organization_id",
        Counts::source(1)
    )
});

/// The changes of a batch to users.
#[derive(Default)]
pub(super) struct Users {
    /// The users, each with the seq at which the log has its resource.
    put: BTreeMap<RowKey<UserId>, (User, u64)>,
    /// Whether each user that the batch touches was in the table before.
    stored: BTreeMap<RowKey<UserId>, bool>,
    /// Rows to delete first: those of deleted users, and those of renamed users. Then a name can pass from
    /// one user to another within a batch.
    removed: BTreeSet<RowKey<UserId>>,
    /// The change in the number of users; negative if there are fewer.
    more: BTreeMap<OrganizationId, i64>,
}

/// The rows of users that a batch writes.
pub(super) struct UserTables {
    removed: Ids,
    without_memberships: Ids,
    inserted: UserRows,
    updated: UserRows,
    members: MemberRows,
    counts: Counts,
}

impl Users {
    pub(super) fn put(&mut self, organization: OrganizationId, seq: u64, user: User, before: Option<&User>) {
        let key = (organization, user.id);
        self.stored.entry(key).or_insert(before.is_some());
        match before {
            Some(before) if before.name_key() != user.name_key() => {
                self.removed.insert(key);
            }
            Some(_) => {}
            None => *self.more.entry(organization).or_default() += 1,
        }
        self.put.insert(key, (user, seq));
    }

    /// Deletes a user. `before` is `None` if a replay reads the deletion of a user who was erased later.
    pub(super) fn delete(&mut self, organization: OrganizationId, id: UserId, before: Option<&User>) {
        let key = (organization, id);
        self.stored.entry(key).or_insert(before.is_some());
        if before.is_some() {
            *self.more.entry(organization).or_default() -= 1;
        }
        self.put.remove(&key);
        self.removed.insert(key);
    }

    /// The organizations whose users change.
    pub(super) fn organizations(&self) -> impl Iterator<Item = OrganizationId> {
        self.stored.keys().map(|key| key.0)
    }

    pub(super) fn rows(&self) -> Result<UserTables, StoreError> {
        let stored = self.stored.iter().filter(|(_, is_stored)| **is_stored).map(|(key, _)| (key.0, key.1.0));
        let mut tables = UserTables {
            removed: self
                .removed
                .iter()
                .filter(|key| self.stored.get(*key) == Some(&true))
                .map(|key| (key.0, key.1.0))
                .collect(),
            without_memberships: stored.collect(),
            inserted: UserRows::default(),
            updated: UserRows::default(),
            members: MemberRows::default(),
            counts: self
                .more
                .iter()
                .map(|(organization, more)| (*organization, *more))
                .filter(|(_, more)| *more != 0)
                .collect(),
        };
        for (key, (user, seq)) in &self.put {
            let is_there = self.stored.get(key) == Some(&true) && !self.removed.contains(key);
            let rows = if is_there { &mut tables.updated } else { &mut tables.inserted };
            rows.push(key.0, user, *seq)?;
            tables.members.push(key.0, user)?;
        }
        Ok(tables)
    }
}

impl UserTables {
    pub(super) fn add_to<'a>(&'a self, batch: &mut StatementBatch<'a>) {
        batch.add_if(!self.removed.is_empty(), &DELETE_USERS, || self.removed.parameters());
        batch.add_if(!self.without_memberships.is_empty(), &DELETE_MEMBERS, || self.without_memberships.parameters());
        if !self.inserted.is_empty() {
            batch.add(Statement::new(&INSERT_USERS, self.inserted.parameters()).of_new_rows());
        }
        batch.add_if(!self.updated.is_empty(), &UPDATE_USERS, || self.updated.parameters());
        batch.add_if(!self.members.is_empty(), &INSERT_MEMBERS, || self.members.parameters());
        batch.add_if(!self.counts.is_empty(), &COUNT_USERS, || self.counts.parameters());
    }
}

impl UserRows {
    fn push(&mut self, organization: OrganizationId, user: &User, seq: u64) -> Result<(), StoreError> {
        self.organization_id.push(organization);
        self.id.push(user.id);
        self.seq.push(seq_column(seq));
        self.user_name_key.push(user.name_key());
        self.external_id.push(text(&user.resource, "externalId").map(str::to_owned));
        self.active.push(is_active(&user.resource));
        self.keys.push(Json(search::keys(&USER, &user.resource)));
        self.created_at.push(timestamp(user.created())?);
        self.last_modified_at.push(timestamp(user.last_modified())?);
        Ok(())
    }
}

impl MemberRows {
    fn push(&mut self, organization: OrganizationId, user: &User) -> Result<(), StoreError> {
        for membership in memberships(&user.resource).map_err(|error| StoreError::Unreadable(error.detail))? {
            self.organization_id.push(organization);
            self.workspace_id.push(membership.workspace_id);
            self.user_id.push(user.id);
            self.permissions.push(array_text(membership.permissions));
            self.teams.push(membership.teams);
        }
        Ok(())
    }
}
