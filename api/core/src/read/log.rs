//! The log as an auditor reads it: entries by conditions, in the order of the log, page by page.

use ipnet::IpNet;
use rollcall_events::log::{EventType, OutcomeKind};
use rollcall_events::{EventId, OrganizationId, Timestamp, TokenId, WorkspaceId};
use rollcall_scim::casefold::casefold;
use rollcall_scim::schema::ROLLCALL_SCHEMA;
use rollcall_service::entries::{COLUMNS, StoredEntry, StoredRow, entry, row};
use serde_json::json;
use tokio_postgres::Row;
use tokio_postgres::types::{Json, ToSql, Type};
use uuid::Uuid;

use super::filter_sql::Values;
use super::{Database, ReadError};
use crate::offload::offload;

const SIZE: &str = "SELECT size FROM log_heads WHERE organization_id = $1";

/// Users who have or had a name. The name is compared as it was written, or lower-cased if its case differs.
const NAMED: &str = "
    SELECT id FROM users WHERE organization_id = $1 AND user_name_key = $2
    UNION
    SELECT subject_id FROM events e
    WHERE organization_id = $1 AND lower((payload #>> '{resource,userName}') COLLATE \"C\") = ANY ($3)
        AND (type = 'UserCreated' OR payload -> 'changed' ? 'userName') AND subject_id IS NOT NULL";

/// Users and groups that have or had an `externalId`.
const WITH_EXTERNAL_ID: &str = "
    SELECT subject_id AS id FROM events e
    WHERE organization_id = $1 AND payload #>> '{resource,externalId}' = $2
        AND payload #>> '{resource,externalId}' IS NOT NULL
        AND (type IN ('UserCreated', 'GroupCreated') OR payload -> 'changed' ? 'externalId')
        AND subject_id IS NOT NULL";

/// The seqs of entries from a network, up to a limit.
const FROM_NETWORK: &str = "
    SELECT seq FROM events e WHERE organization_id = $1 AND (e.actor ->> 'address')::inet <<= $2::text::inet LIMIT $3";
/// How many entries from a network are few. Up to this number, they are looked up by seq. Beyond it, the log
/// is scanned for them.
const FEW: i64 = 10_000;

/// A condition on entries. If there are several, all of them must hold.
#[derive(Debug, Clone)]
pub enum Condition {
    /// The entry has one of these types.
    Types(Vec<EventType>),
    /// The request had this outcome.
    Outcome(OutcomeKind),
    /// The entry is about one of these users or groups.
    Subjects(Vec<Uuid>),
    /// The caller had this token.
    Token(TokenId),
    /// The caller had this service origin.
    Origin(String),
    /// The caller's address is in this network.
    Network(IpNet),
    /// The entry has one of these seqs.
    Seqs(Vec<i64>),
    /// The entry has this seq or a smaller one.
    UpTo(u64),
    /// The entry was recorded at this time or later.
    Since(Timestamp),
    /// The entry was recorded at this time or earlier.
    Until(Timestamp),
    /// The entry has this event id.
    Event(EventId),
    /// The entry concerns this workspace.
    Workspace(WorkspaceId),
    /// Only entries that changed users.
    AppliedToUsers,
}

/// The order, and the seq at which to start. The entry with this seq is excluded.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    /// Forwards, from the entry after a seq.
    OldestFirst {
        /// The seq before the first entry.
        after: u64,
    },
    /// Backwards, from the entry before a seq.
    NewestFirst {
        /// The seq after the first entry; `None` to begin with the newest.
        before: Option<u64>,
    },
}

impl Order {
    /// The seq that this order starts after.
    pub fn seq(self) -> u64 {
        match self {
            Self::OldestFirst { after } => after,
            Self::NewestFirst { before } => before.unwrap_or(u64::MAX),
        }
    }

    /// The same order, started at a seq.
    #[must_use]
    pub fn from(self, place: u64) -> Self {
        match self {
            Self::OldestFirst { .. } => Self::OldestFirst { after: place },
            Self::NewestFirst { .. } => Self::NewestFirst { before: Some(place) },
        }
    }
}

impl Condition {
    pub(super) fn sql(&self, values: &mut Values) -> String {
        match self {
            Self::Types(types) => {
                let names: Vec<&str> = types.iter().map(|event_type| event_type.as_str()).collect();
                let all_rare = types
                    .iter()
                    .all(|event_type| !matches!(event_type, EventType::UserCreated | EventType::UserUpdated));
                let rare = if all_rare { " AND e.type NOT IN ('UserCreated', 'UserUpdated')" } else { "" };
                format!("e.type = ANY ({}){rare}", values.bind(names, Type::TEXT_ARRAY))
            }
            Self::Outcome(OutcomeKind::Rejected) => "e.outcome = 'rejected'".to_owned(),
            Self::Outcome(OutcomeKind::Applied) => "e.outcome = 'applied'".to_owned(),
            Self::Subjects(ids) => match ids[..] {
                [id] => format!("e.subject_id = {}", values.bind(id, Type::UUID)),
                _ => format!("e.subject_id = ANY ({})", values.bind(ids.clone(), Type::UUID_ARRAY)),
            },
            Self::Token(id) => format!("e.actor_id = {}", values.bind(*id, Type::UUID)),
            Self::Origin(origin) => {
                format!("e.actor ->> 'service_origin' = {}", values.bind(origin.clone(), Type::TEXT))
            }
            Self::Network(network) => {
                let operator = if network.prefix_len() == network.max_prefix_len() { "=" } else { "<<=" };
                let network = values.bind(network.to_string(), Type::TEXT);
                format!("(e.actor ->> 'address')::inet {operator} {network}::inet")
            }
            Self::Seqs(seqs) => format!("e.seq = ANY ({})", values.bind(seqs.clone(), Type::INT8_ARRAY)),
            Self::UpTo(seq) => format!("e.seq <= {}", values.bind(seq_column(*seq), Type::INT8)),
            Self::Since(time) => format!("e.recorded_at >= {}", values.bind(*time, Type::TIMESTAMPTZ)),
            Self::Until(time) => format!("e.recorded_at <= {}", values.bind(*time, Type::TIMESTAMPTZ)),
            Self::Event(id) => format!("e.event_id = {}", values.bind(*id, Type::UUID)),
            Self::Workspace(id) => {
                let inside = json!({"resource": {ROLLCALL_SCHEMA: {"workspaces": [{"value": id}]}}});
                let (subject, inside) = (values.bind(*id, Type::UUID), values.bind(Json(inside), Type::JSONB));
                format!(
                    "(e.subject_id = {subject} OR e.payload @> {inside} OR e.payload -> 'workspaces' ? {subject}::text)"
                )
            }
            Self::AppliedToUsers => "e.subject_type = 'User' AND e.outcome = 'applied'".to_owned(),
        }
    }
}

/// The number of entries in an organization's log.
pub async fn log_size(database: &Database, organization: OrganizationId) -> Result<u64, ReadError> {
    let row = database.points(organization).query_opt(SIZE, &[&organization]).await?;
    Ok(row.map(|row| row.try_get::<_, i64>("size")).transpose()?.unwrap_or_default().unsigned_abs())
}

/// A page of entries.
pub type Entries = LogPage<StoredEntry>;

/// A page of the log.
#[derive(Debug)]
pub struct LogPage<T> {
    /// The entries, in the requested order.
    pub entries: Vec<T>,
    /// Whether there may be more entries: the requested number was found, or the page ended by bytes.
    pub goes_on: bool,
}

impl<T> Default for LogPage<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), goes_on: false }
    }
}

/// Reads entries of an organization's log, up to a number of entries and the size of a page.
pub async fn log_entries(
    database: &Database,
    organization: OrganizationId,
    conditions: &[Condition],
    order: Order,
    limit: u32,
) -> Result<Entries, ReadError> {
    log_page(database, organization, conditions, order, limit, |row| Ok(entry(row)?)).await
}

/// As [`log_entries`], with the rows that are no entries.
pub async fn log_rows(
    database: &Database,
    organization: OrganizationId,
    conditions: &[Condition],
    order: Order,
    limit: u32,
) -> Result<LogPage<StoredRow>, ReadError> {
    log_page(database, organization, conditions, order, limit, |of| Ok(row(of)?)).await
}

/// Reads one row of the log.
type ReadRow<T> = fn(&Row) -> Result<T, ReadError>;

async fn log_page<T: Send + 'static>(
    database: &Database,
    organization: OrganizationId,
    conditions: &[Condition],
    order: Order,
    limit: u32,
    read: ReadRow<T>,
) -> Result<LogPage<T>, ReadError> {
    let mut values = Values::default();
    let mut wanted = vec![format!("e.organization_id = {}", values.bind(organization, Type::UUID))];
    wanted.extend(conditions.iter().map(|condition| condition.sql(&mut values)));
    let direction = match order {
        Order::OldestFirst { after } => {
            wanted.push(format!("e.seq > {}", values.bind(seq_column(after), Type::INT8)));
            "ASC"
        }
        Order::NewestFirst { before } => {
            wanted.extend(before.map(|before| format!("e.seq < {}", values.bind(seq_column(before), Type::INT8))));
            "DESC"
        }
    };
    let most = values.bind(i64::from(limit), Type::INT8);
    let wanted = wanted.join(" AND ");
    let sql = format!("SELECT {COLUMNS} FROM events e WHERE {wanted} ORDER BY e.seq {direction} LIMIT {most}");
    read_page(database, organization, &sql, &values.parameters(), limit, read).await
}

/// Reads one row of an organization's log, which may be no entry.
pub async fn log_row(
    database: &Database,
    organization: OrganizationId,
    seq: u64,
) -> Result<Option<StoredRow>, ReadError> {
    let order = Order::OldestFirst { after: seq.saturating_sub(1) };
    let found = log_rows(database, organization, &[], order, 1).await?;
    Ok(found.entries.into_iter().find(|row| row.seq() == seq))
}

/// Reads one entry of an organization's log.
pub async fn log_entry(
    database: &Database,
    organization: OrganizationId,
    seq: u64,
) -> Result<Option<StoredEntry>, ReadError> {
    let order = Order::OldestFirst { after: seq.saturating_sub(1) };
    let found = log_entries(database, organization, &[], order, 1).await?;
    Ok(found.entries.into_iter().find(|entry| entry.header.seq == seq))
}

async fn read_page<T: Send + 'static>(
    database: &Database,
    organization: OrganizationId,
    sql: &str,
    parameters: &[(&(dyn ToSql + Sync), Type)],
    limit: u32,
    read: ReadRow<T>,
) -> Result<LogPage<T>, ReadError> {
    let reader = database.queries(organization);
    let (rows, is_cut) = match limit {
        // Read one entry in one round trip.
        1 => (reader.query_typed(sql, parameters).await?, false),
        _ => reader.query_until(sql, parameters, database.page_bytes()).await?,
    };
    let goes_on = is_cut || rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let bytes = rows.iter().map(Row::raw_size_bytes).sum();
    let entries: Result<_, ReadError> = offload(bytes, move || rows.iter().map(read).collect()).await?;
    Ok(LogPage { entries: entries?, goes_on })
}

/// The users as they were at a time, as the last entry of each. They are in the order of their ids, start
/// after `after`, and are limited in number.
pub async fn last_entries_of_users(
    database: &Database,
    organization: OrganizationId,
    at: Timestamp,
    after: Option<Uuid>,
    limit: u32,
) -> Result<Entries, ReadError> {
    let sql = format!(
        "SELECT DISTINCT ON (e.subject_id) {COLUMNS} FROM events e
        WHERE e.organization_id = $1 AND e.subject_id > $2 AND e.subject_type = 'User' AND e.outcome = 'applied'
            AND e.recorded_at <= $3
        ORDER BY e.subject_id, e.seq DESC LIMIT $4"
    );
    let (after, most) = (after.unwrap_or_default(), i64::from(limit));
    let parameters: [(&(dyn ToSql + Sync), Type); 4] =
        [(&organization, Type::UUID), (&after, Type::UUID), (&at, Type::TIMESTAMPTZ), (&most, Type::INT8)];
    read_page(database, organization, &sql, &parameters, limit, |row| Ok(entry(row)?)).await
}

/// The ids of the users that have or had a name.
pub async fn users_named(
    database: &Database,
    organization: OrganizationId,
    name: &str,
) -> Result<Vec<Uuid>, ReadError> {
    let folded = casefold(name);
    let spellings = [name.to_ascii_lowercase(), folded.to_ascii_lowercase()];
    ids(&database.queries(organization).query(NAMED, &[&organization, &folded, &spellings.as_slice()]).await?)
}

/// The ids of the users and groups that have or had an `externalId`.
pub async fn with_external_id(
    database: &Database,
    organization: OrganizationId,
    external_id: &str,
) -> Result<Vec<Uuid>, ReadError> {
    ids(&database.queries(organization).query(WITH_EXTERNAL_ID, &[&organization, &external_id]).await?)
}

/// A condition for entries from a network. It costs as little for a rare network as for one that all calls
/// come from.
pub async fn from_network(
    database: &Database,
    organization: OrganizationId,
    network: IpNet,
) -> Result<Condition, ReadError> {
    if network.prefix_len() == network.max_prefix_len() {
        return Ok(Condition::Network(network));
    }
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&organization, Type::UUID), (&network.to_string(), Type::TEXT), (&(FEW + 1), Type::INT8)];
    let rows = database.queries(organization).query_typed(FROM_NETWORK, &parameters).await?;
    if rows.len() > usize::try_from(FEW).unwrap_or(usize::MAX) {
        return Ok(Condition::Network(network));
    }
    Ok(Condition::Seqs(rows.iter().map(|row| row.try_get("seq")).collect::<Result<_, _>>()?))
}

fn ids(rows: &[Row]) -> Result<Vec<Uuid>, ReadError> {
    rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
}

pub(super) fn seq_column(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
