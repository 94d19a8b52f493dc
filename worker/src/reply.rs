//! What goes back into `RabbitMQ`: outcomes to the apis that await them, and dead letters.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use rollcall_events::CorrelationId;
use rollcall_events::envelope::{CONTENT_TYPE, OUTCOMES_TYPE, encode_outcomes};
use rollcall_events::outcome::{Outcome, Outcomes};
use rollcall_events::topology::{DEAD, REASON_HEADER};
use std::collections::BTreeMap;

use crate::consume::RunError;

/// An outcome and the queue where it is awaited.
pub(crate) struct Reply {
    pub(crate) queue: String,
    pub(crate) correlation_id: CorrelationId,
    pub(crate) outcome: Outcome,
}

/// Publishes replies and dead letters.
pub(crate) struct Replier {
    /// Replies are not confirmed: an api that does not get one answers 202.
    replies: Channel,
    /// Dead letters are.
    dead: Channel,
}

impl Replier {
    /// Replies go over the channel that consumes; dead letters over one of their own, with confirms.
    pub(crate) async fn open(connection: &Connection, replies: Channel) -> Result<Self, lapin::Error> {
        let dead = connection.create_channel().await?;
        dead.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { replies, dead })
    }

    /// Sends the outcomes of a batch, one message to each api instance.
    pub(crate) async fn answer(&self, replies: Vec<Reply>) -> Result<(), RunError> {
        let mut by_queue: BTreeMap<String, Vec<(CorrelationId, Outcome)>> = BTreeMap::new();
        for reply in replies {
            by_queue.entry(reply.queue).or_default().push((reply.correlation_id, reply.outcome));
        }
        for (queue, outcomes) in by_queue {
            let body = encode_outcomes(&Outcomes { outcomes })?;
            let properties = BasicProperties::default().with_type(OUTCOMES_TYPE.into()).with_content_type(CONTENT_TYPE.into());
            self.replies.basic_publish("".into(), queue.as_str().into(), BasicPublishOptions::default(), &body, properties).await?;
        }
        Ok(())
    }

    /// Moves a message to the dead letters, with the reason, and returns once the broker has it.
    pub(crate) async fn bury(&self, properties: &BasicProperties, data: &[u8], reason: &str) -> Result<(), RunError> {
        let message_id = properties.message_id().as_ref().map_or("none", |id| id.as_str());
        tracing::error!(message_id, reason, "a request can never be applied; it is kept in {DEAD}");
        let mut headers = properties.headers().clone().unwrap_or_default();
        headers.insert(REASON_HEADER.into(), AMQPValue::LongString(reason.into()));
        let properties = properties.clone().with_headers(headers).with_delivery_mode(2);
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        match self.dead.basic_publish(DEAD.into(), DEAD.into(), options, data, properties).await?.await? {
            Confirmation::Ack(None) => Ok(()),
            _ => Err(RunError::NotConfirmed),
        }
    }
}
