//! Stores dead letters in the database, and sends those that an operator retries back to their partition.

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Consumer};
use rollcall_events::{DeadLetterId, OrganizationId, Timestamp};
use rollcall_queue::envelope::CONTENT_TYPE;
use rollcall_queue::framing::{Message, unpack};
use rollcall_queue::publish::ConfirmingChannel;
use rollcall_queue::topology::{self, DEAD, REASON_HEADER, REQUESTED_EXCHANGE};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_postgres::Row;
use tokio_util::sync::CancellationToken;

use crate::db::{Database, TaskError, answered, broker};
use crate::erasure::{BESIDE, names_erased_person};
use crate::settings::Settings;
use crate::supervise::{close, supervise};
use crate::wait::ANSWER;

const NAME: &str = "rollcall-worker dead letters";
/// Consumer prefetch. It is small because a dead letter can be as large as a request body.
const PREFETCH: u16 = 30;
/// Maximum number of dead letters that are held because they cannot be stored. Others are stored meanwhile.
const MAX_HELD: usize = 20;
/// Interval between checks for dead letters to retry.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// Delay before a failed dead letter is stored or sent again.
const RETRY_DELAY: Duration = Duration::from_secs(5);
/// The reason of messages that reached the broker's delivery limit.
const GIVEN_UP: &str =
    "the broker delivered it too often without an acknowledgement; it may crash the worker that processes it";

const INSERT: &str = "
    INSERT INTO dead_letters (organization_id, id, message_id, type, reason, body)
    VALUES ($1::uuid, $2::uuid, $3::text, $4::text, $5::text, $6::bytea)";

/// The next dead letter to retry, except those that another worker has locked and those in $1.
const NEXT: &str = "
    SELECT organization_id, id, message_id, type, body FROM dead_letters
    WHERE retried_at IS NOT NULL AND id <> ALL ($1) ORDER BY retried_at, id LIMIT 1 FOR UPDATE SKIP LOCKED";
const DELETE: &str = "DELETE FROM dead_letters WHERE organization_id = $1 AND id = $2";

/// The field of a request that names its organization.
#[derive(Deserialize)]
struct OrganizationField {
    organization_id: OrganizationId,
}

/// The organization of a message. If it cannot be read, the system organization.
fn organization_of(body: &[u8]) -> OrganizationId {
    serde_json::from_slice::<OrganizationField>(body).map_or(OrganizationId::SYSTEM, |field| field.organization_id)
}

/// Stores and retries dead letters until `stop`.
pub(crate) async fn store_dead_letters(settings: Arc<Settings>, stop: CancellationToken) {
    supervise("dead letters", &stop, async || run(&settings, &stop).await).await;
}

/// The state of the task.
struct Deliveries {
    database: Database,
    publisher: ConfirmingChannel,
    partitions: u16,
    /// Messages that could not be stored. They are tried again later.
    held: Vec<Delivery>,
    /// Dead letters that could not be sent, and the time of the next attempt.
    delayed: HashMap<DeadLetterId, Instant>,
}

async fn run(settings: &Settings, stop: &CancellationToken) -> Result<(), TaskError> {
    let database = Database::open(&settings.database_url, NAME).await?;
    let connection = broker(&settings.amqp_url, NAME).await?;
    let channel = answered(connection.create_channel()).await?;
    let mut consumer = answered(consume(&channel, settings.partitions)).await?;
    let publisher = ConfirmingChannel::open(channel, ANSWER).await?;
    let mut task =
        Deliveries { database, publisher, partitions: settings.partitions, held: Vec::new(), delayed: HashMap::new() };
    let (mut poll, mut retry) = (tokio::time::interval(POLL_INTERVAL), tokio::time::interval(RETRY_DELAY));
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = poll.tick() => while !stop.is_cancelled() && task.send_back().await? {},
            _ = retry.tick() => task.store_held().await?,
            delivery = consumer.next() => task.receive(delivery.ok_or(TaskError::ConsumerClosed)??).await?,
        }
    }
    close(&connection).await;
    Ok(())
}

async fn consume(channel: &Channel, partitions: u16) -> Result<Consumer, lapin::Error> {
    topology::declare(channel, partitions).await?;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    channel.basic_consume(DEAD.into(), NAME.into(), BasicConsumeOptions::default(), FieldTable::default()).await
}

impl Deliveries {
    /// Stores a delivery, then acknowledges it. A message that cannot be stored is held. If too many are
    /// held, the fault is probably not in the messages, and the task fails.
    async fn receive(&mut self, delivery: Delivery) -> Result<(), TaskError> {
        match store(&self.database, &delivery).await {
            Ok(()) => answered(delivery.acker.ack(BasicAckOptions::default())).await.map(|_| ()),
            Err(error) if error.is_outage() || self.held.len() >= MAX_HELD => Err(error),
            Err(error) => {
                let message_id = delivery.properties.message_id().as_ref().map_or("none", ShortString::as_str);
                tracing::error!(
                    message_id, %error,
                    "a dead letter cannot be stored now; it stays in {DEAD}, and later ones are stored"
                );
                self.held.push(delivery);
                Ok(())
            }
        }
    }

    async fn store_held(&mut self) -> Result<(), TaskError> {
        for delivery in std::mem::take(&mut self.held) {
            self.receive(delivery).await?;
        }
        Ok(())
    }

    /// Sends the next dead letter that is due for a retry. Returns whether there was one. If it cannot be
    /// sent, it is delayed, and others are sent meanwhile.
    async fn send_back(&mut self) -> Result<bool, TaskError> {
        let now = Instant::now();
        self.delayed.retain(|_, until| *until > now);
        let delayed: Vec<_> = self.delayed.keys().copied().collect();
        let sent = self.database.in_transaction(self.send_next(&delayed)).await?;
        match sent {
            None => Ok(false),
            Some((id, Ok(()))) => {
                tracing::info!(%id, "a dead letter is retried");
                Ok(true)
            }
            Some((id, Err(error))) => {
                tracing::warn!(%id, %error, "a dead letter cannot be retried now");
                self.delayed.insert(id, now + RETRY_DELAY);
                Ok(true)
            }
        }
    }

    /// Sends a dead letter to the partition of its organization, and deletes it once the broker has confirmed
    /// it. After a crash in between it is sent twice and applied once.
    async fn send_next(
        &self,
        delayed: &[DeadLetterId],
    ) -> Result<Option<(DeadLetterId, Result<(), TaskError>)>, TaskError> {
        let Some(row) = self.database.query_opt(NEXT, &[&delayed]).await? else { return Ok(None) };
        let id = row.try_get("id")?;
        match self.send(&row).await {
            Ok(organization) => {
                self.database.execute(DELETE, &[&organization, &id]).await?;
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

/// Stores each request of a message separately, except those that name an erased person.
async fn store(database: &Database, delivery: &Delivery) -> Result<(), TaskError> {
    let headers = delivery.properties.headers().as_ref();
    let reason =
        headers.and_then(|headers| headers.inner().get(REASON_HEADER)?.as_long_string().map(ToString::to_string));
    let reason = reason.map_or_else(|| GIVEN_UP.to_owned(), |reason| storable(&reason));
    let message = Message { properties: delivery.properties.clone(), body: delivery.data.clone() };
    // Store a message whose frames cannot be read as a whole.
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
    let organization = organization_of(body);
    let sent = properties
        .timestamp()
        .and_then(|seconds| Timestamp::from_microsecond(i64::try_from(seconds).ok()?.checked_mul(1_000_000)?));
    if names_erased_person(database, organization, body, reason, sent).await? {
        tracing::info!(message_id, "a dead letter about an erased person is not stored");
        return Ok(());
    }
    database
        .execute(INSERT, &[&organization, &DeadLetterId::generate(), &message_id, &type_name, &reason, body])
        .await
        .map(|_| ())
}

/// Replaces NUL, which Postgres cannot store in a text.
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
    fn the_organization_is_read_from_the_body_if_possible() {
        let organization = OrganizationId::generate();
        assert_eq!(
            organization_of(format!(r#"{{"version": 99, "organization_id": "{organization}"}}"#).as_bytes()),
            organization
        );
        assert_eq!(organization_of(b"{"), OrganizationId::SYSTEM);
        assert_eq!(organization_of(br#"{"organization_id": 7}"#), OrganizationId::SYSTEM);
    }
}
