//! The pages of the call log.

use askama::Template;
use rollcall_api_core::read::FoundCall;
use rollcall_events::request::MAX_RECORDING_SECONDS;
use uuid::Uuid;

use super::Frame;
use super::format::{second, took};
use super::names::meaning_name;
use crate::text::Language;

/// The durations, in hours, for which bodies can be recorded.
pub(crate) const RECORDING_HOURS: [u32; 4] = [1, 8, 24, MAX_RECORDING_SECONDS / 3600];

/// A call in the table.
pub(crate) struct CallRow {
    pub(crate) id: Uuid,
    pub(crate) time: String,
    pub(crate) meaning: String,
    /// Method and path.
    pub(crate) asked: String,
    pub(crate) query: Option<String>,
    pub(crate) subject: String,
    pub(crate) is_failed: bool,
    pub(crate) status: u16,
    pub(crate) error: String,
    pub(crate) took: String,
    pub(crate) txn: Option<String>,
    pub(crate) by: String,
    pub(crate) from: String,
    pub(crate) user_agent: String,
}

/// The call log.
#[derive(Template)]
#[template(path = "call_log.html")]
pub(crate) struct Calls {
    pub(crate) t: Language,
    pub(crate) frame: Frame,
    pub(crate) rows: Vec<CallRow>,
    /// Every meaning, with its name.
    pub(crate) meanings: Vec<(&'static str, String)>,
    /// The search text.
    pub(crate) q: String,
    pub(crate) meaning: String,
    pub(crate) outcome: String,
    /// Why the conditions are wrong, if they are.
    pub(crate) problem: Option<String>,
    /// The address of the page with older calls.
    pub(crate) older: Option<String>,
    /// The address that the page polls for newer calls.
    pub(crate) next: Option<String>,
    /// The time until which bodies are recorded, if they are.
    pub(crate) recording: Option<String>,
    /// The durations, in hours, for which bodies can be recorded.
    pub(crate) hours: [u32; 4],
}

/// One call.
#[derive(Template)]
#[template(path = "call.html")]
pub(crate) struct CallPage {
    pub(crate) t: Language,
    pub(crate) frame: Frame,
    pub(crate) call: CallRow,
    /// The recorded bodies, each with the id of its title.
    pub(crate) bodies: Vec<(&'static str, String)>,
}

/// Newer calls alone, for a table that is already on the page.
#[derive(Template)]
#[template(path = "new_calls.html")]
pub(crate) struct NewCalls {
    pub(crate) t: Language,
    pub(crate) rows: Vec<CallRow>,
    /// The address that the page polls next.
    pub(crate) next: Option<String>,
}

impl CallRow {
    /// The row of a call.
    pub(crate) fn new(call: FoundCall, t: Language) -> Self {
        let path = if call.path.is_empty() { "/".to_owned() } else { call.path };
        Self {
            id: call.id,
            time: second(call.at),
            meaning: meaning_name(call.meaning, t),
            asked: format!("{} {path}", call.method),
            query: call.query,
            subject: call.subject.or_else(|| call.subject_id.map(|id| id.to_string())).unwrap_or_default(),
            is_failed: call.status >= 400,
            status: call.status,
            error: call.scim_type.into_iter().chain(call.detail).collect::<Vec<_>>().join(": "),
            took: took(call.micros),
            txn: call.txn.map(|txn| txn.to_string()),
            by: call.label,
            from: call.address.unwrap_or_default(),
            user_agent: call.user_agent.unwrap_or_default(),
        }
    }
}
