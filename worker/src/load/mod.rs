//! Reads what a batch needs to know: the log heads, which it locks, what is recorded already, and the state that its requests touch.
//!
//! All in one round trip, each query set-based; the queries after the lock see what was committed before it was granted.

mod settings;
mod touched;

use futures_util::try_join;
use rollcall_events::log::CompactRange;
use rollcall_events::request::Request;
use rollcall_events::{EventId, GroupId, OrganizationId, UserId};
use rollcall_scim::ScimError;
use rollcall_scim::resource::Attributes;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use tokio_postgres::Row;
use tokio_postgres::types::{Json, ToSql};

use crate::decide::{Change, Group, State, User, Workspace, resource_of};
use crate::store::{Store, StoreError};
use settings::load_settings;
use touched::{Keys3, Touched, columns};

/// Every statement of this room, to be prepared.
pub(crate) const STATEMENTS: [&[&str]; 2] = [OWN, settings::STATEMENTS];

const OWN: &[&str] = &[ENSURE_HEADS, LOCK_HEADS, RECORDED, USERS, KNOWN_USERS, DELETED_USERS, GROUPS, MEMBERS, WORKSPACES];

const ENSURE_HEADS: &str = "INSERT INTO log_heads (organization_id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING";

const LOCK_HEADS: &str = "
    SELECT organization_id, size, peaks FROM log_heads WHERE organization_id = ANY ($1::uuid[]) ORDER BY organization_id FOR UPDATE";

const RECORDED: &str = "
    SELECT e.organization_id, e.event_id, e.error, e.payload
    FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, event_id)
    JOIN events e ON e.organization_id = k.organization_id AND e.event_id = k.event_id";

/// Users by id and by name.
const USERS: &str = "
    SELECT u.organization_id, u.id, u.resource
    FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN users u ON u.organization_id = k.organization_id AND u.id = k.id
    UNION ALL
    SELECT u.organization_id, u.id, u.resource
    FROM unnest($3::uuid[], $4::text[]) AS k (organization_id, user_name_key)
    JOIN users u ON u.organization_id = k.organization_id AND u.user_name_key = k.user_name_key";

/// Which of some users were deleted.
const DELETED_USERS: &str = "
    SELECT e.organization_id, e.subject_id AS id
    FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN events e ON e.organization_id = k.organization_id AND e.subject_id = k.id AND e.type = 'UserDeleted'";

/// Which of some users there are.
const KNOWN_USERS: &str = "
    SELECT u.organization_id, u.id
    FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN users u ON u.organization_id = k.organization_id AND u.id = k.id";

/// Groups by id and by name.
const GROUPS: &str = "
    SELECT g.organization_id, g.id, g.resource
    FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN groups g ON g.organization_id = k.organization_id AND g.id = k.id
    UNION ALL
    SELECT g.organization_id, g.id, g.resource
    FROM unnest($3::uuid[], $4::text[]) AS k (organization_id, display_name_key)
    JOIN groups g ON g.organization_id = k.organization_id AND g.display_name_key = k.display_name_key";

/// Which of some users are members, and all members of the groups that are set as a whole.
const MEMBERS: &str = "
    SELECT m.organization_id, m.group_id, m.user_id
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS k (organization_id, group_id, user_id)
    JOIN group_members m ON m.organization_id = k.organization_id AND m.group_id = k.group_id AND m.user_id = k.user_id
    UNION ALL
    SELECT m.organization_id, m.group_id, m.user_id
    FROM unnest($4::uuid[], $5::uuid[]) AS k (organization_id, group_id)
    JOIN group_members m ON m.organization_id = k.organization_id AND m.group_id = k.group_id";

const WORKSPACES: &str = "
    SELECT w.organization_id, w.id, w.name, w.created_at
    FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)
    JOIN workspaces w ON w.organization_id = k.organization_id AND w.id = k.id";

/// A request that is in the log already.
pub(crate) struct Recorded {
    /// Why it was refused, if it was.
    pub(crate) error: Option<ScimError>,
    /// The resource as the request left it, unless it was erased.
    pub(crate) resource: Option<Arc<Attributes>>,
    /// What it came with, unless it was erased.
    fingerprint: Option<Value>,
}

impl Recorded {
    /// Whether what came with the same id is another request.
    pub(crate) fn is_other_than(&self, request: &Request) -> bool {
        self.fingerprint.as_ref().is_some_and(|fingerprint| fingerprint.as_str() != request.fingerprint.as_deref())
    }
}

/// What a batch meets.
pub(crate) struct Loaded {
    /// The locked log heads.
    pub(crate) heads: HashMap<OrganizationId, CompactRange>,
    /// What is recorded already.
    pub(crate) recorded: HashMap<(OrganizationId, EventId), Recorded>,
    /// The state.
    pub(crate) state: State,
}

/// Begins the transaction and reads what the requests need.
///
/// # Errors
/// Where Postgres fails or holds something that cannot be read.
pub(crate) async fn load(store: &Store, requests: &[Request]) -> Result<Loaded, StoreError> {
    let touched = Touched::by(requests);
    let logs = touched.organizations.len();
    let loaded = read(store, &touched).await?;
    if loaded.heads.len() == logs {
        return Ok(loaded);
    }
    // The first request of an organisation: its log begins, and is then locked like any other.
    store.command("ROLLBACK").await?;
    store.query(ENSURE_HEADS, &[&touched.organizations.iter().copied().collect::<Vec<_>>()]).await?;
    read(store, &touched).await
}

async fn read(store: &Store, touched: &Touched) -> Result<Loaded, StoreError> {
    let organizations: Vec<_> = touched.organizations.iter().copied().collect();
    let events = &touched.events;
    let (users, user_names, known) = (columns(&touched.users), columns(&touched.user_names), columns(&touched.known_users));
    let erased = columns(&touched.erased_users);
    let (groups, group_names, whole_groups) = (columns(&touched.groups), columns(&touched.group_names), columns(&touched.whole_groups));
    let (members_of, (member_groups, members)): Keys3 = {
        let (organizations, pairs) = columns(&touched.members);
        (organizations, pairs.into_iter().unzip())
    };
    let workspaces = columns(&touched.workspaces);
    let mut state = State::default();
    let ((), heads, recorded, users, known, deleted, groups, members, workspaces, ()) = try_join!(
        store.begin(),
        async { store.query(LOCK_HEADS, &[&organizations]).await },
        async { store.query(RECORDED, &[&events.0, &events.1]).await },
        async { store.query_if(!users.0.is_empty(), USERS, &[&users.0, &users.1, &user_names.0, &user_names.1]).await },
        async { store.query_if(!known.0.is_empty(), KNOWN_USERS, &[&known.0, &known.1]).await },
        async { store.query_if(!erased.0.is_empty(), DELETED_USERS, &[&erased.0, &erased.1]).await },
        async { store.query_if(!groups.0.is_empty(), GROUPS, &[&groups.0, &groups.1, &group_names.0, &group_names.1]).await },
        async {
            let keys: [&(dyn ToSql + Sync); 5] = [&members_of, &member_groups, &members, &whole_groups.0, &whole_groups.1];
            store.query_if(!(members.is_empty() && whole_groups.0.is_empty()), MEMBERS, &keys).await
        },
        async { store.query_if(!workspaces.0.is_empty(), WORKSPACES, &[&workspaces.0, &workspaces.1]).await },
        Box::pin(load_settings(store, touched, &mut state)),
    )?;
    load_users(&mut state, &users)?;
    for row in &known {
        state.load_known_user(row.try_get("organization_id")?, row.try_get("id")?);
    }
    for row in &deleted {
        state.load_deleted_user(row.try_get("organization_id")?, row.try_get("id")?);
    }
    load_groups(&mut state, &groups)?;
    for row in &members {
        state.load_member(row.try_get("organization_id")?, row.try_get("group_id")?, row.try_get("user_id")?);
    }
    load_workspaces(&mut state, &workspaces)?;
    Ok(Loaded {
        heads: heads.iter().map(head).collect::<Result<_, _>>()?,
        recorded: recorded.iter().map(recorded_request).collect::<Result<_, _>>()?,
        state,
    })
}

fn load_workspaces(state: &mut State, rows: &[Row]) -> Result<(), StoreError> {
    for row in rows {
        let workspace = Workspace { id: row.try_get("id")?, name: row.try_get("name")?, created_at: row.try_get("created_at")? };
        state.apply(row.try_get("organization_id")?, &Change::PutWorkspace(workspace));
    }
    Ok(())
}

/// The users and groups of an organisation that are known by these ids.
///
/// # Errors
/// Where Postgres fails or holds something that cannot be read.
pub(crate) async fn subjects(
    store: &Store,
    organization: OrganizationId,
    users: &[UserId],
    groups: &[GroupId],
) -> Result<State, StoreError> {
    let mut state = State::default();
    let (of_users, of_groups, none) = (vec![organization; users.len()], vec![organization; groups.len()], Vec::<String>::new());
    let no_names: Vec<OrganizationId> = Vec::new();
    load_users(&mut state, &store.query(USERS, &[&of_users, &users, &no_names, &none]).await?)?;
    load_groups(&mut state, &store.query(GROUPS, &[&of_groups, &groups, &no_names, &none]).await?)?;
    Ok(state)
}

fn load_users(state: &mut State, rows: &[Row]) -> Result<(), StoreError> {
    for row in rows {
        let Json(resource) = row.try_get("resource")?;
        state.apply(row.try_get("organization_id")?, &Change::PutUser(User { id: row.try_get("id")?, resource: Arc::new(resource) }));
    }
    Ok(())
}

fn load_groups(state: &mut State, rows: &[Row]) -> Result<(), StoreError> {
    for row in rows {
        let Json(resource) = row.try_get("resource")?;
        let group = Group { id: row.try_get("id")?, resource: Arc::new(resource) };
        state.apply(row.try_get("organization_id")?, &Change::PutGroup { group, added: Vec::new(), removed: Vec::new() });
    }
    Ok(())
}

fn head(row: &Row) -> Result<(OrganizationId, CompactRange), StoreError> {
    let size: i64 = row.try_get("size")?;
    let peaks: Vec<Vec<u8>> = row.try_get("peaks")?;
    Ok((row.try_get("organization_id")?, CompactRange::from_parts(size.unsigned_abs(), &peaks)?))
}

fn recorded_request(row: &Row) -> Result<((OrganizationId, EventId), Recorded), StoreError> {
    let payload: Option<Value> = row.try_get("payload")?;
    let fingerprint = payload.as_ref().map(|payload| payload["fingerprint"].clone());
    let recorded = Recorded {
        error: row.try_get::<_, Option<Json<_>>>("error")?.map(|Json(error)| error),
        resource: payload.and_then(|mut payload| resource_of(&mut payload)),
        fingerprint,
    };
    Ok(((row.try_get("organization_id")?, row.try_get("event_id")?), recorded))
}
