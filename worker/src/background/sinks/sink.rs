//! A sink, as the settings describe it. Parsing has checked everything, so nothing here can be wrong.

use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::background::delivery::Scope;

/// A receiver of the log, which the operator has configured.
#[derive(Clone)]
pub(crate) struct Sink {
    /// The name: 1 to 40 lower-case letters, digits, `-` and `_`. The position is stored under it.
    pub(super) name: String,
    /// The logs that it gets.
    pub(super) scope: Scope,
    /// Where a log begins that the sink has no position in.
    pub(super) from: Start,
    /// The form of an entry.
    pub(super) format: Format,
    /// The bounds of a batch.
    pub(super) batch: BatchLimits,
    /// Where the entries go.
    pub(super) receiver: Receiver,
}

/// Where a sink begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// With the first entry of the log.
    First,
    /// With the first entry after the sink was configured.
    Now,
}

/// The form of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The entry as the export has it.
    Entry,
    /// An event of the Open Cybersecurity Schema Framework.
    Ocsf(Version),
}

/// A version of OCSF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// 1.8.0. Changes of users are of the class Account Change.
    V1_8,
    /// 1.9.0, which replaced Account Change by User Management.
    V1_9,
}

/// The bounds of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchLimits {
    /// Maximum number of entries.
    pub(super) entries: u16,
    /// A batch of this number of bytes gets no further entry.
    pub(super) bytes: u32,
    /// How long entries are gathered after a log has grown.
    pub(super) linger: Duration,
}

/// Where the entries go.
#[derive(Clone)]
pub(crate) enum Receiver {
    /// An HTTP server.
    Http(HttpReceiver),
    /// A syslog server.
    Syslog(SyslogReceiver),
    /// A file on this machine.
    File(FileReceiver),
}

/// An HTTP server.
#[derive(Clone)]
pub(crate) struct HttpReceiver {
    pub(super) address: Uri,
    pub(super) envelope: Envelope,
    /// Headers of each request. Their values are secrets.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) tls: Arc<rustls::ClientConfig>,
    /// The limit for one request with its answer.
    pub(super) timeout: Duration,
}

/// How entries are put into a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Envelope {
    /// One JSON text on each line.
    Ndjson,
    /// One JSON array.
    Array,
    /// Events of Splunk's HTTP Event Collector, one on each line.
    Splunk,
    /// Actions of Elasticsearch's `_bulk`.
    Elastic,
}

/// A syslog server.
#[derive(Clone)]
pub(crate) struct SyslogReceiver {
    pub(super) host: String,
    pub(super) port: u16,
    /// `None` for plain TCP.
    pub(super) tls: Option<Tls>,
    /// The limit for one batch.
    pub(super) timeout: Duration,
}

/// TLS to a server.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(super) config: Arc<rustls::ClientConfig>,
    /// The name that the server's certificate must have.
    pub(super) name: rustls::pki_types::ServerName<'static>,
}

/// A file on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileReceiver {
    pub(super) path: PathBuf,
    /// The file is rotated before it exceeds this number of bytes.
    pub(super) rotate_bytes: u64,
    /// How many rotated files are kept.
    pub(super) rotate_count: u16,
}
