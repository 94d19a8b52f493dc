//! What was observed of calls.

use askama::Template;
use uuid::Uuid;

use super::Frame;
use crate::pages::text::Language;

/// A call that was observed.
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

/// Calls.
#[derive(Template)]
#[template(path = "requests.html")]
pub(in crate::pages) struct Calls {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) rows: Vec<CallRow>,
    /// Every meaning, with its name for people.
    pub(in crate::pages) meanings: Vec<(&'static str, String)>,
    pub(in crate::pages) q: String,
    pub(in crate::pages) meaning: String,
    pub(in crate::pages) outcome: String,
    pub(in crate::pages) problem: Option<String>,
    pub(in crate::pages) older: Option<String>,
    /// Where newer ones are asked for.
    pub(in crate::pages) next: Option<String>,
    /// Until when bodies are recorded, where they are.
    pub(in crate::pages) recording: Option<String>,
    /// For how long they can be.
    pub(in crate::pages) hours: [u32; 4],
}

/// One call.
#[derive(Template)]
#[template(path = "call.html")]
pub(in crate::pages) struct CallPage {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) call: CallRow,
    /// What it and its answer held, each with the name of its text.
    pub(in crate::pages) bodies: Vec<(&'static str, String)>,
}

/// Newer calls alone, for a table that is there.
#[derive(Template)]
#[template(path = "new_calls.html")]
pub(in crate::pages) struct NewCalls {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) rows: Vec<CallRow>,
    pub(in crate::pages) next: Option<String>,
}
