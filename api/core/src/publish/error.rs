//! The errors of publishing.

use rollcall_queue::publish::PublishError;
use std::sync::Arc;

/// Why it is not certain that `RabbitMQ` has a message.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotConfirmed {
    /// There is no connection.
    #[error("there is no connection to rabbitmq")]
    NotConnected,
    /// The broker blocks publishers, or too many requests are queued in this process.
    #[error("rabbitmq accepts no messages at the moment")]
    Blocked,
    /// The broker did not answer in time.
    #[error("rabbitmq did not confirm in time")]
    TimedOut,
    /// The broker did not confirm the message.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The connection or the channel failed.
    #[error("rabbitmq: {0}")]
    Broker(#[from] lapin::Error),
    /// The message cannot be encoded.
    #[error("the message cannot be encoded: {0}")]
    Unwritable(Arc<serde_json::Error>),
    /// The setting `amqp_url` is malformed.
    #[error("amqp_url is not an AMQP address: {0}")]
    Address(String),
    /// The task that publishes the message ended without a result.
    #[error("the publishing task ended unexpectedly")]
    TaskEnded,
}

impl From<serde_json::Error> for NotConfirmed {
    fn from(error: serde_json::Error) -> Self {
        Self::Unwritable(Arc::new(error))
    }
}
