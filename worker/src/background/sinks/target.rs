//! The receiver of a sink.

use super::batch::{Failure, Message};
use super::file::FileTarget;
use super::http::HttpTarget;
use super::sink::{Receiver, Sink};
use super::syslog::SyslogTarget;

/// The receiver of a sink.
pub(super) enum Target {
    Http(Box<HttpTarget>),
    Syslog(SyslogTarget),
    File(FileTarget),
}

impl Target {
    /// The receiver of a sink. `host` names this service.
    pub(super) fn new(sink: &Sink, host: &str) -> Self {
        match sink.receiver.clone() {
            Receiver::Http(receiver) => Self::Http(Box::new(HttpTarget::new(receiver, sink.format, host))),
            Receiver::Syslog(receiver) => Self::Syslog(SyslogTarget::new(receiver, host)),
            Receiver::File(receiver) => Self::File(FileTarget::new(receiver)),
        }
    }

    /// Delivers a batch. Returns when the receiver has it.
    pub(super) async fn deliver(&mut self, messages: &[Message]) -> Result<(), Failure> {
        match self {
            Self::Http(target) => target.deliver(messages).await,
            Self::Syslog(target) => target.deliver(messages).await,
            Self::File(target) => target.deliver(messages).await,
        }
    }
}
