//! The operations page.

use askama::Template;
use rollcall_events::DeadLetterId;

use super::Frame;
use crate::pages::text::Language;

/// A dead letter.
pub(in crate::pages) struct DeadLetterRow {
    pub(in crate::pages) id: DeadLetterId,
    /// The time at which the request became a dead letter.
    pub(in crate::pages) stored: String,
    /// The type of the request, or else its message id, if they are known.
    pub(in crate::pages) what: String,
    pub(in crate::pages) reason: String,
    pub(in crate::pages) body: String,
}

/// The operations page.
#[derive(Template)]
#[template(path = "operations.html")]
pub(in crate::pages) struct Operations {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) status: ServiceStatus,
    /// The time at which the chart begins.
    pub(in crate::pages) since: String,
    pub(in crate::pages) letters: Vec<DeadLetterRow>,
}

/// The state of the organization's partition.
pub(in crate::pages) struct Waiting {
    /// The number of messages. A message carries one request or several.
    pub(in crate::pages) messages: u32,
    /// Whether a worker serves the partition.
    pub(in crate::pages) is_served: bool,
    /// The age of the oldest request, if there is one.
    pub(in crate::pages) oldest: Option<String>,
}

/// A bar of a chart, in the units of the picture.
pub(in crate::pages) struct Bar {
    pub(in crate::pages) kind: &'static str,
    pub(in crate::pages) x: usize,
    pub(in crate::pages) y: f64,
    pub(in crate::pages) width: usize,
    pub(in crate::pages) height: f64,
}

/// The last replay of the organization's log.
pub(in crate::pages) struct Replay {
    /// The number of replayed entries.
    pub(in crate::pages) entries: u64,
    /// The number of entries to replay.
    pub(in crate::pages) size: u64,
    pub(in crate::pages) is_running: bool,
    /// The time of the last report, or of the end.
    pub(in crate::pages) at: String,
    /// The state, or the result.
    pub(in crate::pages) summary: String,
}

/// The state of the service for the organization.
#[derive(Template)]
#[template(path = "service_status.html")]
pub(in crate::pages) struct ServiceStatus {
    pub(in crate::pages) t: Language,
    /// The state of the queue; `None` if the broker does not answer.
    pub(in crate::pages) waiting: Option<Waiting>,
    /// The number of entries in the log.
    pub(in crate::pages) size: u64,
    /// The size that the last checkpoint signs, and when it was signed.
    pub(in crate::pages) signed: Option<(u64, String)>,
    /// The number of entries in the last hour.
    pub(in crate::pages) recent: u64,
    /// The median and the 99th percentile of their times from request to record.
    pub(in crate::pages) took: Option<(String, String)>,
    /// When the last of them was recorded.
    pub(in crate::pages) last: Option<String>,
    /// The chart of the times in the last hour.
    pub(in crate::pages) bars: Vec<Bar>,
    /// The time that the highest bar stands for.
    pub(in crate::pages) slowest: String,
    pub(in crate::pages) replay: Option<Replay>,
}
