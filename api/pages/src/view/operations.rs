//! The operations page.

use askama::Template;
use rollcall_events::DeadLetterId;

use super::Frame;
use crate::text::Language;

/// A dead letter.
pub(crate) struct DeadLetterRow {
    pub(crate) id: DeadLetterId,
    /// The time at which the request became a dead letter.
    pub(crate) stored: String,
    /// The type of the request, or else its message id, if they are known.
    pub(crate) what: String,
    pub(crate) reason: String,
    pub(crate) body: String,
}

/// The operations page.
#[derive(Template)]
#[template(path = "operations.html")]
pub(crate) struct Operations {
    pub(crate) t: Language,
    pub(crate) frame: Frame,
    pub(crate) status: ServiceStatus,
    /// The time at which the chart begins.
    pub(crate) since: String,
    pub(crate) letters: Vec<DeadLetterRow>,
}

/// The state of the organization's partition.
pub(crate) struct QueueView {
    /// The number of messages. A message carries one request or several.
    pub(crate) messages: u32,
    /// Whether a worker serves the partition.
    pub(crate) is_served: bool,
    /// The age of the oldest request, if there is one.
    pub(crate) oldest: Option<String>,
}

/// A bar of a chart, in the units of the picture.
pub(crate) struct Bar {
    pub(crate) kind: &'static str,
    pub(crate) x: usize,
    pub(crate) y: f64,
    pub(crate) width: usize,
    pub(crate) height: f64,
}

/// The last replay of the organization's log.
pub(crate) struct Replay {
    /// The number of replayed entries.
    pub(crate) entries: u64,
    /// The number of entries to replay.
    pub(crate) size: u64,
    pub(crate) is_running: bool,
    /// The time of the last report, or of the end.
    pub(crate) at: String,
    /// The state, or the result.
    pub(crate) summary: String,
}

/// How far the service log is witnessed.
pub(crate) struct Witnessing {
    pub(crate) summary: String,
    pub(crate) is_witnessed: bool,
    /// Why the signer refuses the service log, if it does.
    pub(crate) refused: Option<String>,
    /// The witnesses that fail: since when, and why.
    pub(crate) failing: Vec<(String, String)>,
}

/// The state of the service for the organization.
#[derive(Template)]
#[template(path = "service_status.html")]
pub(crate) struct ServiceStatus {
    pub(crate) t: Language,
    /// The state of the queue; `None` if the broker does not answer.
    pub(crate) waiting: Option<QueueView>,
    /// The number of entries in the log.
    pub(crate) size: u64,
    /// The size that the last checkpoint signs, and when it was signed.
    pub(crate) signed: Option<(u64, String)>,
    /// Why the signer refuses the log, if it does.
    pub(crate) refused: Option<String>,
    /// The number of entries in the last hour.
    pub(crate) recent: u64,
    /// The median and the 99th percentile of their times from request to record.
    pub(crate) took: Option<(String, String)>,
    /// When the last of them was recorded.
    pub(crate) last: Option<String>,
    /// The chart of the times in the last hour.
    pub(crate) bars: Vec<Bar>,
    /// The time that the highest bar stands for.
    pub(crate) slowest: String,
    pub(crate) replay: Option<Replay>,
    /// How far the service log is witnessed; `None` if it has no checkpoint.
    pub(crate) witnessing: Option<Witnessing>,
}
