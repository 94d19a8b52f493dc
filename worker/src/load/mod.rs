//! Reads what a batch needs to know: the log heads, what is recorded already, and the state that its requests touch.
//!
//! All in one round trip, each query set-based, and nothing is locked. The heads are read first or in the same snapshot as the rest: whatever else is read is then at least
//! as new as they are, and a batch that was decided on something newer, or on something that has changed since, finds that its head has moved when it is written.

mod settings;
mod touched;

use futures_util::try_join;
use rollcall_events::log::CompactRange;
use rollcall_events::request::Request;
use rollcall_events::{EventId, GroupId, OrganizationId, UserId};
use rollcall_scim::ScimError;
use rollcall_scim::resource::Attributes;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio_postgres::Row;
use tokio_postgres::types::{Json, ToSql};

use crate::decide::{Change, Group, State, User, Workspace, resource_of};
use crate::store::{Store, StoreError};
use settings::load_settings;
use touched::{Keys3, Touched, columns};

/// Every statement of this room, to be prepared.
pub(crate) const STATEMENTS: [&[&str]; 2] = [OWN, settings::STATEMENTS];

const OWN: &[&str] = &[ENSURE_HEADS, MET, MET_AGAIN, USERS, KNOWN_USERS, DELETED_USERS, GROUPS, MEMBERS];

const ENSURE_HEADS: &str = "INSERT INTO log_heads (organization_id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING";

/// Users by id and by name, from the parameters of these numbers on.
macro_rules! users_by {
    ($ids:literal, $names:literal) => {
        concat!(
            "SELECT 'user' AS kind, u.organization_id, u.id, u.resource, NULL::jsonb AS error, NULL::text AS name, NULL::timestamptz AS created_at,
                NULL::bigint AS size, NULL::bytea[] AS peaks, NULL::bigint AS version
            FROM unnest(",
            $ids,
            ") AS k (organization_id, id)
            JOIN users u ON u.organization_id = k.organization_id AND u.id = k.id
            UNION ALL
            SELECT 'user', u.organization_id, u.id, u.resource, NULL, NULL, NULL, NULL, NULL, NULL
            FROM unnest(",
            $names,
            ") AS k (organization_id, user_name_key)
            JOIN users u ON u.organization_id = k.organization_id AND u.user_name_key = k.user_name_key"
        )
    };
}

/// What nearly every batch meets, in one snapshot: users, log heads, workspaces, and `$more`. It is one query since each costs a packet on its way back, and whoever
/// waits for it a wake-up.
macro_rules! met {
    ($more:literal) => {
        concat!(
            users_by!("$1::uuid[], $2::uuid[]", "$3::uuid[], $4::text[]"),
            "
            UNION ALL
            SELECT 'head', h.organization_id, NULL, NULL, NULL, NULL, NULL, h.size, h.peaks, h.xmin::text::bigint
            FROM log_heads h WHERE h.organization_id = ANY ($5::uuid[])
            UNION ALL
            SELECT 'workspace', w.organization_id, w.id, NULL, NULL, w.name, w.created_at, NULL, NULL, NULL
            FROM unnest($6::uuid[], $7::uuid[]) AS k (organization_id, id)
            JOIN workspaces w ON w.organization_id = k.organization_id AND w.id = k.id",
            $more
        )
    };
}

/// What a batch meets whose requests are taken for new.
const MET: &str = met!("");

/// What a batch meets some of whose requests may be recorded already. Postgres prepares to look in every partition of the log.
const MET_AGAIN: &str = met!(
    "
            UNION ALL
            SELECT 'request', e.organization_id, e.event_id, e.payload, e.error, NULL, NULL, NULL, NULL, NULL
            FROM unnest($8::uuid[], $9::uuid[]) AS k (organization_id, event_id)
            JOIN events e ON e.organization_id = k.organization_id AND e.event_id = k.event_id"
);

/// Users by id and by name.
const USERS: &str = users_by!("$1::uuid[], $2::uuid[]", "$3::uuid[], $4::text[]");

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

/// The head of a log: what there is of it, and by what it is known whether that is still so.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) log: CompactRange,
    /// The transaction that wrote it.
    pub(crate) version: i64,
}

/// What is expected of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// That it is new. Neither what is recorded under its ids nor whom it would create is looked for, unless its sender has chosen the ids: should something be there all
    /// the same, Postgres refuses the batch ([`StoreError::is_repeat`]), and it is to be tried again as one with repeats.
    News,
    /// That some of it may have been applied before.
    Repeats,
}

/// What a batch meets.
#[derive(Default)]
pub(crate) struct Loaded {
    /// The log heads.
    pub(crate) heads: BTreeMap<OrganizationId, Head>,
    /// What is recorded already.
    pub(crate) recorded: HashMap<(OrganizationId, EventId), Recorded>,
    /// The state.
    pub(crate) state: State,
}

/// Reads what the requests need.
///
/// # Errors
/// Where Postgres fails or holds something that cannot be read.
pub(crate) async fn load(store: &Store, requests: &[Request], expected: Expected) -> Result<Loaded, StoreError> {
    let touched = Touched::by(requests, expected);
    let logs = touched.organizations.len();
    let loaded = read(store, &touched).await?;
    if loaded.heads.len() == logs {
        return Ok(loaded);
    }
    // The first request of an organisation: its log begins.
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
    let mut loaded = Loaded::default();
    let ((), met, known, deleted, groups, members, ()) = try_join!(
        store.renew_plans(),
        async {
            let keys: [&(dyn ToSql + Sync); 9] =
                [&users.0, &users.1, &user_names.0, &user_names.1, &organizations, &workspaces.0, &workspaces.1, &events.0, &events.1];
            if events.0.is_empty() { store.query(MET, &keys[..7]).await } else { store.query(MET_AGAIN, &keys).await }
        },
        async { store.query_if(!known.0.is_empty(), KNOWN_USERS, &[&known.0, &known.1]).await },
        async { store.query_if(!erased.0.is_empty(), DELETED_USERS, &[&erased.0, &erased.1]).await },
        async { store.query_if(!groups.0.is_empty(), GROUPS, &[&groups.0, &groups.1, &group_names.0, &group_names.1]).await },
        async {
            let keys: [&(dyn ToSql + Sync); 5] = [&members_of, &member_groups, &members, &whole_groups.0, &whole_groups.1];
            store.query_if(!(members.is_empty() && whole_groups.0.is_empty()), MEMBERS, &keys).await
        },
        Box::pin(load_settings(store, touched, &mut loaded.state)),
    )?;
    for row in &met {
        loaded.take(row)?;
    }
    let state = &mut loaded.state;
    for row in &known {
        state.load_known_user(row.try_get("organization_id")?, row.try_get("id")?);
    }
    for row in &deleted {
        state.load_deleted_user(row.try_get("organization_id")?, row.try_get("id")?);
    }
    load_groups(state, &groups)?;
    for row in &members {
        state.load_member(row.try_get("organization_id")?, row.try_get("group_id")?, row.try_get("user_id")?);
    }
    Ok(loaded)
}

impl Loaded {
    /// Takes in a row of [`MET`] or [`MET_AGAIN`].
    fn take(&mut self, row: &Row) -> Result<(), StoreError> {
        match row.try_get("kind")? {
            "head" => {
                self.heads.insert(row.try_get("organization_id")?, head(row)?);
            }
            "request" => {
                self.recorded.insert((row.try_get("organization_id")?, row.try_get("id")?), recorded_request(row)?);
            }
            "workspace" => load_workspace(&mut self.state, row)?,
            _ => load_user(&mut self.state, row)?,
        }
        Ok(())
    }
}

fn load_workspace(state: &mut State, row: &Row) -> Result<(), StoreError> {
    let workspace = Workspace { id: row.try_get("id")?, name: row.try_get("name")?, created_at: row.try_get("created_at")? };
    state.apply(row.try_get("organization_id")?, &Change::PutWorkspace(workspace));
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
    for row in &store.query(USERS, &[&of_users, &users, &no_names, &none]).await? {
        load_user(&mut state, row)?;
    }
    load_groups(&mut state, &store.query(GROUPS, &[&of_groups, &groups, &no_names, &none]).await?)?;
    Ok(state)
}

fn load_user(state: &mut State, row: &Row) -> Result<(), StoreError> {
    let Json(resource) = row.try_get("resource")?;
    state.apply(row.try_get("organization_id")?, &Change::PutUser(User { id: row.try_get("id")?, resource: Arc::new(resource) }));
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

fn head(row: &Row) -> Result<Head, StoreError> {
    let size: i64 = row.try_get("size")?;
    let peaks: Vec<Vec<u8>> = row.try_get("peaks")?;
    Ok(Head { log: CompactRange::from_parts(size.unsigned_abs(), &peaks)?, version: row.try_get("version")? })
}

fn recorded_request(row: &Row) -> Result<Recorded, StoreError> {
    let payload: Option<Value> = row.try_get("resource")?;
    let fingerprint = payload.as_ref().map(|payload| payload["fingerprint"].clone());
    Ok(Recorded {
        error: row.try_get::<_, Option<Json<_>>>("error")?.map(|Json(error)| error),
        resource: payload.and_then(|mut payload| resource_of(&mut payload)),
        fingerprint,
    })
}
