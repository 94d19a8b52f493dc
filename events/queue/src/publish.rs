//! Publishing with confirms.
//!
//! The api, the worker and the commands publish through this module, so all of them treat a message as stored
//! only after the broker has confirmed it.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation};
use std::time::Duration;
use tokio::time::timeout;

/// The reason why a message may not have reached the broker.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// The connection or the channel failed.
    #[error("rabbitmq: {0}")]
    Broker(#[from] lapin::Error),
    /// The broker did not answer in time.
    #[error("rabbitmq did not confirm the message within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The broker sent a negative confirm.
    #[error("rabbitmq refused the message")]
    Refused,
    /// The broker returned the message: no queue is bound to its key.
    #[error("no queue accepts the message")]
    Unroutable,
}

/// A channel that publishes with confirms.
#[derive(Debug, Clone)]
pub struct ConfirmingChannel {
    channel: Channel,
    confirm_within: Duration,
}

impl ConfirmingChannel {
    /// Turns on confirms for a channel. The broker must confirm each message within `confirm_within`.
    ///
    /// # Errors
    /// If the broker refuses or does not answer in that time.
    pub async fn open(channel: Channel, confirm_within: Duration) -> Result<Self, PublishError> {
        let selected = timeout(confirm_within, channel.confirm_select(ConfirmSelectOptions::default())).await;
        selected.map_err(|_| PublishError::TimedOut(confirm_within))??;
        Ok(Self { channel, confirm_within })
    }

    /// Publishes a message. Returns once the broker has confirmed it. From then on, a persistent message in a
    /// durable queue survives a restart of the broker.
    ///
    /// # Errors
    /// If the broker did not confirm the message. The broker may still have it, except after
    /// [`PublishError::Unroutable`].
    pub async fn publish(
        &self,
        exchange: &str,
        key: &str,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), PublishError> {
        let mandatory = BasicPublishOptions { mandatory: true, ..Default::default() };
        let publishing =
            async { self.channel.basic_publish(exchange.into(), key.into(), mandatory, body, properties).await?.await };
        match timeout(self.confirm_within, publishing)
            .await
            .map_err(|_| PublishError::TimedOut(self.confirm_within))??
        {
            Confirmation::Ack(None) => Ok(()),
            // A returned message comes with its confirm.
            Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)) => Err(PublishError::Unroutable),
            Confirmation::Nack(None) | Confirmation::NotRequested => Err(PublishError::Refused),
        }
    }
}
