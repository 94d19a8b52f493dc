//! The api's side of `RabbitMQ`: publishes with confirms, and hears the outcomes.

mod batching;

use arc_swap::ArcSwapOption;
use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, Event, ExchangeKind, PublisherConfirm};
use rollcall_events::OrganizationId;
use rollcall_events::call_log::{CallRecord, OBSERVED_TYPE};
use rollcall_events::request::Request;
use rollcall_queue::envelope::{CONTENT_TYPE, decode_outcomes};
use rollcall_queue::framing::{Frame, Message};
use rollcall_queue::topology::{self, OBSERVED, REQUESTED_EXCHANGE};
use rollcall_service::backoff::Backoff;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::pending::{PendingReplies, ReplySlot};
use batching::BatchingPublisher;

const APP_ID: &str = "rollcall-api";
/// How long it may take to connect and to declare everything.
const CONNECT: Duration = Duration::from_secs(15);
/// How often the broker is to give a sign of life, unless the address says otherwise: a connection without one for twice as long has ended.
const HEARTBEAT_SECONDS: u16 = 10;
/// `RabbitMQ`'s direct reply-to: what is published to the address that it makes of this goes to the asking channel without a queue in between.
const REPLY_QUEUE: &str = "amq.rabbitmq.reply-to";

/// Why a request was not published for sure.
#[derive(Debug, Clone, thiserror::Error)]
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
    Unwritable(Arc<serde_json::Error>),
    #[error("amqp_url is not an address: {0}")]
    Address(String),
    #[error("the publishing task broke off")]
    BrokeOff,
}

impl From<serde_json::Error> for NotConfirmed {
    fn from(error: serde_json::Error) -> Self {
        Self::Unwritable(Arc::new(error))
    }
}

/// Publishes requests over whatever connection there is at the time.
pub(crate) struct Publisher {
    link: Arc<ArcSwapOption<Link>>,
    confirm_within: Duration,
    /// The queue of each partition, and the way there.
    keys: Vec<ShortString>,
    publishers: Vec<BatchingPublisher>,
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
        let keys: Vec<ShortString> = (0..partitions).map(|partition| topology::queue_name(partition).into()).collect();
        let link = Arc::new(ArcSwapOption::empty());
        let publishers = keys.iter().map(|key| BatchingPublisher::open(key.clone(), link.clone(), confirm_within)).collect();
        Self { link, confirm_within, keys, publishers }
    }

    /// Publishes a request, behind those of its organization that were published before. `slot` is where its outcome is awaited: that is given up where `RabbitMQ` does
    /// not take it.
    ///
    /// # Errors
    /// Where it is not even tried.
    pub(crate) fn publish(&self, request: &Request, slot: Option<&ReplySlot>) -> Result<Publishing, NotConfirmed> {
        self.link()?;
        let packed = Frame::new(request, slot.map(ReplySlot::id))?;
        let taken = self.publishers[usize::from(self.partition(request.organization_id))].post(packed, slot)?;
        Ok(Publishing { taken, until: Instant::now() + self.confirm_within })
    }

    /// Publishes requests of one organization in their order; whether `RabbitMQ` has each on a durable queue.
    pub(crate) async fn publish_all(
        &self,
        requests: impl Iterator<Item = (&Request, Option<&ReplySlot>)>,
    ) -> Vec<Result<(), NotConfirmed>> {
        let publishing: Vec<_> = requests.map(|(request, slot)| self.publish(request, slot)).collect();
        let mut taken = Vec::with_capacity(publishing.len());
        for publishing in publishing {
            taken.push(match publishing {
                Ok(publishing) => publishing.confirmed().await,
                Err(error) => Err(error),
            });
        }
        taken
    }

    /// Tells what was observed of calls, in a message that no disk has to hold.
    ///
    /// # Errors
    /// Where `RabbitMQ` did not take it.
    pub(crate) async fn tell(&self, calls: &[CallRecord]) -> Result<(), NotConfirmed> {
        let (link, body) = (self.link()?, serde_json::to_vec(calls)?);
        let properties = BasicProperties::default().with_type(OBSERVED_TYPE.into()).with_content_type(CONTENT_TYPE.into());
        let telling = tokio::spawn(async move {
            link.channel.basic_publish("".into(), OBSERVED.into(), BasicPublishOptions::default(), &body, properties).await?.await
        });
        match tokio::time::timeout(self.confirm_within, telling).await {
            Err(_) => Err(NotConfirmed::TimedOut),
            Ok(Err(_)) => Err(NotConfirmed::BrokeOff),
            Ok(Ok(confirmation)) => confirmed(confirmation),
        }
    }

    /// The connection, where it takes messages.
    fn link(&self) -> Result<Arc<Link>, NotConfirmed> {
        let link = self.link.load_full().ok_or(NotConfirmed::NotConnected)?;
        if link.blocked.load(Ordering::Relaxed) { Err(NotConfirmed::Blocked) } else { Ok(link) }
    }

    /// How many messages wait in the partition of an organization, and how many workers serve it or stand by.
    ///
    /// # Errors
    /// Where `RabbitMQ` does not tell.
    pub(crate) async fn queue(&self, organization: OrganizationId) -> Result<(u32, u32), NotConfirmed> {
        let found = self.look_at(std::slice::from_ref(self.key(organization))).await?;
        found.first().copied().ok_or(NotConfirmed::NotConnected)
    }

    /// The same of every partition, in their order.
    ///
    /// # Errors
    /// Where `RabbitMQ` does not tell.
    pub(crate) async fn queues(&self) -> Result<Vec<(u32, u32)>, NotConfirmed> {
        self.look_at(&self.keys).await
    }

    /// Asks over a channel of its own: the broker closes one that asks for what is not there.
    async fn look_at(&self, queues: &[ShortString]) -> Result<Vec<(u32, u32)>, NotConfirmed> {
        let link = self.link.load_full().ok_or(NotConfirmed::NotConnected)?;
        let asking = async {
            let channel = link.connection.create_channel().await?;
            let passive = ExchangeDeclareOptions { passive: true, durable: true, ..Default::default() };
            channel.exchange_declare(REQUESTED_EXCHANGE.into(), ExchangeKind::Direct, passive, FieldTable::default()).await?;
            let mut found = Vec::with_capacity(queues.len());
            for queue in queues {
                let passive = QueueDeclareOptions { passive: true, durable: true, ..Default::default() };
                let queue = channel.queue_declare(queue.clone(), passive, FieldTable::default()).await?;
                found.push((queue.message_count(), queue.consumer_count()));
            }
            channel.close(200, "".into()).await?;
            Ok(found)
        };
        tokio::time::timeout(self.confirm_within, asking).await.map_err(|_| NotConfirmed::TimedOut)?
    }

    /// The partition of an organization.
    pub(crate) fn partition(&self, organization: OrganizationId) -> u16 {
        topology::partition(organization, u16::try_from(self.keys.len()).unwrap_or(u16::MAX))
    }

    fn key(&self, organization: OrganizationId) -> &ShortString {
        &self.keys[usize::from(self.partition(organization))]
    }

    /// Connects, hears outcomes until the connection ends, and connects again, for as long as the process lives.
    pub(crate) async fn keep_connected(&self, amqp_url: &SecretString, waiting: &PendingReplies) {
        let mut backoff = Backoff::default();
        loop {
            // A broker that takes the connection and says nothing must not be waited for.
            let opening = tokio::time::timeout(CONNECT, self.open(amqp_url)).await;
            match opening.unwrap_or(Err(NotConfirmed::TimedOut)) {
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

    async fn open(&self, amqp_url: &SecretString) -> Result<(Link, Consumer), NotConfirmed> {
        let properties = ConnectionProperties::default().with_connection_name(APP_ID.into());
        let mut uri: AMQPUri = amqp_url.expose_secret().parse().map_err(NotConfirmed::Address)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        let connection = Connection::connect_uri(uri, properties).await?;
        let blocked = watch_blocking(&connection);
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        topology::declare(&channel, u16::try_from(self.keys.len()).unwrap_or(u16::MAX)).await?;
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let consumer = channel.basic_consume(REPLY_QUEUE.into(), "answers".into(), options, FieldTable::default()).await?;
        Ok((Link { connection, channel, blocked }, consumer))
    }
}

/// A request on its way to `RabbitMQ`. To drop it is to take it back, unless it is sent already.
pub(crate) struct Publishing {
    taken: oneshot::Receiver<Result<(), NotConfirmed>>,
    until: Instant,
}

impl Publishing {
    /// Returns once `RabbitMQ` has it on a durable queue.
    ///
    /// # Errors
    /// Where that is not certain: the request may be applied all the same.
    pub(crate) async fn confirmed(self) -> Result<(), NotConfirmed> {
        match tokio::time::timeout_at(self.until, self.taken).await {
            Err(_) => Err(NotConfirmed::TimedOut),
            Ok(Err(_)) => Err(NotConfirmed::BrokeOff),
            Ok(Ok(taken)) => taken,
        }
    }
}

impl Link {
    async fn send(&self, key: ShortString, message: Message) -> Result<PublisherConfirm, lapin::Error> {
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        self.channel.basic_publish(REQUESTED_EXCHANGE.into(), key, options, &message.body, message.properties).await
    }
}

fn confirmed(confirmation: Result<Confirmation, lapin::Error>) -> Result<(), NotConfirmed> {
    match confirmation? {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)) => Err(NotConfirmed::Unroutable),
        Confirmation::Nack(None) | Confirmation::NotRequested => Err(NotConfirmed::Refused),
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

async fn hear(mut answers: Consumer, waiting: &PendingReplies) {
    while let Some(Ok(delivery)) = answers.next().await {
        match decode_outcomes(&delivery.data) {
            Ok(outcomes) => outcomes.outcomes.into_iter().for_each(|(id, outcome)| waiting.resolve(id, outcome)),
            Err(error) => tracing::error!(%error, "an outcome cannot be read; are api and worker of the same version?"),
        }
    }
}
