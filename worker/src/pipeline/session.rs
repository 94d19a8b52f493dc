//! The connections of a partition's run.

use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, Consumer};
use rollcall_queue::topology;
use secrecy::ExposeSecret;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

use super::ack::PendingAcks;
use super::dead_letter::DeadLetters;
use super::error::RunError;
use super::in_flight::InFlight;
use super::known::KnownLogs;
use super::reader::Reader;
use super::reader::SCHEMA;
use super::reply::Replier;
use super::statements;
use super::suspicion::Suspicions;
use super::trial::Trial;
use crate::db::{Remedy, Store};
use crate::log::signer::SignedLogs;
use crate::settings::Settings;
use crate::wait::{OPEN, within};

/// The parts that all partitions of a worker share.
pub(crate) struct WorkerContext {
    pub(crate) settings: Arc<Settings>,
    pub(crate) in_flight: InFlight,
    pub(crate) suspicions: Suspicions,
    pub(crate) signed: SignedLogs,
}

/// The partition that a run serves.
pub(super) struct Place<'a> {
    pub(super) shared: &'a WorkerContext,
    pub(super) partition: u16,
    /// The name of its connections.
    pub(super) name: &'a str,
    pub(super) stop: &'a CancellationToken,
}

/// The connections of a run.
pub(super) struct Session {
    pub(super) store: Store,
    /// Reads for the next batch while `store` writes.
    pub(super) reader: Reader,
    /// What the partition knows of its logs.
    pub(super) known: KnownLogs,
    pub(super) connection: Connection,
    pub(super) consumer: Consumer,
    pub(super) replier: Replier,
    pub(super) dead: DeadLetters,
    pub(super) pending_acks: PendingAcks,
}

/// Opens a session. Before it consumes, it runs every statement without rows, waits until the logs were compared
/// with what was signed, and runs the batch of the last run as a trial. So a worker never takes messages that it
/// cannot apply.
pub(super) async fn open(place: &Place<'_>, given_back: &mut Option<Trial>) -> Result<Session, RunError> {
    let Place { shared, name, .. } = *place;
    let store = within("a session with postgres", OPEN, connect(&shared.settings, name)).await??;
    within("the comparison of the logs with what was signed", OPEN, shared.signed.ready())
        .await?
        .map_err(RunError::of)?;
    if let Some(trial) = given_back {
        trial.run(&store, &shared.suspicions, &shared.signed, shared.settings.prefetch).await.map_err(|error| {
            match error.remedy() {
                Remedy::Retry => RunError::Store(error),
                _ => RunError::Stopped(error),
            }
        })?;
    }
    *given_back = None;
    within("a session with rabbitmq", OPEN, consume(place, store)).await?
}

/// Connects to Postgres.
pub(super) async fn connect(settings: &Settings, name: &str) -> Result<Store, RunError> {
    let tried = async {
        let store = Store::connect(&settings.database_url, name, SCHEMA, statements::of_batches()).await?;
        store.probe().await?;
        Ok(store)
    };
    tried.await.map_err(RunError::of)
}

/// Connects to the broker and starts consuming.
async fn consume(place: &Place<'_>, store: Store) -> Result<Session, RunError> {
    let Place { shared: WorkerContext { settings, .. }, partition, name, .. } = *place;
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connection = Connection::connect(settings.amqp_url.expose_secret(), properties).await?;
    let channel = connection.create_channel().await?;
    topology::declare(&channel, settings.partitions).await?;
    // One batch is written while the next one is prepared and another waits for its acks.
    channel.basic_qos(settings.batch_size.saturating_mul(3), BasicQosOptions::default()).await?;
    let queue = topology::queue_name(partition);
    let consumer =
        channel.basic_consume(queue.into(), name.into(), BasicConsumeOptions::default(), FieldTable::default()).await?;
    let (replier, dead) = (Replier::open(&connection).await?, DeadLetters::open(&connection).await?);
    Ok(Session {
        store,
        reader: Reader::default(),
        known: KnownLogs::default(),
        connection,
        consumer,
        replier,
        dead,
        pending_acks: PendingAcks::new(settings.batch_size.into()),
    })
}
