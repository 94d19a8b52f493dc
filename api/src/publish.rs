//! The api's side of `RabbitMQ`: publishes with confirms, and hears the outcomes.

use arc_swap::ArcSwapOption;
use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Confirmation, Connection, ConnectionProperties, Consumer, Event};
use rollcall_events::envelope::{ReplyTo, decode_outcomes, encode, properties};
use rollcall_events::request::Request;
use rollcall_events::topology::{self, REQUESTED_EXCHANGE};
use rollcall_service::backoff::Backoff;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::waiting::{Ticket, Waiting};

const APP_ID: &str = "rollcall-api";
/// `RabbitMQ`'s direct reply-to: what is published to the address that it makes of this goes to the asking channel without a queue in between.
const REPLY_QUEUE: &str = "amq.rabbitmq.reply-to";

/// Why a request was not published for sure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotConfirmed {
    #[error("there is no connection to rabbitmq")]
    NotConnected,
    #[error("rabbitmq takes no messages for now")]
    Blocked,
    #[error("rabbitmq refused the message")]
    Refused,
    #[error("no queue takes the message")]
    Unroutable,
    #[error("rabbitmq did not confirm in time")]
    TimedOut,
    #[error("rabbitmq: {0}")]
    Broker(#[from] lapin::Error),
    #[error("the request cannot be written: {0}")]
    Unwritable(#[from] serde_json::Error),
    #[error("the publishing task broke off")]
    BrokeOff,
}

/// Publishes requests over whatever connection there is at the time.
pub(crate) struct Publisher {
    link: ArcSwapOption<Link>,
    confirm_within: Duration,
    keys: Vec<ShortString>,
}

/// A connection with the channel for publishing, where the answers come in as well.
struct Link {
    connection: Connection,
    channel: Channel,
    blocked: Arc<AtomicBool>,
}

impl Publisher {
    /// A publisher that is not connected yet.
    pub(crate) fn new(partitions: u16, confirm_within: Duration) -> Self {
        let keys = (0..partitions).map(|partition| topology::queue_name(partition).into()).collect();
        Self { link: ArcSwapOption::empty(), confirm_within, keys }
    }

    /// Publishes a request; returns once `RabbitMQ` has it on a durable queue. `ticket` is where its outcome is awaited.
    ///
    /// # Errors
    /// Where that is not certain: the request may be applied all the same.
    pub(crate) async fn publish(&self, request: &Request, ticket: Option<&Ticket>) -> Result<(), NotConfirmed> {
        let link = self.link.load_full().ok_or(NotConfirmed::NotConnected)?;
        if link.blocked.load(Ordering::Relaxed) {
            return Err(NotConfirmed::Blocked);
        }
        let partition = topology::partition(request.organization_id, u16::try_from(self.keys.len()).unwrap_or(u16::MAX));
        let key = self.keys[usize::from(partition)].clone();
        let reply = ticket.map(|ticket| ReplyTo { queue: REPLY_QUEUE, correlation_id: ticket.id() });
        let (properties, body) = (properties(request, APP_ID, reply), encode(request)?);
        // In a task of its own, since a caller that hangs up must not leave a confirm that nobody takes.
        let publishing = tokio::spawn(async move {
            let options = BasicPublishOptions { mandatory: true, ..Default::default() };
            link.channel.basic_publish(REQUESTED_EXCHANGE.into(), key, options, &body, properties).await?.await
        });
        match tokio::time::timeout(self.confirm_within, publishing).await {
            Err(_) => Err(NotConfirmed::TimedOut),
            Ok(Err(_)) => Err(NotConfirmed::BrokeOff),
            Ok(Ok(Err(error))) => Err(error.into()),
            Ok(Ok(Ok(Confirmation::Ack(None)))) => Ok(()),
            Ok(Ok(Ok(Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_))))) => Err(NotConfirmed::Unroutable),
            Ok(Ok(Ok(Confirmation::Nack(None) | Confirmation::NotRequested))) => Err(NotConfirmed::Refused),
        }
    }

    /// A channel for a question of one's own, such as how many consumers a queue has.
    pub(crate) async fn side_channel(&self) -> Result<Channel, NotConfirmed> {
        let link = self.link.load_full().ok_or(NotConfirmed::NotConnected)?;
        Ok(link.connection.create_channel().await?)
    }

    /// Connects, hears outcomes until the connection ends, and connects again, for as long as the process lives.
    pub(crate) async fn keep_connected(&self, amqp_url: &SecretString, waiting: &Waiting) {
        let mut backoff = Backoff::default();
        loop {
            match self.open(amqp_url).await {
                Ok((link, answers)) => {
                    tracing::info!("connected to rabbitmq");
                    backoff = Backoff::default();
                    self.link.store(Some(Arc::new(link)));
                    hear(answers, waiting).await;
                    self.link.store(None);
                    // Their answers went to a queue that is gone.
                    waiting.give_up();
                    tracing::warn!("the connection to rabbitmq ended");
                }
                Err(error) => tracing::warn!(%error, "rabbitmq is away"),
            }
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    async fn open(&self, amqp_url: &SecretString) -> Result<(Link, Consumer), lapin::Error> {
        let properties = ConnectionProperties::default().with_connection_name(APP_ID.into());
        let connection = Connection::connect(amqp_url.expose_secret(), properties).await?;
        let blocked = watch_blocking(&connection);
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        topology::declare(&channel, u16::try_from(self.keys.len()).unwrap_or(u16::MAX)).await?;
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let consumer = channel.basic_consume(REPLY_QUEUE.into(), "answers".into(), options, FieldTable::default()).await?;
        Ok((Link { connection, channel, blocked }, consumer))
    }
}

/// Whether the broker has asked for silence, as it does when memory or disk run low.
fn watch_blocking(connection: &Connection) -> Arc<AtomicBool> {
    let blocked = Arc::new(AtomicBool::new(false));
    let told = blocked.clone();
    let mut events = Box::pin(connection.events_listener());
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event {
                Event::ConnectionBlocked(reason) => {
                    tracing::warn!(reason, "rabbitmq takes no messages for now");
                    told.store(true, Ordering::Relaxed);
                }
                Event::ConnectionUnblocked => told.store(false, Ordering::Relaxed),
                _ => {}
            }
        }
    });
    blocked
}

async fn hear(mut answers: Consumer, waiting: &Waiting) {
    while let Some(Ok(delivery)) = answers.next().await {
        match decode_outcomes(&delivery.data) {
            Ok(outcomes) => outcomes.outcomes.into_iter().for_each(|(id, outcome)| waiting.resolve(id, outcome)),
            Err(error) => tracing::error!(%error, "an outcome cannot be read; are api and worker of the same version?"),
        }
    }
}
