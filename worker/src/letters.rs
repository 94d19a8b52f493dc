//! Keeps dead letters where they can be looked at, and sends those that are to be tried again back to where they came from.

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer};
use rollcall_events::batch::{Message, unpack};
use rollcall_events::envelope::CONTENT_TYPE;
use rollcall_events::topology::{self, DEAD, REASON_HEADER, REQUESTED_EXCHANGE};
use rollcall_events::{DeadLetterId, OrganizationId};
use secrecy::ExposeSecret;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::{Client, Row};
use tokio_util::sync::CancellationToken;

use crate::consume::RunError;
use crate::keep::{close, keep};
use crate::settings::Settings;
use crate::store::{StoreError, connect};

const NAME: &str = "rollcall-worker letters";
/// How many are taken ahead: they can be as large as a body.
const AHEAD: u16 = 10;
/// How often it is looked whether some are to be tried again.
const LOOK: Duration = Duration::from_millis(500);
/// The reason of those that the broker gave up.
const GIVEN_UP: &str = "it was delivered again and again without ever being dealt with: it may end the worker that takes it";

/// Whoever removes what dead letters hold about a person waits for those that are being kept, and those that come later know of the erasure.
const BESIDE: &str = "SELECT pg_advisory_xact_lock_shared(hashtext('rollcall_dead'))";

/// Nothing is kept of whom the log says that they are erased.
const KEEP: &str = "
    INSERT INTO dead_letters (organization_id, id, message_id, type, reason, body)
    SELECT $1::uuid, $2::uuid, $3::text, $4::text, $5::text, $6::bytea
    WHERE NOT EXISTS (
        SELECT FROM events e WHERE e.type = 'UserErased' AND e.type NOT IN ('UserCreated', 'UserUpdated')
            AND ($1::uuid = '00000000-0000-0000-0000-000000000000' OR e.organization_id = $1::uuid) AND position(convert_to(e.subject_id::text, 'UTF8') IN $6::bytea) > 0
    )";

/// One that is to be tried again, and that no other worker has in hand.
const NEXT: &str = "
    SELECT organization_id, id, message_id, type, body FROM dead_letters
    WHERE retried_at IS NOT NULL ORDER BY retried_at, id LIMIT 1 FOR UPDATE SKIP LOCKED";
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
pub(crate) async fn keep_letters(settings: Arc<Settings>, stop: CancellationToken) {
    keep("dead letters", &stop, async || run(&settings, &stop).await).await;
}

async fn run(settings: &Settings, stop: &CancellationToken) -> Result<(), RunError> {
    let mut client = connect(&settings.database_url, NAME).await.map_err(StoreError::from)?;
    let properties = ConnectionProperties::default().with_connection_name(NAME.into());
    let connection = Connection::connect(settings.amqp_url.expose_secret(), properties).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut consumer = consume(&channel, settings.partitions).await?;
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = look.tick() => while send_back(&mut client, &channel, settings.partitions).await? {},
            delivery = consumer.next() => take_in(&mut client, delivery.ok_or(RunError::ConsumerClosed)??).await?,
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

/// Keeps what was delivered, each request by itself; only then is it taken from the queue.
async fn take_in(client: &mut Client, delivery: Delivery) -> Result<(), RunError> {
    let headers = delivery.properties.headers().as_ref();
    let reason = headers.and_then(|headers| headers.inner().get(REASON_HEADER)?.as_long_string().map(ToString::to_string));
    let reason = reason.map_or_else(|| GIVEN_UP.to_owned(), |reason| storable(&reason));
    let message = Message { properties: delivery.properties, body: delivery.data };
    // A batch that cannot be read is kept as it is.
    let messages = unpack(&message).ok().flatten().unwrap_or_else(|| vec![message]);
    let transaction = client.transaction().await.map_err(StoreError::from)?;
    transaction.execute(BESIDE, &[]).await.map_err(StoreError::from)?;
    for Message { properties, body } in messages {
        let text = |text: &Option<lapin::types::ShortString>| text.as_ref().map(|text| storable(text.as_str()));
        let (message_id, type_name) = (text(properties.message_id()), text(properties.kind()));
        let (organization, id) = (addressee(&body), DeadLetterId::generate());
        transaction.execute(KEEP, &[&organization, &id, &message_id, &type_name, &reason, &body]).await.map_err(StoreError::from)?;
    }
    transaction.commit().await.map_err(StoreError::from)?;
    delivery.acker.ack(BasicAckOptions::default()).await?;
    Ok(())
}

/// A text without what Postgres cannot store.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Sends one back to the partition of its organisation, if there is one to be tried again; it is forgotten once the broker has it. Should that break off in between, it
/// is sent twice, and applied once.
async fn send_back(client: &mut Client, channel: &Channel, partitions: u16) -> Result<bool, RunError> {
    let transaction = client.transaction().await.map_err(StoreError::from)?;
    let Some(row) = transaction.query_opt(NEXT, &[]).await.map_err(StoreError::from)? else { return Ok(false) };
    let (organization, id, properties, body) = message(&row).map_err(StoreError::from)?;
    let key = topology::queue_name(topology::partition(organization, partitions));
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    match channel.basic_publish(REQUESTED_EXCHANGE.into(), key.into(), options, &body, properties).await?.await? {
        Confirmation::Ack(None) => {}
        _ => return Err(RunError::NotConfirmed),
    }
    transaction.execute(FORGET, &[&organization, &id]).await.map_err(StoreError::from)?;
    transaction.commit().await.map_err(StoreError::from)?;
    tracing::info!(%id, "a dead letter is tried again");
    Ok(true)
}

fn message(row: &Row) -> Result<(OrganizationId, DeadLetterId, BasicProperties, Vec<u8>), tokio_postgres::Error> {
    let mut properties = BasicProperties::default().with_content_type(CONTENT_TYPE.into()).with_delivery_mode(2);
    if let Some(message_id) = row.try_get::<_, Option<&str>>("message_id")? {
        properties = properties.with_message_id(message_id.into());
    }
    if let Some(type_name) = row.try_get::<_, Option<&str>>("type")? {
        properties = properties.with_type(type_name.into());
    }
    Ok((row.try_get("organization_id")?, row.try_get("id")?, properties, row.try_get("body")?))
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
