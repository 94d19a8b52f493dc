//! How the service does.

use askama::Template;
use rollcall_events::DeadLetterId;

use super::Frame;
use crate::pages::text::Language;

/// A dead letter.
pub(in crate::pages) struct LetterRow {
    pub(in crate::pages) id: DeadLetterId,
    pub(in crate::pages) kept: String,
    /// What kind of request it is, as far as that is known.
    pub(in crate::pages) what: String,
    pub(in crate::pages) reason: String,
    pub(in crate::pages) body: String,
}

/// How the service does for the organisation.
#[derive(Template)]
#[template(path = "operations.html")]
pub(in crate::pages) struct Operations {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    /// How many requests wait in the organisation's partition, and how many workers serve it; `None` where the broker does not tell.
    pub(in crate::pages) queue: Option<(u32, u32)>,
    pub(in crate::pages) size: u64,
    pub(in crate::pages) signed: Option<(u64, String)>,
    pub(in crate::pages) recent: u64,
    /// How long half of the recent requests took at the most, and ninety-nine of a hundred.
    pub(in crate::pages) took: Option<(String, String)>,
    pub(in crate::pages) last: Option<String>,
    /// From when on a chart tells what happened.
    pub(in crate::pages) since: String,
    pub(in crate::pages) letters: Vec<LetterRow>,
}
