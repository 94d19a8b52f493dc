//! Dead letters: requests that can never be applied, kept with their reason for an operator.

use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use rollcall_events::UserId;
use rollcall_events::topology::{DEAD, REASON_HEADER};

use crate::consume::RunError;
use crate::store::Store;

/// How many dead letters are looked at; more of them are a trouble of their own.
const MAX_LOOKED_AT: usize = 100_000;
/// One who looks through the dead letters holds them, and another would not see those.
const ALONE: &str = "SELECT pg_advisory_lock(hashtext('rollcall_dead'))";
const NO_LONGER_ALONE: &str = "SELECT pg_advisory_unlock(hashtext('rollcall_dead'))";

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
        match self.channel.basic_publish(DEAD.into(), DEAD.into(), options, data, properties).await?.await? {
            Confirmation::Ack(None) => Ok(()),
            _ => Err(RunError::NotConfirmed),
        }
    }
}

/// Removes every dead letter that names one of some users who were erased, and puts the others back as they were.
///
/// # Errors
/// Where a server fails; to do it again is right then.
pub(crate) async fn forget(store: &Store, connection: &Connection, users: &[UserId]) -> Result<(), RunError> {
    store.query(ALONE, &[]).await?;
    let forgotten = remove(connection, users).await;
    store.query(NO_LONGER_ALONE, &[]).await?;
    let removed = forgotten?;
    tracing::info!(users = users.len(), removed, "dead letters of erased users are removed");
    Ok(())
}

async fn remove(connection: &Connection, users: &[UserId]) -> Result<usize, RunError> {
    // Whatever is still held when the channel closes goes back to the queue.
    let channel = connection.create_channel().await?;
    let ids: Vec<_> = users.iter().map(UserId::to_string).collect();
    let names_one = |data: &[u8]| ids.iter().any(|id| data.windows(id.len()).any(|window| window == id.as_bytes()));
    let (mut kept, mut removed) = (Vec::new(), 0);
    while kept.len() < MAX_LOOKED_AT {
        let Some(message) = channel.basic_get(DEAD.into(), BasicGetOptions::default()).await? else { break };
        if names_one(&message.data) {
            message.acker.ack(BasicAckOptions::default()).await?;
            removed += 1;
        } else {
            // Not the message itself: there may be many, and large ones.
            kept.push(message.delivery.acker);
        }
    }
    for acker in kept {
        acker.nack(BasicNackOptions { requeue: true, ..Default::default() }).await?;
    }
    channel.close(200, "done".into()).await?;
    Ok(removed)
}
