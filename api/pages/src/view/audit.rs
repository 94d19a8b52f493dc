//! The pages of the log.

use askama::Template;
use rollcall_api_core::audit::Change;
use rollcall_events::UserId;
use rollcall_events::actor::ActorDetails;
use rollcall_events::log::Header;

use super::{Frame, LogRow, Witnessing};
use crate::text::Language;

/// The log.
#[derive(Template)]
#[template(path = "audit.html")]
pub(crate) struct Audit {
    pub(crate) t: Language,
    pub(crate) frame: Frame,
    pub(crate) rows: Vec<LogRow>,
    /// Every event type, with its name.
    pub(crate) types: Vec<(&'static str, String)>,
    /// The conditions, by the names of their parameters.
    pub(crate) asked: Vec<(&'static str, String)>,
    /// Why the conditions are wrong, if they are.
    pub(crate) problem: Option<String>,
    /// The address of the page with older entries.
    pub(crate) older: Option<String>,
    /// The address of the event stream with new entries.
    pub(crate) live: Option<String>,
    /// The address of the chart for these conditions.
    pub(crate) chart: String,
    /// How far the service log is witnessed; `None` if it has no checkpoint.
    pub(crate) witnessing: Option<Witnessing>,
    /// The conditions, as they are appended to an address with other parameters. Empty without conditions.
    pub(crate) query: String,
}

/// Rows alone, for a table that is already on the page.
#[derive(Template)]
#[template(path = "rows.html")]
pub(crate) struct Rows {
    pub(crate) t: Language,
    pub(crate) rows: Vec<LogRow>,
}

/// An entry of the log.
#[derive(Template)]
#[template(path = "entry.html")]
pub(crate) struct Entry {
    pub(crate) t: Language,
    pub(crate) frame: Frame,
    pub(crate) row: LogRow,
    pub(crate) recorded: String,
    pub(crate) header: Header,
    /// The details of the actor; `None` if they were erased.
    pub(crate) actor: Option<ActorDetails>,
    pub(crate) leaf: String,
    pub(crate) changes: Vec<Change>,
    /// The payload as indented JSON; `None` if it was erased.
    pub(crate) payload: Option<String>,
    /// Whether the subject is a user.
    pub(crate) is_user: bool,
    /// Whether the subject is a deleted user whose data the viewer may erase.
    pub(crate) is_erasable: bool,
}

/// The confirmation page of an erasure.
#[derive(Template)]
#[template(path = "erase.html")]
pub(crate) struct Erase {
    pub(crate) t: Language,
    pub(crate) frame: Frame,
    pub(crate) id: UserId,
}
