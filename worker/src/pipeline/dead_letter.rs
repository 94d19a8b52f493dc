//! Publishes dead letters with their reason. A background task stores them.

use lapin::types::AMQPValue;
use lapin::{BasicProperties, Connection};
use rollcall_queue::publish::{ConfirmingChannel, PublishError};
use rollcall_queue::topology::{DEAD, REASON_HEADER};

use crate::wait::ANSWER;

/// Publishes dead letters on its own channel.
pub(crate) struct DeadLetters {
    publisher: ConfirmingChannel,
}

impl DeadLetters {
    /// Opens the channel.
    ///
    /// # Errors
    /// If the broker refuses or does not answer.
    pub(crate) async fn open(connection: &Connection) -> Result<Self, PublishError> {
        Ok(Self { publisher: ConfirmingChannel::open(connection.create_channel().await?, ANSWER).await? })
    }

    /// Publishes a message as a dead letter with the reason. Returns once the broker has confirmed it.
    ///
    /// # Errors
    /// If the broker did not confirm it.
    pub(crate) async fn publish(
        &self,
        properties: &BasicProperties,
        data: &[u8],
        reason: &str,
    ) -> Result<(), PublishError> {
        let message_id = properties.message_id().as_ref().map_or("none", |id| id.as_str());
        tracing::error!(message_id, reason, "a request can never be applied; it becomes a dead letter in {DEAD}");
        let mut headers = properties.headers().clone().unwrap_or_default();
        headers.insert(REASON_HEADER.into(), AMQPValue::LongString(reason.into()));
        let persistent = properties.clone().with_headers(headers).with_delivery_mode(2);
        self.publisher.publish(DEAD, DEAD, data, persistent).await
    }
}
