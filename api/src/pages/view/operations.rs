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

/// The page of operations.
#[derive(Template)]
#[template(path = "operations.html")]
pub(in crate::pages) struct Operations {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) standing: ServiceStatus,
    /// From when on a chart tells what happened.
    pub(in crate::pages) since: String,
    pub(in crate::pages) letters: Vec<LetterRow>,
}

/// What waits in the organization's partition.
pub(in crate::pages) struct Waiting {
    /// How many messages, each with one request or with several.
    pub(in crate::pages) messages: u32,
    /// Whether a worker serves it.
    pub(in crate::pages) is_served: bool,
    /// How long the oldest request waits, where there is one.
    pub(in crate::pages) oldest: Option<String>,
}

/// A bar of a chart.
pub(in crate::pages) struct Bar {
    pub(in crate::pages) kind: &'static str,
    pub(in crate::pages) x: usize,
    pub(in crate::pages) y: f64,
    pub(in crate::pages) width: usize,
    pub(in crate::pages) height: f64,
}

/// The last replay of the organization's log.
pub(in crate::pages) struct Replay {
    pub(in crate::pages) entries: u64,
    pub(in crate::pages) size: u64,
    pub(in crate::pages) is_running: bool,
    /// When it was heard of last.
    pub(in crate::pages) at: String,
    /// What became of it, or since when it runs.
    pub(in crate::pages) said: String,
}

/// How the service does for the organization.
#[derive(Template)]
#[template(path = "standing.html")]
pub(in crate::pages) struct ServiceStatus {
    pub(in crate::pages) t: Language,
    /// `None` where the broker does not tell.
    pub(in crate::pages) waiting: Option<Waiting>,
    pub(in crate::pages) size: u64,
    pub(in crate::pages) signed: Option<(u64, String)>,
    pub(in crate::pages) recent: u64,
    /// How long half of the recent requests took at the most, and ninety-nine of a hundred.
    pub(in crate::pages) took: Option<(String, String)>,
    pub(in crate::pages) last: Option<String>,
    /// How long requests took over the last hour, and the longest that a bar stands for.
    pub(in crate::pages) bars: Vec<Bar>,
    pub(in crate::pages) slowest: String,
    pub(in crate::pages) replay: Option<Replay>,
}
