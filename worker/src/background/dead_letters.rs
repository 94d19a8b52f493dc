//! Keeps dead letters where they can be looked at, and sends those that are to be tried again back to where they came from.

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Consumer};
use rollcall_events::{DeadLetterId, OrganizationId, Timestamp};
use rollcall_queue::envelope::CONTENT_TYPE;
use rollcall_queue::framing::{Message, unpack};
use rollcall_queue::publish::Publisher;
use rollcall_queue::topology::{self, DEAD, REASON_HEADER, REQUESTED_EXCHANGE};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_postgres::Row;
use tokio_util::sync::CancellationToken;

use crate::db::{Database, TaskError, answered, broker};
use crate::erasure::{BESIDE, is_letter_named};
use crate::settings::Settings;
use crate::supervise::{close, supervise};
use crate::wait::ANSWER;

const NAME: &str = "rollcall-worker letters";
/// How many are taken ahead: they can be as large as a body.
const AHEAD: u16 = 30;
/// How many may be held that cannot be kept, so that those behind them can.
const MAX_HELD: usize = 20;
/// How often it is looked whether some are to be tried again.
const LOOK: Duration = Duration::from_millis(500);
/// How long a letter rests that could not be kept, or not be sent back.
const REST: Duration = Duration::from_secs(5);
/// The reason of those that the broker gave up.
const GIVEN_UP: &str = "it was delivered again and again without ever being dealt with: it may end the worker that takes it";

const KEEP: &str = "
    INSERT INTO dead_letters (organization_id, id, message_id, type, reason, body)
    VALUES ($1::uuid, $2::uuid, $3::text, $4::text, $5::text, $6::bytea)";

/// A letter that is to be tried again, that no other worker has in hand, and that does not rest.
const NEXT: &str = "
    SELECT organization_id, id, message_id, type, body FROM dead_letters
    WHERE retried_at IS NOT NULL AND id <> ALL ($1) ORDER BY retried_at, id LIMIT 1 FOR UPDATE SKIP LOCKED";
const FORGET: &str = "DELETE FROM dead_letters WHERE organization_id = $1 AND id = $2";

/// Whose request a message is, as far as that can be read.
#[derive(Deserialize)]
struct Addressed {
    organization_id: OrganizationId,
}

/// Whose request a message seems to be; the system's where that cannot be told.
fn addressee(body: &[u8]) -> OrganizationId {
    serde_json::from_slice::<Addressed>(body).map_or(OrganizationId::SYSTEM, |addressed| addressed.organization_id)
}

/// Keeps and sends back until `stop`.
pub(crate) async fn store_dead_letters(settings: Arc<Settings>, stop: CancellationToken) {
    supervise("dead letters", &stop, async || run(&settings, &stop).await).await;
}

/// What letters are worked on with.
struct Deliveries {
    database: Database,
    publisher: Publisher,
    partitions: u16,
    /// Messages that could not be kept; they are tried again, and meanwhile those behind them are kept.
    held: Vec<Delivery>,
    /// Letters that could not be sent back, and until when they rest.
    resting: HashMap<DeadLetterId, Instant>,
}

async fn run(settings: &Settings, stop: &CancellationToken) -> Result<(), TaskError> {
    let database = Database::open(&settings.database_url, NAME).await?;
    let connection = broker(&settings.amqp_url, NAME).await?;
    let channel = answered(connection.create_channel()).await?;
    let mut consumer = answered(consume(&channel, settings.partitions)).await?;
    let publisher = Publisher::open(channel, ANSWER).await?;
    let mut letters = Deliveries { database, publisher, partitions: settings.partitions, held: Vec::new(), resting: HashMap::new() };
    let (mut look, mut again) = (tokio::time::interval(LOOK), tokio::time::interval(REST));
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = look.tick() => while !stop.is_cancelled() && letters.send_back().await? {},
            _ = again.tick() => letters.take_in_held().await?,
            delivery = consumer.next() => letters.take_in(delivery.ok_or(TaskError::ConsumerClosed)??).await?,
        }
    }
    close(&connection).await;
    Ok(())
}

async fn consume(channel: &Channel, partitions: u16) -> Result<Consumer, lapin::Error> {
    topology::declare(channel, partitions).await?;
    channel.basic_qos(AHEAD, BasicQosOptions::default()).await?;
    channel.basic_consume(DEAD.into(), NAME.into(), BasicConsumeOptions::default(), FieldTable::default()).await
}

impl Deliveries {
    /// Keeps what was delivered; only then is it taken from the queue. A message that cannot be kept is held, unless there are too many of those: then the fault
    /// is not theirs.
    async fn take_in(&mut self, delivery: Delivery) -> Result<(), TaskError> {
        match store(&self.database, &delivery).await {
            Ok(()) => answered(delivery.acker.ack(BasicAckOptions::default())).await.map(|_| ()),
            Err(error) if error.is_outage() || self.held.len() >= MAX_HELD => Err(error),
            Err(error) => {
                let message_id = delivery.properties.message_id().as_ref().map_or("none", ShortString::as_str);
                tracing::error!(message_id, %error, "a dead letter cannot be kept now; it stays in {DEAD}, and those behind it are kept");
                self.held.push(delivery);
                Ok(())
            }
        }
    }

    async fn take_in_held(&mut self) -> Result<(), TaskError> {
        for delivery in std::mem::take(&mut self.held) {
            self.take_in(delivery).await?;
        }
        Ok(())
    }

    /// Sends the next letter back that is to be tried again; whether there was one. A letter that cannot be sent rests, and the others go on.
    async fn send_back(&mut self) -> Result<bool, TaskError> {
        let now = Instant::now();
        self.resting.retain(|_, until| *until > now);
        let resting: Vec<_> = self.resting.keys().copied().collect();
        let sent = self.database.in_transaction(self.send_next(&resting)).await?;
        match sent {
            None => Ok(false),
            Some((id, Ok(()))) => {
                tracing::info!(%id, "a dead letter is tried again");
                Ok(true)
            }
            Some((id, Err(error))) => {
                tracing::warn!(%id, %error, "a dead letter cannot be tried again now");
                self.resting.insert(id, now + REST);
                Ok(true)
            }
        }
    }

    /// Sends a letter to the partition of its organization, and forgets it once the broker has it. Should that break off in between, it is sent twice, and applied
    /// once.
    async fn send_next(&self, resting: &[DeadLetterId]) -> Result<Option<(DeadLetterId, Result<(), TaskError>)>, TaskError> {
        let Some(row) = self.database.query_opt(NEXT, &[&resting]).await? else { return Ok(None) };
        let id = row.try_get("id")?;
        match self.send(&row).await {
            Ok(organization) => {
                self.database.execute(FORGET, &[&organization, &id]).await?;
                Ok(Some((id, Ok(()))))
            }
            Err(error) if error.is_outage() => Err(error),
            Err(error) => Ok(Some((id, Err(error)))),
        }
    }

    async fn send(&self, row: &Row) -> Result<OrganizationId, TaskError> {
        let (organization, properties, body) = message(row)?;
        let key = topology::queue_name(topology::partition(organization, self.partitions));
        self.publisher.publish(REQUESTED_EXCHANGE, &key, &body, properties).await?;
        Ok(organization)
    }
}

/// Keeps each request of a message by itself, except those that name somebody who is erased.
async fn store(database: &Database, delivery: &Delivery) -> Result<(), TaskError> {
    let headers = delivery.properties.headers().as_ref();
    let reason = headers.and_then(|headers| headers.inner().get(REASON_HEADER)?.as_long_string().map(ToString::to_string));
    let reason = reason.map_or_else(|| GIVEN_UP.to_owned(), |reason| storable(&reason));
    let message = Message { properties: delivery.properties.clone(), body: delivery.data.clone() };
    // A batch that cannot be read is kept as it is.
    let messages = unpack(&message).ok().flatten().unwrap_or_else(|| vec![message]);
    let storing = async {
        database.query(BESIDE, &[]).await?;
        for message in &messages {
            store_one(database, message, &reason).await?;
        }
        Ok(())
    };
    database.in_transaction(storing).await
}

async fn store_one(database: &Database, Message { properties, body }: &Message, reason: &str) -> Result<(), TaskError> {
    let text = |text: &Option<ShortString>| text.as_ref().map(|text| storable(text.as_str()));
    let (message_id, type_name) = (text(properties.message_id()), text(properties.kind()));
    let organization = addressee(body);
    let sent = properties.timestamp().and_then(|seconds| Timestamp::from_microsecond(i64::try_from(seconds).ok()?.checked_mul(1_000_000)?));
    if is_letter_named(database, organization, body, reason, sent).await? {
        tracing::info!(message_id, "a dead letter about somebody who was erased is not kept");
        return Ok(());
    }
    database.execute(KEEP, &[&organization, &DeadLetterId::generate(), &message_id, &type_name, &reason, body]).await.map(|_| ())
}

/// A text without what Postgres cannot store.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn message(row: &Row) -> Result<(OrganizationId, BasicProperties, Vec<u8>), tokio_postgres::Error> {
    let mut properties = BasicProperties::default().with_content_type(CONTENT_TYPE.into()).with_delivery_mode(2);
    if let Some(message_id) = row.try_get::<_, Option<&str>>("message_id")? {
        properties = properties.with_message_id(message_id.into());
    }
    if let Some(type_name) = row.try_get::<_, Option<&str>>("type")? {
        properties = properties.with_type(type_name.into());
    }
    Ok((row.try_get("organization_id")?, properties, row.try_get("body")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_a_letter_is_stands_in_it_if_anywhere() {
        let organization = OrganizationId::generate();
        assert_eq!(addressee(format!(r#"{{"version": 99, "organization_id": "{organization}"}}"#).as_bytes()), organization);
        assert_eq!(addressee(b"{"), OrganizationId::SYSTEM);
        assert_eq!(addressee(br#"{"organization_id": 7}"#), OrganizationId::SYSTEM);
    }
}
