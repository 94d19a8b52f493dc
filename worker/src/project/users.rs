//! Users and their direct memberships of workspaces.

use rollcall_events::membership::memberships;
use rollcall_events::{OrganizationId, Timestamp, UserId, WorkspaceId};
use rollcall_scim::resource::{Attributes, text};
use rollcall_scim::schema::USER;
use rollcall_scim::search;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tokio_postgres::types::Json;

use super::{Key, delete, place, timestamp};
use crate::decide::{User, is_active};
use crate::script::{Parameter, Script, columns};
use crate::store::{StoreError, array_text};

/// Every statement of this room, to be prepared.
pub(crate) const STATEMENTS: &[&str] = &[DELETE_USERS, DELETE_MEMBERS, PUT_USERS, COUNT_USERS];

const DELETE_USERS: &str = delete_by!("users", "id");
const DELETE_MEMBERS: &str = delete_by!("workspace_members", "user_id");

/// Keeps count of an organisation's users.
const COUNT_USERS: &str = "
    UPDATE organizations o SET users = o.users + k.more FROM unnest($1::uuid[], $2::bigint[]) AS k (id, more) WHERE o.id = k.id";

/// Writes users and their memberships, and keeps count of the users; memberships that users had before are gone by then. The rows come from `$users`, each with the
/// payload that has the resource in it: it is sent and parsed once, for the log.
macro_rules! insert_users {
    ($members:literal, $counts:literal, $users:literal, $on_conflict:literal) => {
        concat!(
            "joined AS (
                INSERT INTO workspace_members (organization_id, workspace_id, user_id, permissions, teams)
                SELECT m.organization_id, m.workspace_id, m.user_id, m.permissions::text[], m.teams
                FROM unnest(",
            $members,
            ") AS m (organization_id, workspace_id, user_id, permissions, teams)
            ), counted AS (
                UPDATE organizations o SET users = o.users + k.more FROM unnest(",
            $counts,
            ") AS k (id, more) WHERE o.id = k.id
            )
            INSERT INTO users (organization_id, id, user_name_key, external_id, active, keys, resource, created_at, last_modified_at)
            SELECT u.organization_id, u.subject_id, u.user_name_key, u.external_id, u.active, u.keys, u.payload -> 'resource',
                u.created_at, u.last_modified_at
            FROM ",
            $users,
            $on_conflict
        )
    };
}
pub(crate) use insert_users;

/// For users whose entries stand in the log already.
const PUT_USERS: &str = concat!(
    "WITH ",
    insert_users!(
        "$10::uuid[], $11::uuid[], $12::uuid[], $13::text[], $14::jsonb[]",
        "$15::uuid[], $16::bigint[]",
        "(
            SELECT k.*, e.payload
            FROM unnest(
                $1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::boolean[], $7::jsonb[], $8::timestamptz[], $9::timestamptz[]
            ) AS k (organization_id, subject_id, seq, user_name_key, external_id, active, keys, created_at, last_modified_at)
            JOIN events e ON e.organization_id = k.organization_id AND e.seq = k.seq
        ) AS u",
        "
        ON CONFLICT (organization_id, id) DO UPDATE SET
            user_name_key = excluded.user_name_key, external_id = excluded.external_id, active = excluded.active, keys = excluded.keys,
            resource = excluded.resource, last_modified_at = excluded.last_modified_at"
    )
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

    /// What is to be taken out before anything is put in.
    pub(super) fn removals(&self, script: &mut Script<'_>) {
        delete(script, DELETE_USERS, self.removed.iter().map(|key| (key.0, key.1.0)));
        delete(script, DELETE_MEMBERS, self.stale_members.iter().map(|key| (key.0, key.1.0)));
    }

    /// How many users there are, where none is put in: who puts some in counts them in the same statement.
    pub(super) fn count<'a>(&'a self, script: &mut Script<'a>) {
        if self.rows.is_empty() {
            let (organizations, more) = self.counts();
            script.add_if(!more.is_empty(), COUNT_USERS, columns![organizations, more]);
        }
    }

    /// What is to be put in where the entries stand in the log already.
    pub(super) fn script<'a>(&'a self, script: &mut Script<'a>) -> Result<(), StoreError> {
        let (organizations, ids): (Vec<_>, Vec<_>) = self.rows.keys().copied().unzip();
        let seqs: Vec<_> = self.rows.values().map(|(_, seq)| place(*seq)).collect();
        let users = self.columns(self.rows.values().map(|(user, _)| Some(user)))?;
        script.add_if(!ids.is_empty(), PUT_USERS, columns![organizations, ids, seqs].into_iter().chain(users.into_parameters()).collect());
        Ok(())
    }

    /// The users at the entries that leave them; `None` where no entry leaves one.
    pub(super) fn columns_at(&self, entries: impl Iterator<Item = (OrganizationId, u64)>) -> Result<Option<UserColumns<'_>>, StoreError> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        let left: HashMap<_, _> = self.rows.iter().map(|((organization, _), (user, seq))| ((*organization, *seq), user)).collect();
        self.columns(entries.map(|entry| left.get(&entry).copied())).map(Some)
    }

    fn columns<'a>(&'a self, users: impl Iterator<Item = Option<&'a User>>) -> Result<UserColumns<'a>, StoreError> {
        let mut columns = UserColumns {
            are_new: self.rows.keys().all(|key| self.removed.contains(key) || !self.stale_members.contains(key)),
            members: self.members()?,
            counts: self.counts(),
            ..UserColumns::default()
        };
        for user in users {
            columns.push(user)?;
        }
        Ok(columns)
    }

    fn counts(&self) -> Keys<i64> {
        self.more.iter().map(|(organization, more)| (*organization, *more)).unzip()
    }

    /// The memberships of the users that are put in.
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

type Keys<T> = (Vec<OrganizationId>, Vec<T>);

/// The columns of users and their memberships to be put in. Where rows are those of entries of the log, one whose entry leaves no user is NULL.
#[derive(Default)]
pub(crate) struct UserColumns<'a> {
    /// Whether none of them is there already.
    pub(crate) are_new: bool,
    names: Vec<Option<String>>,
    external_ids: Vec<Option<&'a str>>,
    active: Vec<Option<bool>>,
    keys: Vec<Option<Json<Attributes>>>,
    created: Vec<Option<Timestamp>>,
    modified: Vec<Option<Timestamp>>,
    members: MemberColumns,
    counts: Keys<i64>,
}

impl<'a> UserColumns<'a> {
    fn push(&mut self, user: Option<&'a User>) -> Result<(), StoreError> {
        self.names.push(user.map(User::name_key));
        self.external_ids.push(user.and_then(|user| text(&user.resource, "externalId")));
        self.active.push(user.map(|user| is_active(&user.resource)));
        self.keys.push(user.map(|user| Json(search::keys(&USER, &user.resource))));
        self.created.push(user.map(|user| timestamp(user.created())).transpose()?);
        self.modified.push(user.map(|user| timestamp(user.last_modified())).transpose()?);
        Ok(())
    }

    /// The columns in the order in which the statements take them: those of users, of their memberships, of the counts.
    pub(crate) fn into_parameters(self) -> Vec<Parameter<'a>> {
        let MemberColumns { organizations, workspaces, users, permissions, teams } = self.members;
        columns![
            self.names,
            self.external_ids,
            self.active,
            self.keys,
            self.created,
            self.modified,
            organizations,
            workspaces,
            users,
            permissions,
            teams,
            self.counts.0,
            self.counts.1,
        ]
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
