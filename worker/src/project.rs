//! Projects facts into the tables that applications and the api read: one statement a table, however many facts.

use futures_util::try_join;
use rollcall_events::membership::memberships;
use rollcall_events::{OrganizationId, Timestamp, TokenId, UserId, WorkspaceId};
use rollcall_scim::fold::fold as fold_case;
use rollcall_scim::resource::{Attributes, text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::types::{Json, ToSql};

use crate::decide::{Change, Token, User, Workspace, is_active};
use crate::store::{Store, StoreError, array_text};

/// Every statement of this room, to be prepared.
pub(crate) const STATEMENTS: &[&str] =
    &[DELETE_USERS, INSERT_USERS, PUT_USERS, DELETE_MEMBERS, PUT_ORGANIZATIONS, PUT_WORKSPACES, PUT_TOKENS, REVOKE_TOKENS];

const DELETE_USERS: &str = "
    DELETE FROM users u USING unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    WHERE u.organization_id = k.organization_id AND u.id = k.id";

/// Writes users and their memberships; memberships that users had before are gone by then. The resource comes from the log, where the
/// statement before this one has put it: it is sent and parsed once.
macro_rules! insert_users {
    ($on_conflict:literal) => {
        concat!(
            "WITH joined AS (
                INSERT INTO workspace_members (organization_id, workspace_id, user_id, permissions, teams)
                SELECT m.organization_id, m.workspace_id, m.user_id, m.permissions::text[], m.teams
                FROM unnest($12::uuid[], $13::uuid[], $14::uuid[], $15::text[], $16::jsonb[])
                    AS m (organization_id, workspace_id, user_id, permissions, teams)
            )
            INSERT INTO users (
                organization_id, id, user_name_key, external_id, active, display_name_key, primary_email_key, email_keys,
                resource, created_at, last_modified_at
            )
            SELECT u.organization_id, u.id, u.user_name_key, u.external_id, u.active, u.display_name_key, u.primary_email_key,
                u.email_keys::text[], e.payload -> 'resource', u.created_at, u.last_modified_at
            FROM unnest(
                $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[], $8::text[],
                $9::bigint[], $10::timestamptz[], $11::timestamptz[]
            ) AS u (
                organization_id, id, user_name_key, external_id, active, display_name_key, primary_email_key, email_keys,
                seq, created_at, last_modified_at
            )
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
        user_name_key = excluded.user_name_key, external_id = excluded.external_id, active = excluded.active,
        display_name_key = excluded.display_name_key, primary_email_key = excluded.primary_email_key, email_keys = excluded.email_keys,
        resource = excluded.resource, last_modified_at = excluded.last_modified_at"
);

const DELETE_MEMBERS: &str = "
    DELETE FROM workspace_members m USING unnest($1::uuid[], $2::uuid[]) AS k (organization_id, user_id)
    WHERE m.organization_id = k.organization_id AND m.user_id = k.user_id";

const PUT_ORGANIZATIONS: &str = "
    INSERT INTO organizations (id, name, created_at) SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[])";

const PUT_WORKSPACES: &str = "
    INSERT INTO workspaces (organization_id, id, name, name_key, created_at)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])";

const PUT_TOKENS: &str = "
    INSERT INTO scim_tokens (
        organization_id, id, digest, label, default_workspace_id, service_origin, origin_required, allow_list, dialect, created_at, expires_at
    )
    SELECT t.organization_id, t.id, t.digest, s.label, s.default_workspace, s.service_origin, s.origin_required, s.allow_list, s.dialect,
        t.created_at, s.expires_at
    FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::jsonb[], $5::timestamptz[]) AS t (organization_id, id, digest, settings, created_at),
        jsonb_to_record(t.settings) AS s (
            label text, default_workspace uuid, service_origin text, origin_required boolean, allow_list text, dialect text, expires_at timestamptz
        )";

const REVOKE_TOKENS: &str = "
    UPDATE scim_tokens t SET revoked_at = k.revoked_at
    FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS k (organization_id, id, revoked_at)
    WHERE t.organization_id = k.organization_id AND t.id = k.id";

/// The channel that applications listen on.
const APPLICATION_CHANNEL: &str = "rollcall_v1";
/// The channel that the api listens on.
const SETTINGS_CHANNEL: &str = "rollcall_settings";

type Key<T> = (OrganizationId, T);

/// What a batch does to the projections, each row once however often it was changed.
#[derive(Default)]
pub(crate) struct Projection {
    /// Each with the place in the log where its resource stands.
    users: BTreeMap<Key<UserId>, (User, u64)>,
    /// Rows to be taken out first: users that are gone, and users whose name changed, so that a name can pass from one to another in a batch.
    removed_users: BTreeSet<Key<UserId>>,
    stale_members: BTreeSet<Key<UserId>>,
    organizations: Vec<(OrganizationId, String, Timestamp)>,
    workspaces: Vec<(OrganizationId, Workspace)>,
    tokens: Vec<(OrganizationId, Token)>,
    revoked: BTreeMap<Key<TokenId>, Timestamp>,
}

impl Projection {
    /// Takes in a change that the log has at `seq`; `before` is the user that it meets.
    pub(crate) fn take(&mut self, organization: OrganizationId, seq: u64, change: Change, before: Option<&User>) {
        match change {
            Change::PutUser(user) => {
                let key = (organization, user.id);
                if let Some(before) = before {
                    self.stale_members.insert(key);
                    if before.name_key() != user.name_key() {
                        self.removed_users.insert(key);
                    }
                }
                self.users.insert(key, (user, seq));
            }
            Change::DeleteUser(id) => {
                self.users.remove(&(organization, id));
                self.removed_users.insert((organization, id));
                self.stale_members.insert((organization, id));
            }
            Change::PutOrganization { id, name, created_at } => self.organizations.push((id, name, created_at)),
            Change::PutWorkspace(workspace) => self.workspaces.push((organization, workspace)),
            Change::PutToken(token) => self.tokens.push((organization, token)),
            Change::RevokeToken { id, revoked_at } => {
                self.revoked.insert((organization, id), revoked_at);
            }
        }
    }

    /// Writes everything. The futures are polled in this order, and so the statements run in it.
    pub(crate) async fn write(&self, store: &Store) -> Result<(), StoreError> {
        try_join!(
            delete(store, DELETE_USERS, &self.removed_users),
            delete(store, DELETE_MEMBERS, &self.stale_members),
            self.put_users(store),
            self.put_organizations(store),
            self.put_workspaces(store),
            self.put_tokens(store),
            self.revoke_tokens(store),
        )
        .map(|_| ())
    }

    async fn put_users(&self, store: &Store) -> Result<(), StoreError> {
        let users = || self.users.values().map(|(user, _)| user);
        let (organizations, ids): (Vec<_>, Vec<_>) = self.users.keys().copied().unzip();
        let names: Vec<_> = users().map(User::name_key).collect();
        let external_ids: Vec<_> = users().map(|user| text(&user.resource, "externalId")).collect();
        let active: Vec<_> = users().map(|user| is_active(&user.resource)).collect();
        let display_names: Vec<_> = users().map(|user| text(&user.resource, "displayName").map(fold_case)).collect();
        let primary_emails: Vec<_> = users().map(|user| primary_email_key(&user.resource)).collect();
        let emails: Vec<_> = users().map(|user| array_text(email_keys(&user.resource))).collect();
        let seqs: Vec<_> = self.users.values().map(|(_, seq)| i64::try_from(*seq).unwrap_or(i64::MAX)).collect();
        let created: Vec<_> = users().map(|user| timestamp(user.created())).collect::<Result<_, _>>()?;
        let modified: Vec<_> = users().map(|user| timestamp(user.last_modified())).collect::<Result<_, _>>()?;
        let members = self.members()?;
        let parameters: [&(dyn ToSql + Sync); 16] = [
            &organizations,
            &ids,
            &names,
            &external_ids,
            &active,
            &display_names,
            &primary_emails,
            &emails,
            &seqs,
            &created,
            &modified,
            &members.organizations,
            &members.workspaces,
            &members.users,
            &members.permissions,
            &members.teams,
        ];
        let are_new = self.users.keys().all(|key| self.removed_users.contains(key) || !self.stale_members.contains(key));
        let sql = if are_new { INSERT_USERS } else { PUT_USERS };
        store.query_if(!ids.is_empty(), sql, &parameters).await.map(|_| ())
    }

    /// The memberships of the users that are written.
    fn members(&self) -> Result<MemberColumns, StoreError> {
        let mut columns = MemberColumns::default();
        for ((organization, id), (user, _)) in &self.users {
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

    async fn put_organizations(&self, store: &Store) -> Result<(), StoreError> {
        let ids: Vec<_> = self.organizations.iter().map(|row| row.0).collect();
        let names: Vec<_> = self.organizations.iter().map(|row| row.1.as_str()).collect();
        let created: Vec<_> = self.organizations.iter().map(|row| row.2).collect();
        store.query_if(!ids.is_empty(), PUT_ORGANIZATIONS, &[&ids, &names, &created]).await.map(|_| ())
    }

    async fn put_workspaces(&self, store: &Store) -> Result<(), StoreError> {
        let (organizations, ids): (Vec<_>, Vec<_>) =
            self.workspaces.iter().map(|(organization, workspace)| (*organization, workspace.id)).unzip();
        let names: Vec<_> = self.workspaces.iter().map(|row| row.1.name.as_str()).collect();
        let keys: Vec<_> = self.workspaces.iter().map(|row| fold_case(&row.1.name)).collect();
        let created: Vec<_> = self.workspaces.iter().map(|row| row.1.created_at).collect();
        store.query_if(!ids.is_empty(), PUT_WORKSPACES, &[&organizations, &ids, &names, &keys, &created]).await.map(|_| ())
    }

    async fn put_tokens(&self, store: &Store) -> Result<(), StoreError> {
        let (organizations, ids): (Vec<_>, Vec<_>) = self.tokens.iter().map(|(organization, token)| (*organization, token.id)).unzip();
        let digests: Vec<_> = self.tokens.iter().map(|row| row.1.digest.as_bytes()).collect();
        let settings: Vec<_> = self.tokens.iter().map(|row| Json(&row.1.settings)).collect();
        let created: Vec<_> = self.tokens.iter().map(|row| row.1.created_at).collect();
        store.query_if(!ids.is_empty(), PUT_TOKENS, &[&organizations, &ids, &digests, &settings, &created]).await.map(|_| ())
    }

    async fn revoke_tokens(&self, store: &Store) -> Result<(), StoreError> {
        let (organizations, ids): (Vec<_>, Vec<_>) = self.revoked.keys().copied().unzip();
        let times: Vec<_> = self.revoked.values().copied().collect();
        store.query_if(!ids.is_empty(), REVOKE_TOKENS, &[&organizations, &ids, &times]).await.map(|_| ())
    }

    /// Commits, and by that tells listening applications, and the apis that keep tokens in memory, whose organisation has changed.
    pub(crate) fn commit(&self) -> String {
        let users = self.users.keys().chain(&self.removed_users).map(|key| (APPLICATION_CHANNEL, key.0));
        let workspaces = self.workspaces.iter().flat_map(|row| [(APPLICATION_CHANNEL, row.0), (SETTINGS_CHANNEL, row.0)]);
        let tokens = self.tokens.iter().map(|row| row.0).chain(self.revoked.keys().map(|key| key.0));
        let tokens = tokens.map(|organization| (SETTINGS_CHANNEL, organization));
        let told: BTreeSet<_> = users.chain(workspaces).chain(tokens).collect();
        let notify = told.into_iter().map(|(channel, organization)| format!("NOTIFY {channel}, '{organization}'; "));
        notify.chain(["COMMIT".to_owned()]).collect()
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

async fn delete(store: &Store, sql: &'static str, keys: &BTreeSet<Key<UserId>>) -> Result<(), StoreError> {
    let (organizations, ids): (Vec<_>, Vec<_>) = keys.iter().copied().unzip();
    store.query_if(!ids.is_empty(), sql, &[&organizations, &ids]).await.map(|_| ())
}

fn timestamp(text: &str) -> Result<Timestamp, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable("a user's meta has no time".to_owned()))
}

fn emails(resource: &Attributes) -> &[Value] {
    resource.get("emails").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn email_keys(resource: &Attributes) -> Vec<String> {
    emails(resource).iter().filter_map(|email| email["value"].as_str()).map(fold_case).collect()
}

fn primary_email_key(resource: &Attributes) -> Option<String> {
    emails(resource).iter().find(|email| email["primary"] == true)?["value"].as_str().map(fold_case)
}
