//! Entries that are delivered together.

use rollcall_events::log::{EventType, OutcomeKind};
use rollcall_events::{OrganizationId, Timestamp};
use rollcall_service::entries::StoredEntry;

use super::id::entry_id;
use super::ocsf;
use super::sink::Format;

/// An entry in the form in which it is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(super) organization: OrganizationId,
    pub(super) seq: u64,
    /// Identifies the entry among those of all logs. A repeated delivery has the same id, and an entry that has the
    /// seq of one that a restore has lost has another id.
    pub(super) id: String,
    pub(super) recorded_at: Timestamp,
    pub(super) event_type: EventType,
    pub(super) outcome: OutcomeKind,
    /// The entry as a JSON object, without line breaks.
    pub(super) json: String,
}

/// Why a batch was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The receiver refuses this batch. It may accept that of another organization.
    Refused(String),
    /// The receiver accepts nothing at the moment.
    Unavailable(String),
}

impl Message {
    /// Formats an entry.
    ///
    /// # Errors
    /// If the payload is not JSON.
    pub(super) fn new(entry: &StoredEntry, format: Format) -> Result<Self, serde_json::Error> {
        let json = match format {
            Format::Entry => serde_json::to_string(entry)?,
            Format::Ocsf(version) => serde_json::to_string(&ocsf::event(entry, version)?)?,
        };
        let header = &entry.header;
        Ok(Self {
            organization: header.organization_id,
            seq: header.seq,
            id: entry_id(entry),
            recorded_at: header.recorded_at,
            event_type: header.event_type,
            outcome: header.outcome,
            json,
        })
    }
}

impl Failure {
    /// A receiver that accepts nothing, with the reason.
    pub(super) fn unavailable(reason: impl std::fmt::Display) -> Self {
        Self::Unavailable(reason.to_string())
    }
}
