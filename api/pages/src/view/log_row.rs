//! A row of the log's table.

use rollcall_api_core::read::subject_name;
use rollcall_service::entries::{StoredEntry, StoredRow, error};
use serde_json::Value;

use super::format::second;
use super::names::event_name;
use crate::text::Language;

/// A row of the log's table.
pub(crate) struct LogRow {
    pub(crate) seq: u64,
    pub(crate) time: String,
    pub(crate) event: String,
    pub(crate) is_refused: bool,
    pub(crate) detail: Option<String>,
    /// The name of the entry's subject, or else its id.
    pub(crate) subject: String,
    pub(crate) by: String,
    pub(crate) from: String,
}

impl LogRow {
    /// The row of a stored row. One that is no entry is shown with the reason.
    pub(crate) fn of(row: &StoredRow, t: Language) -> Self {
        match row {
            StoredRow::Entry(entry) => Self::new(entry, t),
            StoredRow::Malformed(row) => Self {
                seq: row.seq,
                time: String::new(),
                event: t.get("unreadable-entry"),
                is_refused: false,
                detail: Some(row.reason.clone()),
                subject: String::new(),
                by: String::new(),
                from: String::new(),
            },
        }
    }

    /// The row of an entry.
    pub(crate) fn new(entry: &StoredEntry, t: Language) -> Self {
        let (header, actor) = (&entry.header, entry.actor.as_ref());
        let payload: Value =
            entry.payload.as_ref().and_then(|payload| serde_json::from_str(payload.get()).ok()).unwrap_or_default();
        Self {
            seq: header.seq,
            time: second(header.recorded_at),
            event: event_name(header.event_type, t),
            is_refused: header.error.is_some(),
            detail: error(entry).map(|error| error.detail),
            subject: subject_name(&payload).or_else(|| header.subject_id.map(|id| id.to_string())).unwrap_or_default(),
            by: match actor {
                Some(actor) => actor.label.clone().unwrap_or_default(),
                None => t.get("actor-erased"),
            },
            from: actor.and_then(|actor| actor.address).map(|address| address.to_string()).unwrap_or_default(),
        }
    }
}
