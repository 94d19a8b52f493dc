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

use crate::acks::PendingAcks;
use crate::batch_run::{BatchRun, Finished, Tools};
use crate::dead_letters::{DeadLetters, forget};
use crate::in_flight::InFlight;
use crate::keep::close;
use crate::reply::Replier;
use crate::settings::Settings;
use crate::statements;
use crate::store::{Remedy, Store, StoreError};
use crate::suspicion::Suspicions;
use crate::trial::Trial;
use crate::wait::{OPEN, TimedOut, within};

/// Why a partition's run ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("rabbitmq: {0}")]
    Broker(#[from] lapin::Error),
    /// A server hangs.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    #[error("rabbitmq closed the queue's consumer")]
    ConsumerClosed,
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Neither what was taken nor anything else of the partition can be applied until an operator has mended the database or the program.
    #[error("the partition has stopped: {0}")]
    Stopped(StoreError),
    /// A request took too long. It is tried once more.
    #[error(transparent)]
    Slow(StoreError),
    #[error("outcomes can no longer be sent")]
    RepliesEnded,
    #[error("rabbitmq did not confirm a dead letter")]
    NotConfirmed,
    #[error("an answer cannot be written: {0}")]
    Unwritable(#[from] serde_json::Error),
}

impl RunError {
    /// What an error of Postgres means for the run.
    pub(crate) fn of(error: StoreError) -> Self {
        if error.remedy() == Remedy::Stop { Self::Stopped(error) } else { error.into() }
    }
}

/// Where the tables are.
const SCHEMA: &str = "rollcall";
/// The longest time between two attempts to serve a partition that has stopped.
const LONGEST_STOP: Duration = Duration::from_mins(1);

/// What all partitions of a worker share.
pub(crate) struct Shared {
    pub(crate) settings: Arc<Settings>,
    pub(crate) in_flight: InFlight,
    pub(crate) suspicions: Suspicions,
}

/// Serves a partition until `stop`, reconnecting to either server for as long as it takes.
pub(crate) async fn serve(shared: Arc<Shared>, partition: u16, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    let mut stopped = Backoff::up_to(LONGEST_STOP);
    let mut given_back = None;
    while !stop.is_cancelled() {
        let started = Instant::now();
        let ended = run(&shared, partition, &stop, &mut given_back).await;
        shared.in_flight.leave(partition);
        let delay = match ended {
            Ok(()) => return,
            Err(RunError::Stopped(error)) => {
                report_stop(&shared, partition, &error);
                stopped.next_delay()
            }
            Err(error) => {
                tracing::warn!(partition, %error, "the partition starts again");
                // A run that lasted was not part of the same trouble.
                if started.elapsed() > Duration::from_secs(30) {
                    backoff = Backoff::default();
                }
                backoff.next_delay()
            }
        };
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Tells operators that a partition has stopped, and why.
fn report_stop(shared: &Shared, partition: u16, error: &StoreError) {
    tracing::error!(partition, %error, "the partition has stopped; nothing of it is lost, and it goes on once that is mended");
    shared.in_flight.stop(partition, error.to_string());
}

/// What a run works with.
struct Session {
    store: Store,
    connection: Connection,
    consumer: Consumer,
    replier: Replier,
    dead: DeadLetters,
    pending_acks: PendingAcks,
}

/// Opens a session. Every statement is tried without a row and what was given back is tried before, so that nothing is taken from the queue that could not be applied.
async fn open(place: &Place<'_>, given_back: &mut Option<Trial>) -> Result<Session, RunError> {
    let Place { shared, name, .. } = *place;
    let store = within("a session with postgres", OPEN, connect(&shared.settings, name)).await??;
    if let Some(trial) = given_back {
        trial.run(&store, &shared.suspicions, shared.settings.prefetch).await.map_err(|error| match error.remedy() {
            Remedy::Retry => RunError::Store(error),
            _ => RunError::Stopped(error),
        })?;
    }
    *given_back = None;
    within("a session with rabbitmq", OPEN, consume(place, store)).await?
}

/// Begins to take messages.
async fn consume(place: &Place<'_>, store: Store) -> Result<Session, RunError> {
    let Place { shared: Shared { settings, .. }, partition, name, .. } = *place;
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connection = Connection::connect(settings.amqp_url.expose_secret(), properties).await?;
    let channel = connection.create_channel().await?;
    topology::declare(&channel, settings.partitions).await?;
    // A batch to work on, while another is not acknowledged yet.
    channel.basic_qos(settings.batch_size.saturating_mul(2), BasicQosOptions::default()).await?;
    let queue = topology::queue_name(partition);
    let consumer = channel.basic_consume(queue.into(), name.into(), BasicConsumeOptions::default(), FieldTable::default()).await?;
    let (replier, dead) = (Replier::open(&connection).await?, DeadLetters::open(&connection).await?);
    Ok(Session { store, connection, consumer, replier, dead, pending_acks: PendingAcks::new(settings.batch_size.into()) })
}

/// Connects to Postgres.
async fn connect(settings: &Settings, name: &str) -> Result<Store, RunError> {
    let tried = async {
        let store = Store::connect(&settings.database_url, name, SCHEMA, statements::of_batches()).await?;
        store.probe().await?;
        Ok(store)
    };
    tried.await.map_err(RunError::of)
}

/// One run: takes batch after batch until it is told to stop or something fails. What fails and is given back to the broker stands in `given_back` then.
async fn run(shared: &Shared, partition: u16, stop: &CancellationToken, given_back: &mut Option<Trial>) -> Result<(), RunError> {
    let (settings, in_flight) = (&shared.settings, &shared.in_flight);
    let name = format!("rollcall-worker/{partition}");
    let place = Place { shared, partition, name: &name, stop };
    let mut session = tokio::select! {
        opened = open(&place, given_back) => opened?,
        () = stop.cancelled() => return Ok(()),
    };
    tracing::info!(partition, "the partition is served");
    // Whatever stopped it is tried again with the next batch; a partition without requests has nothing that could show that it is mended.
    in_flight.resume(partition, 0);
    loop {
        in_flight.empty(partition);
        let first = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            delivery = session.consumer.next() => delivery.ok_or(RunError::ConsumerClosed)??,
            () = session.pending_acks.wait() => {
                settle(&place, &mut session).await?;
                continue;
            }
        };
        in_flight.take(partition, sent(&first));
        let work = drain(first, &mut session.consumer, settings.batch_size.into())?;
        handle(&place, &mut session, work, given_back).await?;
        if session.pending_acks.is_due() {
            settle(&place, &mut session).await?;
        }
    }
    settle(&place, &mut session).await?;
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
fn drain(first: Delivery, consumer: &mut Consumer, enough: usize) -> Result<BatchRun, lapin::Error> {
    let mut work = BatchRun::of(first);
    while work.len() < enough {
        match consumer.next().now_or_never() {
            Some(Some(delivery)) => work.add(delivery?),
            Some(None) | None => break,
        }
    }
    Ok(work)
}

/// Where a run takes place.
struct Place<'a> {
    shared: &'a Shared,
    partition: u16,
    /// The name of its connections.
    name: &'a str,
    stop: &'a CancellationToken,
}

/// Applies a batch and has it answered: in this order, so that nothing is answered that could still be lost. What an erasure leaves to be done is done before it is
/// acknowledged: should it break off, it comes again.
async fn handle(place: &Place<'_>, session: &mut Session, mut work: BatchRun, given_back: &mut Option<Trial>) -> Result<(), RunError> {
    if let Err(error) = finish(place, session, &mut work).await {
        *given_back = Some(work.give_back());
        return Err(error);
    }
    place.shared.in_flight.resume(place.partition, work.demand_loads());
    let Finished { replies, notifications, deliveries, last, has_buried } = work.finish();
    session.replier.answer(replies).await?;
    session.pending_acks.take(last, deliveries, notifications, has_buried);
    Ok(())
}

/// Works on a batch until everything of it is done, for as long as it may be held.
async fn finish(place: &Place<'_>, session: &mut Session, work: &mut BatchRun) -> Result<(), RunError> {
    let mut hold = Hold::begin();
    loop {
        let Session { store, dead, .. } = &*session;
        let tools = Tools { store, dead, suspicions: &place.shared.suspicions, prefetch: place.shared.settings.prefetch };
        match work.resume(&tools).await {
            Ok(()) => break,
            Err(error) => hold.mend(place, error, &mut session.store).await?,
        }
    }
    while let Err(error) = forget(&session.store, work.erased()).await {
        if error.remedy() == Remedy::Poison {
            tracing::error!(%error, "an erasure is not settled yet: what names the person is removed in the background");
            break;
        }
        hold.mend(place, RunError::of(error), &mut session.store).await?;
    }
    Ok(())
}

/// Tells listeners of what is committed, and acknowledges it.
async fn settle(place: &Place<'_>, session: &mut Session) -> Result<(), RunError> {
    let mut hold = Hold::begin();
    while let Err(error) = session.pending_acks.settle(&session.store).await {
        hold.mend(place, error, &mut session.store).await?;
    }
    Ok(())
}

/// A batch that is held while Postgres is away, or while the partition is stopped.
struct Hold {
    since: Instant,
    backoff: Backoff,
}

impl Hold {
    fn begin() -> Self {
        Self { since: Instant::now(), backoff: Backoff::default() }
    }

    /// Waits and connects anew, so that what failed can be tried again; gives the failure back where it is none that passes, or where the batch was held for long enough.
    async fn mend(&mut self, place: &Place<'_>, error: RunError, store: &mut Store) -> Result<(), RunError> {
        match &error {
            RunError::Store(failure) if failure.remedy() == Remedy::Retry => tracing::warn!(%error, "the batch is held and tried again"),
            RunError::Slow(_) => tracing::warn!(%error, "a request is tried once more"),
            RunError::Stopped(failure) => report_stop(place.shared, place.partition, failure),
            _ => return Err(error),
        }
        let settings = &place.shared.settings;
        if place.stop.is_cancelled() || self.since.elapsed() > Duration::from_secs(settings.hold_seconds) {
            return Err(error);
        }
        tokio::select! {
            () = tokio::time::sleep(self.backoff.next_delay()) => {}
            () = place.stop.cancelled() => return Err(error),
        }
        let opened = within("a session with postgres", OPEN, connect(settings, place.name)).await;
        match opened.map_err(RunError::from).and_then(|opened| opened) {
            Ok(fresh) => *store = fresh,
            Err(error) => tracing::warn!(%error, "there is no session with postgres yet"),
        }
        Ok(())
    }
}
