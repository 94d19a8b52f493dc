//! Reads log entries from rows, and rows that are no entries, so that an auditor gets them too.

use rollcall_events::actor::{ActorDetails, ActorKind};
use rollcall_events::log::{Entry, EventType, Hash, Header, OutcomeKind, Salt, SubjectType};
use rollcall_events::{EventId, OrganizationId, Timestamp};
use rollcall_scim::ScimError;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::error::Error;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Json};
use uuid::Uuid;

macro_rules! header_columns {
    () => {
        "e.organization_id, e.seq, e.event_id, e.type, e.schema_version, e.subject_type, e.subject_id,
        e.actor_id, e.actor_kind, e.actor_commitment, e.requested_at, e.recorded_at, e.outcome, e.error,
        e.payload_commitment"
    };
}

/// The columns of a header; the query must name the table `e`.
pub const HEADER_COLUMNS: &str = header_columns!();
/// The columns of an entry; the query must name the table `e`.
pub const COLUMNS: &str =
    concat!(header_columns!(), ", e.actor, e.actor_salt, e.payload::text AS payload, e.payload_salt, e.leaf");

/// An entry with its payload as it is stored.
pub type StoredEntry = Entry<Box<RawValue>, ActorDetails>;

/// A row of the log, as one line of an export has it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "nearly every row is an entry")]
pub enum StoredRow {
    /// An entry.
    Entry(StoredEntry),
    /// A row that this program does not understand: somebody changed the database, or a newer program wrote it.
    Malformed(MalformedRow),
}

/// A row that is not an entry. It is exported as it is stored, so that a verifier can hash it.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct MalformedRow {
    /// The position in the log.
    #[serde(skip)]
    pub seq: u64,
    /// The leaf, as the log stores it; `None` if it does not have 32 bytes.
    #[serde(skip)]
    pub leaf: Option<Hash>,
    /// Why it is not an entry.
    #[serde(skip)]
    pub reason: String,
    /// The stored values, with the members of an entry.
    pub line: Value,
}

impl StoredRow {
    /// The position in the log.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Entry(entry) => entry.header.seq,
            Self::Malformed(row) => row.seq,
        }
    }

    /// The entry, if the row is one.
    pub fn entry(&self) -> Option<&StoredEntry> {
        match self {
            Self::Entry(entry) => Some(entry),
            Self::Malformed(_) => None,
        }
    }
}

/// The row is not a log entry or a stream.
#[derive(Debug, thiserror::Error)]
pub enum MalformedEntry {
    /// A column is missing or has another type.
    #[error("postgres: {0}")]
    Column(#[from] tokio_postgres::Error),
    /// A column has a value that this program does not know.
    #[error("the log holds an unknown {0}")]
    Unknown(&'static str),
}

impl MalformedEntry {
    /// The error with its cause: which member of which column is unknown.
    pub fn reason(&self) -> String {
        let Self::Column(error) = self else { return self.to_string() };
        error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
    }
}

/// Reads an entry from a row with [`COLUMNS`].
///
/// # Errors
/// If the row is not an entry.
pub fn entry(row: &Row) -> Result<StoredEntry, MalformedEntry> {
    let payload = row.try_get::<_, Option<String>>("payload")?.map(RawValue::from_string).transpose();
    Ok(Entry {
        actor: row.try_get::<_, Option<Json<_>>>("actor")?.map(|Json(actor)| actor),
        actor_salt: salt(row, "actor_salt")?,
        header: header(row)?,
        leaf: hash(row, "leaf")?,
        payload: payload.map_err(|_| MalformedEntry::Unknown("payload"))?,
        payload_salt: salt(row, "payload_salt")?,
    })
}

/// Reads a header from a row with [`HEADER_COLUMNS`].
///
/// # Errors
/// If the row is not a header.
pub fn header(row: &Row) -> Result<Header, MalformedEntry> {
    let malformed = |what: &'static str| MalformedEntry::Unknown(what);
    let (event_type, outcome): (&str, &str) = (row.try_get("type")?, row.try_get("outcome")?);
    Ok(Header {
        actor_commitment: hash(row, "actor_commitment")?,
        actor_id: row.try_get("actor_id")?,
        actor_kind: ActorKind::from_name(row.try_get("actor_kind")?).ok_or_else(|| malformed("actor_kind"))?,
        error: row.try_get::<_, Option<Json<_>>>("error")?.map(|Json(error)| error),
        event_id: row.try_get("event_id")?,
        organization_id: row.try_get("organization_id")?,
        outcome: OutcomeKind::from_name(outcome).ok_or_else(|| malformed("outcome"))?,
        payload_commitment: hash(row, "payload_commitment")?,
        recorded_at: row.try_get("recorded_at")?,
        requested_at: row.try_get("requested_at")?,
        schema_version: row.try_get::<_, i16>("schema_version")?.unsigned_abs(),
        seq: row.try_get::<_, i64>("seq")?.unsigned_abs(),
        subject_id: row.try_get("subject_id")?,
        subject_type: row
            .try_get::<_, Option<&str>>("subject_type")?
            .map(|name| SubjectType::from_name(name).ok_or_else(|| malformed("subject_type")))
            .transpose()?,
        event_type: EventType::from_name(event_type).ok_or_else(|| malformed("type"))?,
    })
}

/// Reads a row with [`COLUMNS`], whether or not it is an entry.
///
/// # Errors
/// If the row does not have these columns.
pub fn row(row: &Row) -> Result<StoredRow, tokio_postgres::Error> {
    match entry(row) {
        Ok(entry) => Ok(StoredRow::Entry(entry)),
        Err(error) => malformed(row, error.reason()).map(StoredRow::Malformed),
    }
}

fn malformed(row: &Row, reason: String) -> Result<MalformedRow, tokio_postgres::Error> {
    fn value<'a, T: FromSql<'a> + Serialize>(row: &'a Row, column: &str) -> Result<Value, tokio_postgres::Error> {
        Ok(json!(row.try_get::<_, Option<T>>(column)?))
    }
    let hash = |column: &str| Ok::<_, tokio_postgres::Error>(Hash::from_bytes(row.try_get(column)?));
    let salt = |column: &str| {
        let salt: Option<&[u8]> = row.try_get(column)?;
        Ok::<_, tokio_postgres::Error>(salt.and_then(Salt::from_bytes))
    };
    let payload: Option<Value> =
        row.try_get::<_, Option<&str>>("payload")?.and_then(|payload| serde_json::from_str(payload).ok());
    let (seq, leaf): (i64, _) = (row.try_get("seq")?, hash("leaf")?);
    let header = json!({
        "actor_commitment": hash("actor_commitment")?,
        "actor_id": value::<Uuid>(row, "actor_id")?,
        "actor_kind": value::<&str>(row, "actor_kind")?,
        "error": value::<Value>(row, "error")?,
        "event_id": value::<EventId>(row, "event_id")?,
        "organization_id": value::<OrganizationId>(row, "organization_id")?,
        "outcome": value::<&str>(row, "outcome")?,
        "payload_commitment": hash("payload_commitment")?,
        "recorded_at": value::<Timestamp>(row, "recorded_at")?,
        "requested_at": value::<Timestamp>(row, "requested_at")?,
        "schema_version": value::<i16>(row, "schema_version")?,
        "seq": seq,
        "subject_id": value::<Uuid>(row, "subject_id")?,
        "subject_type": value::<&str>(row, "subject_type")?,
        "type": value::<&str>(row, "type")?,
    });
    let line = json!({
        "actor": value::<Value>(row, "actor")?,
        "actor_salt": salt("actor_salt")?,
        "header": header,
        "leaf": leaf,
        "payload": payload,
        "payload_salt": salt("payload_salt")?,
    });
    Ok(MalformedRow { seq: seq.unsigned_abs(), leaf, reason, line })
}

pub(crate) fn hash(row: &Row, column: &'static str) -> Result<Hash, MalformedEntry> {
    Hash::from_bytes(row.try_get(column)?).ok_or(MalformedEntry::Unknown(column))
}

fn salt(row: &Row, column: &'static str) -> Result<Option<Salt>, MalformedEntry> {
    let salt: Option<&[u8]> = row.try_get(column)?;
    salt.map(|salt| Salt::from_bytes(salt).ok_or(MalformedEntry::Unknown(column))).transpose()
}

/// The error of a rejected request, as the caller got it; `None` if the request was applied. The code is in
/// the header, and the detail is in the payload.
pub fn error(entry: &StoredEntry) -> Option<ScimError> {
    #[derive(Deserialize)]
    struct Rejection {
        detail: Option<String>,
    }
    let detail = || {
        let payload = entry.payload.as_ref()?;
        serde_json::from_str::<Rejection>(payload.get()).ok()?.detail
    };
    entry.header.error.map(|code| code.with_detail(detail()))
}
