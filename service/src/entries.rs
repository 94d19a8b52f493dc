//! Reads log entries from rows.

use rollcall_events::log::{Entry, EventType, Hash, Header, OutcomeKind, Salt, SubjectType};
use serde_json::value::RawValue;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

/// The columns of an entry; the query must name the table `e`.
pub const COLUMNS: &str = "
    e.organization_id, e.seq, e.event_id, e.type, e.schema_version, e.subject_type, e.subject_id, e.actor,
    e.requested_at, e.recorded_at, e.outcome, e.error, e.payload::text AS payload, e.salt, e.commitment, e.leaf";

/// An entry with its payload as it is stored.
pub type StoredEntry = Entry<Box<RawValue>>;

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

/// Reads an entry from a row with [`COLUMNS`].
///
/// # Errors
/// If the row is not an entry.
pub fn entry(row: &Row) -> Result<StoredEntry, MalformedEntry> {
    let malformed = |what: &'static str| MalformedEntry::Unknown(what);
    let (event_type, outcome): (&str, &str) = (row.try_get("type")?, row.try_get("outcome")?);
    let Json(actor) = row.try_get("actor")?;
    let header = Header {
        actor,
        commitment: Hash::from_bytes(row.try_get("commitment")?).ok_or_else(|| malformed("commitment"))?,
        error: row.try_get::<_, Option<Json<_>>>("error")?.map(|Json(error)| error),
        event_id: row.try_get("event_id")?,
        organization_id: row.try_get("organization_id")?,
        outcome: OutcomeKind::from_name(outcome).ok_or_else(|| malformed("outcome"))?,
        recorded_at: row.try_get("recorded_at")?,
        requested_at: row.try_get("requested_at")?,
        schema_version: row.try_get::<_, i16>("schema_version")?.unsigned_abs(),
        seq: row.try_get::<_, i64>("seq")?.unsigned_abs(),
        subject_id: row.try_get("subject_id")?,
        subject_type: row.try_get::<_, Option<&str>>("subject_type")?.and_then(SubjectType::from_name),
        event_type: EventType::from_name(event_type).ok_or_else(|| malformed("type"))?,
    };
    let payload = row.try_get::<_, Option<String>>("payload")?.map(RawValue::from_string).transpose();
    Ok(Entry {
        header,
        leaf: Hash::from_bytes(row.try_get("leaf")?).ok_or_else(|| malformed("leaf"))?,
        payload: payload.map_err(|_| malformed("payload"))?,
        salt: row
            .try_get::<_, Option<&[u8]>>("salt")?
            .map(|salt| Salt::from_bytes(salt).ok_or_else(|| malformed("salt")))
            .transpose()?,
    })
}
