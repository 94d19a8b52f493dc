//! One connection to `RabbitMQ`, with the channel that publishes messages and receives outcomes.

use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Connection, ConnectionProperties, Consumer, Event, ExchangeKind};
use rollcall_events::call_log::OBSERVED_TYPE;
use rollcall_queue::envelope::CONTENT_TYPE;
use rollcall_queue::framing::{Frame, pack};
use rollcall_queue::publish::ConfirmingChannel;
use rollcall_queue::topology::{self, OBSERVED, REQUESTED_EXCHANGE};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::error::NotConfirmed;

const APP_ID: &str = "rollcall-api";
/// Interval of heartbeats, unless the address sets another one. A connection without a heartbeat for twice as
/// long has ended.
const HEARTBEAT_SECONDS: u16 = 10;
/// `RabbitMQ`'s direct reply-to. The broker derives an address from it. A message to that address goes to the
/// channel that published the request, without a queue in between.
const REPLY_QUEUE: &str = "amq.rabbitmq.reply-to";

/// A connection and its channel. Outcomes arrive on the channel that publishes.
pub(super) struct Link {
    connection: Connection,
    publisher: ConfirmingChannel,
    blocked: Arc<AtomicBool>,
}

/// The state of a partition's queue.
#[derive(Debug, Clone, Copy)]
pub struct QueueStatus {
    /// The number of waiting messages. A message carries one request or several.
    pub messages: u32,
    /// The number of workers that serve the partition or stand by.
    pub workers: u32,
}

impl Link {
    /// Connects, declares the queues, and begins to consume outcomes.
    ///
    /// # Errors
    /// If the address is malformed or the broker refuses.
    pub(super) async fn open(
        amqp_url: &SecretString,
        partitions: u16,
        confirm_within: Duration,
    ) -> Result<(Self, Consumer), NotConfirmed> {
        let properties = ConnectionProperties::default().with_connection_name(APP_ID.into());
        let mut uri: AMQPUri = amqp_url.expose_secret().parse().map_err(NotConfirmed::Address)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        let connection = Connection::connect_uri(uri, properties).await?;
        let blocked = watch_blocking(&connection);
        let channel = connection.create_channel().await?;
        topology::declare(&channel, partitions).await?;
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let outcomes =
            channel.basic_consume(REPLY_QUEUE.into(), "answers".into(), options, FieldTable::default()).await?;
        Ok((Self { connection, publisher: ConfirmingChannel::open(channel, confirm_within).await?, blocked }, outcomes))
    }

    /// Whether the broker blocks publishers, as it does when its memory or disk runs low.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }

    /// Publishes requests to a partition as one message. Returns once the broker has it on a durable queue.
    ///
    /// # Errors
    /// If the broker did not confirm the message.
    pub(super) async fn publish(&self, key: &ShortString, requests: &[Frame]) -> Result<(), NotConfirmed> {
        let message = pack(requests, APP_ID, REPLY_QUEUE)?;
        Ok(self.publisher.publish(REQUESTED_EXCHANGE, key.as_str(), &message.body, message.properties).await?)
    }

    /// Publishes call records in a message that need not survive a restart of the broker.
    ///
    /// # Errors
    /// If the broker did not confirm the message.
    pub(super) async fn publish_calls(&self, body: &[u8]) -> Result<(), NotConfirmed> {
        let properties =
            BasicProperties::default().with_type(OBSERVED_TYPE.into()).with_content_type(CONTENT_TYPE.into());
        Ok(self.publisher.publish("", OBSERVED, body, properties).await?)
    }

    /// The states of queues, in the given order. It uses a channel of its own, because the broker closes a
    /// channel that asks for a queue that does not exist.
    ///
    /// # Errors
    /// If a queue or the exchange does not exist, or the broker does not answer.
    pub(super) async fn queue_statuses(&self, queues: &[ShortString]) -> Result<Vec<QueueStatus>, NotConfirmed> {
        let channel = self.connection.create_channel().await?;
        let passive = ExchangeDeclareOptions { passive: true, durable: true, ..Default::default() };
        channel
            .exchange_declare(REQUESTED_EXCHANGE.into(), ExchangeKind::Direct, passive, FieldTable::default())
            .await?;
        let mut found = Vec::with_capacity(queues.len());
        for queue in queues {
            let passive = QueueDeclareOptions { passive: true, durable: true, ..Default::default() };
            let queue = channel.queue_declare(queue.clone(), passive, FieldTable::default()).await?;
            found.push(QueueStatus { messages: queue.message_count(), workers: queue.consumer_count() });
        }
        channel.close(200, "".into()).await?;
        Ok(found)
    }
}

/// Keeps a flag up to date that says whether the broker blocks publishers.
fn watch_blocking(connection: &Connection) -> Arc<AtomicBool> {
    let blocked = Arc::new(AtomicBool::new(false));
    let flag = blocked.clone();
    let mut events = Box::pin(connection.events_listener());
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event {
                Event::ConnectionBlocked(reason) => {
                    tracing::warn!(reason, "rabbitmq blocks publishers");
                    flag.store(true, Ordering::Relaxed);
                }
                Event::ConnectionUnblocked => flag.store(false, Ordering::Relaxed),
                _ => {}
            }
        }
    });
    blocked
}
