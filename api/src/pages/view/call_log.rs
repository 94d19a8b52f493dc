//! The pages of the call log.

use askama::Template;
use rollcall_events::request::MAX_RECORDING_SECONDS;
use uuid::Uuid;

use super::Frame;
use super::format::{second, took};
use super::names::meaning_name;
use crate::pages::text::Language;
use crate::read::FoundCall;

/// The durations, in hours, for which bodies can be recorded.
pub(in crate::pages) const RECORDING_HOURS: [u32; 4] = [1, 8, 24, MAX_RECORDING_SECONDS / 3600];

/// A call in the table.
pub(in crate::pages) struct CallRow {
    pub(in crate::pages) id: Uuid,
    pub(in crate::pages) time: String,
    pub(in crate::pages) meaning: String,
    /// Method and path.
    pub(in crate::pages) asked: String,
    pub(in crate::pages) query: Option<String>,
    pub(in crate::pages) subject: String,
    pub(in crate::pages) is_failed: bool,
    pub(in crate::pages) status: u16,
    pub(in crate::pages) error: String,
    pub(in crate::pages) took: String,
    pub(in crate::pages) txn: Option<String>,
    pub(in crate::pages) by: String,
    pub(in crate::pages) from: String,
    pub(in crate::pages) user_agent: String,
}

/// The call log.
#[derive(Template)]
#[template(path = "call_log.html")]
pub(in crate::pages) struct Calls {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) rows: Vec<CallRow>,
    /// Every meaning, with its name.
    pub(in crate::pages) meanings: Vec<(&'static str, String)>,
    /// The search text.
    pub(in crate::pages) q: String,
    pub(in crate::pages) meaning: String,
    pub(in crate::pages) outcome: String,
    /// Why the conditions are wrong, if they are.
    pub(in crate::pages) problem: Option<String>,
    /// The address of the page with older calls.
    pub(in crate::pages) older: Option<String>,
    /// The address that the page polls for newer calls.
    pub(in crate::pages) next: Option<String>,
    /// The time until which bodies are recorded, if they are.
    pub(in crate::pages) recording: Option<String>,
    /// The durations, in hours, for which bodies can be recorded.
    pub(in crate::pages) hours: [u32; 4],
}

/// One call.
#[derive(Template)]
#[template(path = "call.html")]
pub(in crate::pages) struct CallPage {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) call: CallRow,
    /// The recorded bodies, each with the id of its title.
    pub(in crate::pages) bodies: Vec<(&'static str, String)>,
}

/// Newer calls alone, for a table that is already on the page.
#[derive(Template)]
#[template(path = "new_calls.html")]
pub(in crate::pages) struct NewCalls {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) rows: Vec<CallRow>,
    /// The address that the page polls next.
    pub(in crate::pages) next: Option<String>,
}

impl CallRow {
    /// The row of a call.
    pub(in crate::pages) fn new(call: FoundCall, t: Language) -> Self {
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
