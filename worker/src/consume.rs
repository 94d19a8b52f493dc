//! One partition: takes what its queue delivers, batch by batch, and starts again after whatever goes wrong.

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, Consumer};
use rollcall_events::{Timestamp, topology};
use rollcall_service::backoff::Backoff;
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use crate::dead::{DeadLetters, forget};
use crate::hand::Hands;
use crate::keep::close;
use crate::reply::Replier;
use crate::settings::Settings;
use crate::settle::Unsettled;
use crate::store::{Store, StoreError};
use crate::work::{Finished, Work};

/// Why a partition's run ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("rabbitmq: {0}")]
    Broker(#[from] lapin::Error),
    #[error("the servers did not let the partition in within {} s", OPEN.as_secs())]
    NotLetIn,
    #[error("rabbitmq closed the queue's consumer")]
    ConsumerClosed,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("outcomes can no longer be sent")]
    RepliesEnded,
    #[error("rabbitmq did not confirm a dead letter")]
    NotConfirmed,
    #[error("an answer cannot be written: {0}")]
    Unwritable(#[from] serde_json::Error),
}

/// Serves a partition until `stop`, reconnecting to either server for as long as it takes.
pub(crate) async fn serve(settings: Arc<Settings>, partition: u16, hands: Arc<Hands>, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    while !stop.is_cancelled() {
        let started = Instant::now();
        let ended = run(&settings, partition, &hands, &stop).await;
        hands.leave(partition);
        match ended {
            Ok(()) => return,
            Err(error) => tracing::warn!(partition, %error, "the partition starts again"),
        }
        // A run that lasted was not part of the same trouble.
        if started.elapsed() > Duration::from_secs(30) {
            backoff = Backoff::default();
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.next_delay()) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// How long a server may take to let a partition in: a broker that has just started can leave a consumer waiting without end.
const OPEN: Duration = Duration::from_secs(20);

/// What a run works with.
struct Session {
    store: Store,
    connection: Connection,
    consumer: Consumer,
    replier: Replier,
    dead: DeadLetters,
    unsettled: Unsettled,
}

/// Opens a session: Postgres first, so that nothing is taken from the queue that could not be applied.
async fn open(settings: &Settings, partition: u16, name: &str) -> Result<Session, RunError> {
    let store = Store::connect(&settings.database_url, name).await?;
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connection = Connection::connect(settings.amqp_url.expose_secret(), properties).await?;
    let channel = connection.create_channel().await?;
    topology::declare(&channel, settings.partitions).await?;
    // A batch to work on, while another is not acknowledged yet.
    channel.basic_qos(settings.batch_size.saturating_mul(2), BasicQosOptions::default()).await?;
    let queue = topology::queue_name(partition);
    let consumer = channel.basic_consume(queue.into(), name.into(), BasicConsumeOptions::default(), FieldTable::default()).await?;
    let (replier, dead) = (Replier::open(&connection).await?, DeadLetters::open(&connection).await?);
    Ok(Session { store, connection, consumer, replier, dead, unsettled: Unsettled::new(settings.batch_size.into()) })
}

/// One run: takes batch after batch until it is told to stop or something fails.
async fn run(settings: &Settings, partition: u16, hands: &Hands, stop: &CancellationToken) -> Result<(), RunError> {
    let name = format!("rollcall-worker/{partition}");
    let opening = tokio::time::timeout(OPEN, open(settings, partition, &name));
    let mut session = opening.await.map_err(|_| RunError::NotLetIn)??;
    tracing::info!(partition, "the partition is served");
    loop {
        hands.empty(partition);
        let first = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            delivery = session.consumer.next() => delivery.ok_or(RunError::ConsumerClosed)??,
            () = session.unsettled.wait() => {
                settle(settings, &name, &mut session, stop).await?;
                continue;
            }
        };
        hands.take(partition, sent(&first));
        let work = drain(first, &mut session.consumer, settings.batch_size.into())?;
        handle(settings, &name, &mut session, work, stop).await?;
        if session.unsettled.is_due() {
            settle(settings, &name, &mut session, stop).await?;
        }
    }
    settle(settings, &name, &mut session, stop).await?;
    let _channel = session.replier.finish().await;
    close(&session.connection).await;
    tracing::info!(partition, "the partition is left in order");
    Ok(())
}

/// When a message was sent, in Unix seconds; one that does not say so counts from now.
fn sent(delivery: &Delivery) -> i64 {
    let told = delivery.properties.timestamp().and_then(|seconds| i64::try_from(seconds).ok());
    told.unwrap_or_else(|| Timestamp::now().as_second())
}

/// Everything that is delivered already, without waiting for more, until there are so many requests.
fn drain(first: Delivery, consumer: &mut Consumer, enough: usize) -> Result<Work, lapin::Error> {
    let mut work = Work::of(first);
    while work.len() < enough {
        match consumer.next().now_or_never() {
            Some(Some(delivery)) => work.add(delivery?),
            Some(None) | None => break,
        }
    }
    Ok(work)
}

/// Applies a batch and has it answered: in this order, so that nothing is answered that could still be lost. What an erasure leaves to be done is done before it is
/// acknowledged: should it break off, it comes again.
async fn handle(settings: &Settings, name: &str, session: &mut Session, mut work: Work, stop: &CancellationToken) -> Result<(), RunError> {
    let mut hold = Hold::begin();
    while let Err(error) = work.go_on(&session.store, &session.dead).await {
        hold.mend(error, settings, name, &mut session.store, stop).await?;
    }
    if !work.erased().is_empty() {
        forget(&session.store, work.erased()).await?;
    }
    let Finished { replies, news, deliveries, last, has_buried } = work.finish();
    session.replier.answer(replies).await?;
    session.unsettled.take(last, deliveries, news, has_buried);
    Ok(())
}

/// Tells listeners of what is committed, and acknowledges it.
async fn settle(settings: &Settings, name: &str, session: &mut Session, stop: &CancellationToken) -> Result<(), RunError> {
    let mut hold = Hold::begin();
    while let Err(error) = session.unsettled.settle(&session.store).await {
        hold.mend(error, settings, name, &mut session.store, stop).await?;
    }
    Ok(())
}

/// A batch that is held while Postgres is away.
struct Hold {
    since: Instant,
    backoff: Backoff,
}

impl Hold {
    fn begin() -> Self {
        Self { since: Instant::now(), backoff: Backoff::default() }
    }

    /// Waits and connects anew, so that what failed can be tried again; gives the failure back where it is none that passes, or where the batch was held for long enough.
    async fn mend(
        &mut self,
        error: RunError,
        settings: &Settings,
        name: &str,
        store: &mut Store,
        stop: &CancellationToken,
    ) -> Result<(), RunError> {
        let is_over = stop.is_cancelled() || self.since.elapsed() > Duration::from_secs(settings.hold_seconds);
        if is_over || !matches!(error, RunError::Store(_)) {
            return Err(error);
        }
        tracing::warn!(%error, "the batch is held and tried again");
        tokio::time::sleep(self.backoff.next_delay()).await;
        match Store::connect(&settings.database_url, name).await {
            Ok(fresh) => *store = fresh,
            Err(error) => tracing::warn!(%error, "postgres is away"),
        }
        Ok(())
    }
}
