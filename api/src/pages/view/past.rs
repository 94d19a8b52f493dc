//! The pages of past states, and the chart of the log.

use askama::Template;
use rollcall_events::UserId;

use super::{Frame, UserAttribute, UserRow};
use crate::pages::text::Language;

/// The users at a time.
#[derive(Template)]
#[template(path = "past.html")]
pub(in crate::pages) struct Past {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    /// The time, as parameters take it.
    pub(in crate::pages) at: String,
    /// The time, as the input field takes it.
    pub(in crate::pages) field: String,
    /// The time, for people.
    pub(in crate::pages) shown: String,
    pub(in crate::pages) users: Vec<UserRow>,
    /// The address of the next page.
    pub(in crate::pages) next: Option<String>,
}

/// A user at a time.
#[derive(Template)]
#[template(path = "past_user.html")]
pub(in crate::pages) struct PastUser {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) id: UserId,
    /// The time, as the input field takes it.
    pub(in crate::pages) field: String,
    /// The time, for people.
    pub(in crate::pages) shown: String,
    /// The user's name; `None` if the user did not exist at that time.
    pub(in crate::pages) name: Option<String>,
    pub(in crate::pages) attributes: Vec<UserAttribute>,
}

/// A segment of a bar, in the units of the picture.
pub(in crate::pages) struct Segment {
    pub(in crate::pages) kind: &'static str,
    pub(in crate::pages) x: usize,
    pub(in crate::pages) y: u64,
    pub(in crate::pages) height: u64,
}

/// A chart of the number of log entries over time, by kind.
#[derive(Template)]
#[template(path = "chart.html")]
pub(in crate::pages) struct Chart {
    pub(in crate::pages) t: Language,
    /// The times of the first and the last entry; `None` if there are no entries.
    pub(in crate::pages) range: Option<(String, String)>,
    /// The kinds: class of the stylesheet, id of the text, number of entries.
    pub(in crate::pages) totals: Vec<(&'static str, &'static str, u64)>,
    pub(in crate::pages) segments: Vec<Segment>,
}
