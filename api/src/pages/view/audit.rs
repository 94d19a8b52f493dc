//! The pages of the log.

use askama::Template;
use rollcall_events::UserId;
use rollcall_events::log::Header;

use super::{Frame, LogRow};
use crate::audit::Change;
use crate::pages::text::Language;

/// The log.
#[derive(Template)]
#[template(path = "audit.html")]
pub(in crate::pages) struct Audit {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) rows: Vec<LogRow>,
    /// Every event type, with its name.
    pub(in crate::pages) types: Vec<(&'static str, String)>,
    /// The conditions, by the names of their parameters.
    pub(in crate::pages) asked: Vec<(&'static str, String)>,
    /// Why the conditions are wrong, if they are.
    pub(in crate::pages) problem: Option<String>,
    /// The address of the page with older entries.
    pub(in crate::pages) older: Option<String>,
    /// The address of the event stream with new entries.
    pub(in crate::pages) live: Option<String>,
    /// The address of the chart for these conditions.
    pub(in crate::pages) chart: String,
}

/// Rows alone, for a table that is already on the page.
#[derive(Template)]
#[template(path = "rows.html")]
pub(in crate::pages) struct Rows {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) rows: Vec<LogRow>,
}

/// An entry of the log.
#[derive(Template)]
#[template(path = "entry.html")]
pub(in crate::pages) struct Entry {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) row: LogRow,
    pub(in crate::pages) recorded: String,
    pub(in crate::pages) header: Header,
    pub(in crate::pages) leaf: String,
    pub(in crate::pages) changes: Vec<Change>,
    /// The payload as indented JSON; `None` if it was erased.
    pub(in crate::pages) payload: Option<String>,
    /// Whether the subject is a user.
    pub(in crate::pages) is_user: bool,
    /// Whether the subject is a deleted user whose data the viewer may erase.
    pub(in crate::pages) is_erasable: bool,
}

/// The confirmation page of an erasure.
#[derive(Template)]
#[template(path = "erase.html")]
pub(in crate::pages) struct Erase {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) id: UserId,
}
