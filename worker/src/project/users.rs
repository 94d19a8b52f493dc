//! Users and their direct memberships of workspaces.

use futures_util::try_join;
use rollcall_events::membership::memberships;
use rollcall_events::{OrganizationId, UserId, WorkspaceId};
use rollcall_scim::resource::text;
use rollcall_scim::schema::USER;
use rollcall_scim::search;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::types::{Json, ToSql};

use super::{Key, delete, place, timestamp};
use crate::decide::{User, is_active};
use crate::store::{Store, StoreError, array_text};

/// Every statement of this room, to be prepared.
pub(crate) const STATEMENTS: &[&str] = &[DELETE_USERS, DELETE_MEMBERS, INSERT_USERS, PUT_USERS, COUNT_USERS];

const DELETE_USERS: &str = delete_by!("users", "id");
const DELETE_MEMBERS: &str = delete_by!("workspace_members", "user_id");

/// Keeps count of an organisation's users.
const COUNT_USERS: &str = "
    UPDATE organizations o SET users = o.users + k.more FROM unnest($1::uuid[], $2::bigint[]) AS k (id, more) WHERE o.id = k.id";

/// Writes users and their memberships, and keeps count of the users; memberships that users had before are gone by then. The resource comes from the log, where the
/// statement before this one has put it: it is sent and parsed once.
macro_rules! insert_users {
    ($on_conflict:literal) => {
        concat!(
            "WITH joined AS (
                INSERT INTO workspace_members (organization_id, workspace_id, user_id, permissions, teams)
                SELECT m.organization_id, m.workspace_id, m.user_id, m.permissions::text[], m.teams
                FROM unnest($10::uuid[], $11::uuid[], $12::uuid[], $13::text[], $14::jsonb[])
                    AS m (organization_id, workspace_id, user_id, permissions, teams)
            ), counted AS (
                UPDATE organizations o SET users = o.users + k.more FROM unnest($15::uuid[], $16::bigint[]) AS k (id, more) WHERE o.id = k.id
            )
            INSERT INTO users (organization_id, id, user_name_key, external_id, active, keys, resource, created_at, last_modified_at)
            SELECT u.organization_id, u.id, u.user_name_key, u.external_id, u.active, u.keys, e.payload -> 'resource',
                u.created_at, u.last_modified_at
            FROM unnest(
                $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::boolean[], $6::jsonb[], $7::bigint[], $8::timestamptz[], $9::timestamptz[]
            ) AS u (organization_id, id, user_name_key, external_id, active, keys, seq, created_at, last_modified_at)
            JOIN events e ON e.organization_id = u.organization_id AND e.seq = u.seq",
            $on_conflict
        )
    };
}

/// For users that are new.
const INSERT_USERS: &str = insert_users!("");

/// For users some of which are there.
const PUT_USERS: &str = insert_users!(
    "
    ON CONFLICT (organization_id, id) DO UPDATE SET
        user_name_key = excluded.user_name_key, external_id = excluded.external_id, active = excluded.active, keys = excluded.keys,
        resource = excluded.resource, last_modified_at = excluded.last_modified_at"
);

/// What a batch does to users.
#[derive(Default)]
pub(super) struct Users {
    /// Each with the place in the log where its resource stands.
    rows: BTreeMap<Key<UserId>, (User, u64)>,
    /// Rows to be taken out first: users that are gone, and users whose name changed, so that a name can pass from one to another in a batch.
    removed: BTreeSet<Key<UserId>>,
    stale_members: BTreeSet<Key<UserId>>,
    /// How many more users there are; fewer where it is negative.
    more: BTreeMap<OrganizationId, i64>,
}

impl Users {
    pub(super) fn put(&mut self, organization: OrganizationId, seq: u64, user: User, before: Option<&User>) {
        let key = (organization, user.id);
        if let Some(before) = before {
            self.stale_members.insert(key);
            if before.name_key() != user.name_key() {
                self.removed.insert(key);
            }
        } else {
            *self.more.entry(organization).or_default() += 1;
        }
        self.rows.insert(key, (user, seq));
    }

    /// `before` is missing where a replay meets the deletion of a user who was erased since.
    pub(super) fn delete(&mut self, organization: OrganizationId, id: UserId, before: Option<&User>) {
        if before.is_some() {
            *self.more.entry(organization).or_default() -= 1;
        }
        self.rows.remove(&(organization, id));
        self.removed.insert((organization, id));
        self.stale_members.insert((organization, id));
    }

    /// The organisations whose users change.
    pub(super) fn organizations(&self) -> impl Iterator<Item = OrganizationId> {
        self.rows.keys().chain(&self.removed).map(|key| key.0)
    }

    /// Writes everything, in this order.
    pub(super) async fn write(&self, store: &Store) -> Result<(), StoreError> {
        try_join!(
            delete(store, DELETE_USERS, self.removed.iter().map(|key| (key.0, key.1.0))),
            delete(store, DELETE_MEMBERS, self.stale_members.iter().map(|key| (key.0, key.1.0))),
            self.insert(store),
        )
        .map(|_| ())
    }

    async fn insert(&self, store: &Store) -> Result<(), StoreError> {
        let users = || self.rows.values().map(|(user, _)| user);
        let (organizations, ids): (Vec<_>, Vec<_>) = self.rows.keys().copied().unzip();
        let names: Vec<_> = users().map(User::name_key).collect();
        let external_ids: Vec<_> = users().map(|user| text(&user.resource, "externalId")).collect();
        let active: Vec<_> = users().map(|user| is_active(&user.resource)).collect();
        let keys: Vec<_> = users().map(|user| Json(search::keys(&USER, &user.resource))).collect();
        let seqs: Vec<_> = self.rows.values().map(|(_, seq)| place(*seq)).collect();
        let created: Vec<_> = users().map(|user| timestamp(user.created())).collect::<Result<_, _>>()?;
        let modified: Vec<_> = users().map(|user| timestamp(user.last_modified())).collect::<Result<_, _>>()?;
        let members = self.members()?;
        let (counted, more): (Vec<_>, Vec<_>) = self.more.iter().map(|(organization, more)| (*organization, *more)).unzip();
        if ids.is_empty() {
            return store.query_if(!counted.is_empty(), COUNT_USERS, &[&counted, &more]).await.map(|_| ());
        }
        let parameters: [&(dyn ToSql + Sync); 16] = [
            &organizations,
            &ids,
            &names,
            &external_ids,
            &active,
            &keys,
            &seqs,
            &created,
            &modified,
            &members.organizations,
            &members.workspaces,
            &members.users,
            &members.permissions,
            &members.teams,
            &counted,
            &more,
        ];
        let are_new = self.rows.keys().all(|key| self.removed.contains(key) || !self.stale_members.contains(key));
        let sql = if are_new { INSERT_USERS } else { PUT_USERS };
        store.query(sql, &parameters).await.map(|_| ())
    }

    /// The memberships of the users that are written.
    fn members(&self) -> Result<MemberColumns, StoreError> {
        let mut columns = MemberColumns::default();
        for ((organization, id), (user, _)) in &self.rows {
            for membership in memberships(&user.resource).map_err(|error| StoreError::Unreadable(error.detail))? {
                columns.organizations.push(*organization);
                columns.workspaces.push(membership.workspace_id);
                columns.users.push(*id);
                columns.permissions.push(array_text(membership.permissions));
                columns.teams.push(membership.teams);
            }
        }
        Ok(columns)
    }
}

/// The columns of memberships to be written.
#[derive(Default)]
struct MemberColumns {
    organizations: Vec<OrganizationId>,
    workspaces: Vec<WorkspaceId>,
    users: Vec<UserId>,
    permissions: Vec<String>,
    teams: Vec<Value>,
}
