//! Sends outcomes to the apis that wait for them.

use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel, Connection};
use rollcall_events::CorrelationId;
use rollcall_events::outcome::{Outcome, Outcomes};
use rollcall_queue::envelope::{CONTENT_TYPE, OUTCOMES_TYPE, encode_outcomes};
use std::collections::BTreeMap;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use super::error::RunError;
use crate::wait::{ANSWER, within};

/// Maximum number of batches whose replies wait to be sent.
const BACKLOG: usize = 4;

/// An outcome, and the reply queue of the api that waits for it.
pub(crate) struct Reply {
    pub(crate) queue: String,
    pub(crate) correlation_id: CorrelationId,
    pub(crate) outcome: Outcome,
}

/// Sends replies from a task of its own, so that the next batch does not wait for them.
pub(crate) struct Replier {
    batches: Sender<Vec<Reply>>,
    sending: JoinHandle<Channel>,
}

impl Replier {
    /// Opens a channel for replies. They are not confirmed: an api that does not get one answers 202.
    pub(crate) async fn open(connection: &Connection) -> Result<Self, lapin::Error> {
        let (batches, waiting) = channel(BACKLOG);
        Ok(Self { batches, sending: tokio::spawn(send_all(connection.create_channel().await?, waiting)) })
    }

    /// Queues the replies of a batch for sending.
    ///
    /// # Errors
    /// If the replies of an earlier batch could not be sent.
    pub(crate) async fn answer(&self, replies: Vec<Reply>) -> Result<(), RunError> {
        within("room for outcomes", ANSWER, self.batches.send(replies)).await?.map_err(|_| RunError::RepliesEnded)
    }

    /// Returns the channel once all replies are sent; `None` if sending failed. The caller must keep the
    /// channel until the connection is closed.
    pub(crate) async fn finish(self) -> Option<Channel> {
        drop(self.batches);
        self.sending.await.ok()
    }
}

async fn send_all(channel: Channel, mut batches: Receiver<Vec<Reply>>) -> Channel {
    while let Some(replies) = batches.recv().await {
        if let Err(error) = send(&channel, replies).await {
            tracing::warn!(%error, "outcomes could not be sent");
            break;
        }
    }
    channel
}

/// Sends the outcomes of a batch, one message to each api instance.
async fn send(channel: &Channel, replies: Vec<Reply>) -> Result<(), RunError> {
    let mut by_queue: BTreeMap<String, Vec<(CorrelationId, Outcome)>> = BTreeMap::new();
    for reply in replies {
        by_queue.entry(reply.queue).or_default().push((reply.correlation_id, reply.outcome));
    }
    for (queue, outcomes) in by_queue {
        let body = encode_outcomes(&Outcomes { outcomes })?;
        let properties =
            BasicProperties::default().with_type(OUTCOMES_TYPE.into()).with_content_type(CONTENT_TYPE.into());
        channel.basic_publish("".into(), queue.into(), BasicPublishOptions::default(), &body, properties).await?;
    }
    Ok(())
}
