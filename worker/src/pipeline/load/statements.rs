//! The statements that load a batch, each with the function that reads its rows.

use rollcall_events::name::{Description, EntitlementType, UniqueName};
use rollcall_events::request::EntitlementSettings;
use rollcall_events::{EventId, OrganizationId, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use super::LoadedBatch;
use super::loaded::recorded_request;
use crate::db::{Parameter, Statement, Store, StoreError};
use crate::log::Head;
use crate::pipeline::state::{Entitlement, Group, Keys, SessionState, TokenStatus, User, Workspace};

/// All statements of this module, to be prepared.
pub(crate) fn statements() -> impl Iterator<Item = &'static str> {
    let of_resources = [ENSURE_HEADS, COMMON, COMMON_AND_RECORDED, PRESENCES, DELETIONS, GROUPS, MEMBERS];
    let of_settings = [ORGANIZATIONS, WORKSPACES_BY_NAME, ENTITLEMENTS, TOKENS, SESSIONS, STREAMS, DEAD_LETTERS];
    of_resources.into_iter().chain(of_settings)
}

pub(super) const ENSURE_HEADS: &str =
    "INSERT INTO log_heads (organization_id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING";

/// Selects what nearly every batch looks up, in one snapshot: users by id and by name, log heads, workspaces,
/// and `$more`. This is one query, because each query costs a response packet and a wake-up of the reader.
macro_rules! common {
    ($more:literal) => {
        concat!(
            "SELECT 'user' AS kind, u.organization_id, u.id, u.resource, NULL::jsonb AS error, NULL::text AS name,
                NULL::timestamptz AS at, NULL::bigint AS size, NULL::bytea[] AS peaks, NULL::bigint AS version
            FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
            JOIN users u ON u.organization_id = k.organization_id AND u.id = k.id
            UNION ALL
            SELECT 'user', u.organization_id, u.id, u.resource, NULL, NULL, NULL, NULL, NULL, NULL
            FROM unnest($3::uuid[], $4::text[]) AS k (organization_id, user_name_key)
            JOIN users u ON u.organization_id = k.organization_id AND u.user_name_key = k.user_name_key
            UNION ALL
            SELECT 'head', h.organization_id, NULL, NULL, NULL, h.refused, h.recorded_at, h.size, h.peaks, h.version
            FROM log_heads h WHERE h.organization_id = ANY ($5::uuid[])
            UNION ALL
            SELECT 'workspace', w.organization_id, w.id, NULL, NULL, w.name, w.created_at, NULL, NULL, NULL
            FROM unnest($6::uuid[], $7::uuid[]) AS k (organization_id, id)
            JOIN workspaces w ON w.organization_id = k.organization_id AND w.id = k.id",
            $more
        )
    };
}

/// For batches whose requests are all taken for new.
const COMMON: &str = common!("");

/// For batches that may contain recorded requests. For these, Postgres plans a look-up in every partition of
/// the log.
const COMMON_AND_RECORDED: &str = common!(
    "
            UNION ALL
            SELECT 'request', e.organization_id, e.event_id, e.payload, e.error, NULL, NULL, NULL, NULL, NULL
            FROM unnest($8::uuid[], $9::uuid[]) AS k (organization_id, event_id)
            JOIN events e ON e.organization_id = k.organization_id AND e.event_id = k.event_id"
);

const PRESENCES: &str = "
    SELECT u.organization_id, u.id FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN users u ON u.organization_id = k.organization_id AND u.id = k.id";

const DELETIONS: &str = "
    SELECT e.organization_id, e.subject_id AS id FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN events e ON e.organization_id = k.organization_id AND e.subject_id = k.id AND e.type = 'UserDeleted'";

/// Groups by id and by name.
const GROUPS: &str = "
    SELECT g.organization_id, g.id, g.resource FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN groups g ON g.organization_id = k.organization_id AND g.id = k.id
    UNION ALL
    SELECT g.organization_id, g.id, g.resource
    FROM unnest($3::uuid[], $4::text[]) AS k (organization_id, display_name_key)
    JOIN groups g ON g.organization_id = k.organization_id AND g.display_name_key = k.display_name_key";

/// Single members of some groups, and all members of others.
const MEMBERS: &str = "
    SELECT m.organization_id, m.group_id, m.user_id
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS k (organization_id, group_id, user_id)
    JOIN group_members m ON m.organization_id = k.organization_id AND m.group_id = k.group_id AND m.user_id = k.user_id
    UNION ALL
    SELECT m.organization_id, m.group_id, m.user_id FROM unnest($4::uuid[], $5::uuid[]) AS k (organization_id, group_id)
    JOIN group_members m ON m.organization_id = k.organization_id AND m.group_id = k.group_id";

const ORGANIZATIONS: &str = "SELECT id, name FROM organizations WHERE id = ANY ($1::uuid[])";

const WORKSPACES_BY_NAME: &str = "
    SELECT w.organization_id, w.id, w.name, w.created_at AS at
    FROM unnest($1::uuid[], $2::text[]) AS k (organization_id, name_key)
    JOIN workspaces w ON w.organization_id = k.organization_id AND w.name_key = k.name_key";

/// Roles and entitlements by id and by name.
const ENTITLEMENTS: &str = "
    SELECT e.organization_id, e.id, e.kind, e.name, e.type, e.description, e.created_at
    FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN entitlements e ON e.organization_id = k.organization_id AND e.id = k.id
    UNION ALL
    SELECT e.organization_id, e.id, e.kind, e.name, e.type, e.description, e.created_at
    FROM unnest($3::uuid[], $4::text[], $5::text[]) AS k (organization_id, kind, name_key)
    JOIN entitlements e ON e.organization_id = k.organization_id AND e.kind = k.kind AND e.name_key = k.name_key";

const TOKENS: &str = "
    SELECT t.organization_id, t.id, t.revoked_at FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN scim_tokens t ON t.organization_id = k.organization_id AND t.id = k.id
    UNION ALL
    SELECT t.organization_id, t.id, t.revoked_at FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN auditor_tokens t ON t.organization_id = k.organization_id AND t.id = k.id";

const SESSIONS: &str = "
    SELECT s.organization_id, s.id, s.link_expires_at, s.signed_in_at IS NOT NULL AS is_signed_in,
        s.ended_at IS NOT NULL AS has_ended
    FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN admin_sessions s ON s.organization_id = k.organization_id AND s.id = k.id";

const DEAD_LETTERS: &str = "
    SELECT d.organization_id, d.id FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN dead_letters d ON d.organization_id = k.organization_id AND d.id = k.id AND d.retried_at IS NULL";

const STREAMS: &str = "
    SELECT s.organization_id, s.id, s.enabled FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN event_streams s ON s.organization_id = k.organization_id AND s.id = k.id";

/// Pairs of keys as two columns, for `unnest`.
type Pairs<T> = (Vec<OrganizationId>, Vec<T>);

fn pairs<T: Clone>(keys: &BTreeSet<(OrganizationId, T)>) -> Pairs<T> {
    keys.iter().cloned().unzip()
}

/// Reads a row.
type Read = fn(&mut LoadedBatch, &Row) -> Result<(), StoreError>;

/// The statements to run, in order.
#[derive(Default)]
struct Plan<'a> {
    statements: Vec<Statement<'a>>,
    reads: Vec<Read>,
}

impl<'a> Plan<'a> {
    fn add_if(&mut self, needed: bool, sql: &'static str, parameters: Vec<Parameter<'a>>, read: Read) {
        if needed {
            self.statements.push(Statement::new(sql, parameters));
            self.reads.push(read);
        }
    }
}

/// Reads heads, recorded requests and keys in one round trip. The heads come first.
pub(super) async fn fetch(
    store: &Store,
    heads: &BTreeSet<OrganizationId>,
    events: &BTreeSet<(OrganizationId, EventId)>,
    keys: &Keys,
    loaded: &mut LoadedBatch,
) -> Result<(), StoreError> {
    let heads: Vec<_> = heads.iter().copied().collect();
    let events = pairs(events);
    let (users, user_names, workspaces) = (pairs(&keys.users), pairs(&keys.user_names), pairs(&keys.workspaces));
    let (presences, deletions) = (pairs(&keys.presences), pairs(&keys.deletions));
    let (groups, group_names, members_of) = (pairs(&keys.groups), pairs(&keys.group_names), pairs(&keys.members_of));
    let members: (Vec<_>, (Vec<_>, Vec<_>)) =
        keys.members.iter().map(|(of, group, user)| (*of, (*group, *user))).unzip();
    let organizations: Vec<_> = keys.organizations.iter().copied().collect();
    let workspace_names = pairs(&keys.workspace_names);
    let entitlements = pairs(&keys.entitlements);
    let entitlement_names: (Vec<_>, (Vec<_>, Vec<_>)) =
        keys.entitlement_names.iter().map(|(of, kind, name)| (*of, (kind.as_str(), name.as_str()))).unzip();
    let (tokens, sessions) = (pairs(&keys.tokens), pairs(&keys.sessions));
    let (streams, dead_letters) = (pairs(&keys.streams), pairs(&keys.dead_letters));

    let mut common: Vec<Parameter<'_>> =
        vec![&users.0, &users.1, &user_names.0, &user_names.1, &heads, &workspaces.0, &workspaces.1];
    let has_events = !events.0.is_empty();
    let is_common =
        has_events || !(heads.is_empty() && users.0.is_empty() && user_names.0.is_empty() && workspaces.0.is_empty());
    if has_events {
        common.extend([&events.0 as Parameter<'_>, &events.1]);
    }
    let mut plan = Plan::default();
    plan.add_if(is_common, if has_events { COMMON_AND_RECORDED } else { COMMON }, common, read_common);
    plan.add_if(!presences.0.is_empty(), PRESENCES, vec![&presences.0, &presences.1], read_presence);
    plan.add_if(!deletions.0.is_empty(), DELETIONS, vec![&deletions.0, &deletions.1], read_deletion);
    let of_groups: Vec<Parameter<'_>> = vec![&groups.0, &groups.1, &group_names.0, &group_names.1];
    plan.add_if(!(groups.0.is_empty() && group_names.0.is_empty()), GROUPS, of_groups, read_group);
    let of_members: Vec<Parameter<'_>> = vec![&members.0, &members.1.0, &members.1.1, &members_of.0, &members_of.1];
    plan.add_if(!(members.0.is_empty() && members_of.0.is_empty()), MEMBERS, of_members, read_member);
    plan.add_if(!organizations.is_empty(), ORGANIZATIONS, vec![&organizations], read_organization);
    plan.add_if(
        !workspace_names.0.is_empty(),
        WORKSPACES_BY_NAME,
        vec![&workspace_names.0, &workspace_names.1],
        read_workspace,
    );
    let of_entitlements: Vec<Parameter<'_>> =
        vec![&entitlements.0, &entitlements.1, &entitlement_names.0, &entitlement_names.1.0, &entitlement_names.1.1];
    let has_entitlements = !(entitlements.0.is_empty() && entitlement_names.0.is_empty());
    plan.add_if(has_entitlements, ENTITLEMENTS, of_entitlements, read_entitlement);
    plan.add_if(!tokens.0.is_empty(), TOKENS, vec![&tokens.0, &tokens.1], read_token);
    plan.add_if(!sessions.0.is_empty(), SESSIONS, vec![&sessions.0, &sessions.1], read_session);
    plan.add_if(!streams.0.is_empty(), STREAMS, vec![&streams.0, &streams.1], read_stream);
    plan.add_if(!dead_letters.0.is_empty(), DEAD_LETTERS, vec![&dead_letters.0, &dead_letters.1], read_dead_letter);

    if plan.statements.is_empty() {
        return Ok(());
    }
    store.renew_plans().await?;
    let answers = store.run_in_order(&plan.statements).await?;
    for (rows, read) in answers.iter().zip(plan.reads) {
        rows.iter().try_for_each(|row| read(loaded, row))?;
    }
    Ok(())
}

/// Reads a row of [`COMMON`] or [`COMMON_AND_RECORDED`].
fn read_common(loaded: &mut LoadedBatch, row: &Row) -> Result<(), StoreError> {
    match row.try_get("kind")? {
        "head" => {
            loaded.heads.insert(row.try_get("organization_id")?, Head::read(row)?);
        }
        "request" => {
            loaded.recorded.insert((row.try_get("organization_id")?, row.try_get("id")?), recorded_request(row)?);
        }
        "workspace" => read_workspace(loaded, row)?,
        _ => {
            let Json(resource) = row.try_get("resource")?;
            let user = User { id: row.try_get("id")?, resource: Arc::new(resource) };
            loaded.state.load_user(row.try_get("organization_id")?, user);
        }
    }
    Ok(())
}

fn read_workspace(loaded: &mut LoadedBatch, row: &Row) -> Result<(), StoreError> {
    let workspace = Workspace { id: row.try_get("id")?, name: row.try_get("name")?, created_at: row.try_get("at")? };
    loaded.state.load_workspace(row.try_get("organization_id")?, workspace);
    Ok(())
}

fn read_entitlement(loaded: &mut LoadedBatch, row: &Row) -> Result<(), StoreError> {
    let kind = row
        .try_get::<_, &str>("kind")?
        .parse()
        .map_err(|error| StoreError::Unreadable(format!("entitlements.kind: {error}")))?;
    let settings = EntitlementSettings {
        kind,
        name: UniqueName::recorded(row.try_get("name")?),
        type_name: EntitlementType::recorded(row.try_get("type")?),
        description: row.try_get::<_, Option<_>>("description")?.map(Description::recorded),
    };
    let entitlement = Entitlement { id: row.try_get("id")?, settings, created_at: row.try_get("created_at")? };
    loaded.state.load_entitlement(row.try_get("organization_id")?, entitlement);
    Ok(())
}

fn read_presence(loaded: &mut LoadedBatch, row: &Row) -> Result<(), StoreError> {
    loaded.state.load_presence(row.try_get("organization_id")?, row.try_get("id")?);
    Ok(())
}

fn read_deletion(loaded: &mut LoadedBatch, row: &Row) -> Result<(), StoreError> {
    loaded.state.load_deletion(row.try_get("organization_id")?, row.try_get("id")?);
    Ok(())
}

fn read_group(loaded: &mut LoadedBatch, row: &Row) -> Result<(), StoreError> {
    let Json(resource) = row.try_get("resource")?;
    let group = Group { id: row.try_get("id")?, resource: Arc::new(resource) };
    loaded.state.load_group(row.try_get("organization_id")?, group);
    Ok(())
}

fn read_member(loaded: &mut LoadedBatch, row: &Row) -> Result<(), StoreError> {
    loaded.state.load_member(row.try_get("organization_id")?, row.try_get("group_id")?, row.try_get("user_id")?);
    Ok(())
}

fn read_organization(loaded: &mut LoadedBatch, row: &Row) -> Result<(), StoreError> {
    loaded.state.load_organization(row.try_get("id")?, row.try_get("name")?);
    Ok(())
}

fn read_token(loaded: &mut LoadedBatch, row: &Row) -> Result<(), StoreError> {
    let revoked_at = row.try_get::<_, Option<Timestamp>>("revoked_at")?;
    let status = revoked_at.map_or(TokenStatus::Valid, TokenStatus::RevokedAt);
    loaded.state.load_token(row.try_get("organization_id")?, row.try_get("id")?, status);
    Ok(())
}

fn read_session(loaded: &mut LoadedBatch, row: &Row) -> Result<(), StoreError> {
    let state = match (row.try_get("has_ended")?, row.try_get("is_signed_in")?) {
        (true, _) => SessionState::Ended,
        (false, true) => SessionState::SignedIn,
        (false, false) => SessionState::Invited(row.try_get("link_expires_at")?),
    };
    loaded.state.load_session(row.try_get("organization_id")?, row.try_get("id")?, state);
    Ok(())
}

fn read_stream(loaded: &mut LoadedBatch, row: &Row) -> Result<(), StoreError> {
    loaded.state.load_stream(row.try_get("organization_id")?, row.try_get("id")?, row.try_get("enabled")?);
    Ok(())
}

fn read_dead_letter(loaded: &mut LoadedBatch, row: &Row) -> Result<(), StoreError> {
    loaded.state.load_dead_letter(row.try_get("organization_id")?, row.try_get("id")?);
    Ok(())
}
