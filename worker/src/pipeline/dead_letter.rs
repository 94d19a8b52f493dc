//! Publishes dead letters with their reason. A background task stores them.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use rollcall_events::topology::{DEAD, REASON_HEADER};

use super::error::RunError;
use crate::db::{TaskError, answered};

/// Where dead letters go, over a channel of their own, with confirms.
pub(crate) struct DeadLetters {
    channel: Channel,
}

impl DeadLetters {
    /// Opens the channel.
    pub(crate) async fn open(connection: &Connection) -> Result<Self, lapin::Error> {
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { channel })
    }

    /// Moves a message to the dead letters, with the reason, and returns once the broker has it.
    pub(crate) async fn bury(&self, properties: &BasicProperties, data: &[u8], reason: &str) -> Result<(), RunError> {
        let message_id = properties.message_id().as_ref().map_or("none", |id| id.as_str());
        tracing::error!(message_id, reason, "a request can never be applied; it is kept in {DEAD}");
        let mut headers = properties.headers().clone().unwrap_or_default();
        headers.insert(REASON_HEADER.into(), AMQPValue::LongString(reason.into()));
        let properties = properties.clone().with_headers(headers).with_delivery_mode(2);
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let confirm = async { self.channel.basic_publish(DEAD.into(), DEAD.into(), options, data, properties).await?.await };
        match answered(confirm).await {
            Ok(Confirmation::Ack(None)) => Ok(()),
            Err(TaskError::Broker(error)) => Err(error.into()),
            Ok(_) | Err(_) => Err(RunError::NotConfirmed),
        }
    }
}
