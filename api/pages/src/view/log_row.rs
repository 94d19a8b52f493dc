//! A row of the log's table.

use rollcall_service::entries::{StoredEntry, error};
use serde_json::Value;

use super::format::second;
use super::names::event_name;
use crate::text::Language;

/// The paths in a payload at which the name of an entry's subject may be.
const NAME_PATHS: [&str; 10] = [
    "/resource/userName",
    "/resource/displayName",
    "/userName",
    "/token/settings/label",
    "/settings/label",
    "/stream/settings/label",
    "/workspace/name",
    "/link/name",
    "/label",
    "/name",
];

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
            subject: name(&payload).or_else(|| header.subject_id.map(|id| id.to_string())).unwrap_or_default(),
            by: actor.and_then(|actor| actor.label.clone()).unwrap_or_default(),
            from: actor.and_then(|actor| actor.address).map(|address| address.to_string()).unwrap_or_default(),
        }
    }
}

/// The name of an entry's subject, if the payload has one.
fn name(payload: &Value) -> Option<String> {
    NAME_PATHS.iter().find_map(|path| payload.pointer(path)?.as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_name_of_a_subject_is_found_in_the_payload() {
        assert_eq!(name(&json!({"resource": {"userName": "ada"}})).as_deref(), Some("ada"));
        assert_eq!(name(&json!({"token": {"settings": {"label": "HR"}}})).as_deref(), Some("HR"));
        assert_eq!(name(&json!({"at": "now"})), None);
    }
}
