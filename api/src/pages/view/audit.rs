//! The log, and what it says of the past.

use askama::Template;
use rollcall_events::UserId;
use rollcall_events::log::{EventType, Header};

use super::{Fact, Frame, UserRow};
use crate::audit::Change;
use crate::pages::past::Part;
use crate::pages::text::Language;

/// A row of the log's table.
pub(in crate::pages) struct Row {
    pub(in crate::pages) seq: u64,
    pub(in crate::pages) time: String,
    pub(in crate::pages) event: String,
    pub(in crate::pages) is_refused: bool,
    pub(in crate::pages) detail: Option<String>,
    /// What the thing is called that it is about.
    pub(in crate::pages) subject: String,
    pub(in crate::pages) by: String,
    pub(in crate::pages) from: String,
}

/// The log.
#[derive(Template)]
#[template(path = "audit.html")]
pub(in crate::pages) struct Audit {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) rows: Vec<Row>,
    /// Every type, with its name for people.
    pub(in crate::pages) types: Vec<(&'static str, String)>,
    /// What was asked for, by the names of the parameters.
    pub(in crate::pages) asked: Vec<(&'static str, String)>,
    pub(in crate::pages) problem: Option<String>,
    /// Where older entries are.
    pub(in crate::pages) older: Option<String>,
    /// Where newer ones come from as they are logged.
    pub(in crate::pages) live: Option<String>,
    /// Where the chart of what was asked for is.
    pub(in crate::pages) chart: String,
}

/// Rows alone, for a table that is there.
#[derive(Template)]
#[template(path = "rows.html")]
pub(in crate::pages) struct Rows {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) rows: Vec<Row>,
}

/// Users as they were.
#[derive(Template)]
#[template(path = "past.html")]
pub(in crate::pages) struct Past {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    /// When: for addresses, for the field, for people.
    pub(in crate::pages) at: String,
    pub(in crate::pages) field: String,
    pub(in crate::pages) shown: String,
    pub(in crate::pages) users: Vec<UserRow>,
    pub(in crate::pages) next: Option<String>,
}

/// A user as it was.
#[derive(Template)]
#[template(path = "past_user.html")]
pub(in crate::pages) struct PastUser {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) id: UserId,
    pub(in crate::pages) field: String,
    pub(in crate::pages) shown: String,
    /// `None` where there was none.
    pub(in crate::pages) name: Option<String>,
    pub(in crate::pages) facts: Vec<Fact>,
}

/// How much of what happened when.
#[derive(Template)]
#[template(path = "chart.html")]
pub(in crate::pages) struct Chart {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) range: Option<(String, String)>,
    /// The kinds, each as a class and as a text, with how many entries there are.
    pub(in crate::pages) totals: Vec<(&'static str, &'static str, u64)>,
    pub(in crate::pages) parts: Vec<Part>,
}

/// The name of a kind of entries, as a text of the pages.
pub(in crate::pages) fn kind_text(kind: &str) -> &'static str {
    match kind {
        "users" => "kind-users",
        "groups" => "kind-groups",
        "settings" => "kind-settings",
        _ => "kind-refused",
    }
}

/// An entry of the log.
#[derive(Template)]
#[template(path = "entry.html")]
pub(in crate::pages) struct Entry {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) row: Row,
    pub(in crate::pages) recorded: String,
    pub(in crate::pages) header: Header,
    pub(in crate::pages) leaf: String,
    pub(in crate::pages) changes: Vec<Change>,
    /// The facts, written to be read; `None` where they were erased.
    pub(in crate::pages) payload: Option<String>,
    /// Whether it is about a user.
    pub(in crate::pages) is_user: bool,
    /// Whether it is about a deleted user whom whoever looks may erase.
    pub(in crate::pages) is_erasable: bool,
}

/// A question before a deleted user is erased.
#[derive(Template)]
#[template(path = "erase.html")]
pub(in crate::pages) struct Erase {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) id: UserId,
}

/// What happened, for people.
pub(in crate::pages) fn event_text(event_type: EventType, t: Language) -> String {
    t.get(&format!("event-{event_type}"))
}
