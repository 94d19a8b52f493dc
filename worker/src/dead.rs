//! Dead letters: requests that can never be applied, on their way to where they are kept with their reason (`letters.rs`).

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use rollcall_events::UserId;
use rollcall_events::topology::{DEAD, REASON_HEADER};

use crate::consume::RunError;
use crate::store::{Store, StoreError};

/// Waits for those that are being kept.
const ALONE: &str = "SELECT pg_advisory_xact_lock(hashtext('rollcall_dead'))";

const REMOVE: &str = "DELETE FROM dead_letters d USING unnest($1::text[]) AS k (id) WHERE position(convert_to(k.id, 'UTF8') IN d.body) > 0";

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

/// Removes the dead letters that name one of some users who were erased: those that were being kept while the log came to say so. Whatever is kept later knows.
///
/// # Errors
/// Where Postgres fails; to do it again is right then.
pub(crate) async fn forget(store: &Store, users: &[UserId]) -> Result<(), StoreError> {
    let ids: Vec<_> = users.iter().map(UserId::to_string).collect();
    store.command("BEGIN").await?;
    store.query(ALONE, &[]).await?;
    store.query_once(REMOVE, &[&ids]).await?;
    store.command("COMMIT").await
}
