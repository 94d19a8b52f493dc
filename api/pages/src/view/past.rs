//! The pages of past states, and the chart of the log.

use askama::Template;
use rollcall_events::UserId;

use super::{Frame, UserAttribute, UserRow};
use crate::text::Language;

/// The users at a time.
#[derive(Template)]
#[template(path = "past.html")]
pub(crate) struct Past {
    pub(crate) t: Language,
    pub(crate) frame: Frame,
    /// The time, as parameters take it.
    pub(crate) at: String,
    /// The time, as the input field takes it.
    pub(crate) field: String,
    /// The time, for people.
    pub(crate) shown: String,
    pub(crate) users: Vec<UserRow>,
    /// The address of the next page.
    pub(crate) next: Option<String>,
}

/// A user at a time.
#[derive(Template)]
#[template(path = "past_user.html")]
pub(crate) struct PastUser {
    pub(crate) t: Language,
    pub(crate) frame: Frame,
    pub(crate) id: UserId,
    /// The time, as the input field takes it.
    pub(crate) field: String,
    /// The time, for people.
    pub(crate) shown: String,
    /// The user's name; `None` if the user did not exist at that time.
    pub(crate) name: Option<String>,
    pub(crate) attributes: Vec<UserAttribute>,
}

/// A segment of a bar, in the units of the picture.
pub(crate) struct Segment {
    pub(crate) kind: &'static str,
    pub(crate) x: usize,
    pub(crate) y: u64,
    pub(crate) height: u64,
}

/// A chart of the number of log entries over time, by kind.
#[derive(Template)]
#[template(path = "chart.html")]
pub(crate) struct Chart {
    pub(crate) t: Language,
    /// The times of the first and the last entry; `None` if there are no entries.
    pub(crate) range: Option<(String, String)>,
    /// The kinds: class of the stylesheet, id of the text, number of entries.
    pub(crate) totals: Vec<(&'static str, &'static str, u64)>,
    pub(crate) segments: Vec<Segment>,
}
