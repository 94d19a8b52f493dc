//! Errors that end the run of a partition.

use rollcall_queue::publish::PublishError;

use crate::db::{Remedy, StoreError};
use crate::wait::TimedOut;

/// The reason why a partition's run ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("rabbitmq: {0}")]
    Broker(#[from] lapin::Error),
    /// A server hangs.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    #[error("rabbitmq closed the queue's consumer")]
    ConsumerClosed,
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No request of the partition can be applied until an operator fixes the database or the program.
    #[error("the partition has stopped: {0}")]
    Stopped(StoreError),
    /// A request took too long. It is retried once.
    #[error(transparent)]
    Slow(StoreError),
    #[error("outcomes can no longer be sent")]
    RepliesEnded,
    #[error("a dead letter is not confirmed: {0}")]
    NotConfirmed(#[from] PublishError),
    #[error("a reply cannot be serialized: {0}")]
    Unwritable(#[from] serde_json::Error),
}

impl RunError {
    /// Converts an error of Postgres.
    pub(crate) fn of(error: StoreError) -> Self {
        if error.remedy() == Remedy::Stop { Self::Stopped(error) } else { error.into() }
    }
}
