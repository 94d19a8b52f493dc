//! `run`: serves every partition until a stop signal.

use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use super::error::CommandError;
use crate::background::call_log::store_call_log;
use crate::background::dead_letters::store_dead_letters;
use crate::background::pruning::prune_regularly;
use crate::background::push::{PushSettings, push_events};
use crate::background::sinks::{deliver_to_sinks, sinks};
use crate::background::status::publish_status;
use crate::background::token_expiry::announce_expiring_tokens;
use crate::erasure::finish_erasures;
use crate::log::checkpoints::sign_checkpoints;
use crate::log::service::{ServiceLog, keep_service_log};
use crate::log::signer::{SignedLogs, Signing};
use crate::pipeline::InFlight;
use crate::pipeline::Suspicions;
use crate::pipeline::{WorkerContext, serve};
use crate::settings::Settings;
use crate::supervise::{overdue, rest};
use rollcall_service::shutdown;

/// Time limit for a clean shutdown. After it, the worker exits even if a server hangs. The broker redelivers
/// messages that were not acknowledged.
const GRACE: Duration = Duration::from_secs(5);

/// Serves all partitions. With several workers, `RabbitMQ` gives each partition to one of them.
pub(super) async fn run(settings: Settings) -> Result<(), CommandError> {
    let stop = shutdown::on_signal()?;
    let settings = Arc::new(settings);
    let service_log = ServiceLog::read(&settings)?;
    let signing = Signing::read(&settings)?;
    let signed = match (&signing.file, signing.keys.name()) {
        (Some(file), Some(signer)) => SignedLogs::of(file, signer),
        _ => SignedLogs::without_file(),
    };
    let sinks = sinks(&settings.sinks)?;
    let shared = Arc::new(WorkerContext {
        settings: settings.clone(),
        in_flight: InFlight::new(settings.partitions),
        suspicions: Suspicions::default(),
        signed,
    });
    let partitions = join_all(
        (0..settings.partitions).map(|partition| supervise_partition(shared.clone(), partition, stop.clone())),
    );
    let pushing = push_events(settings.clone(), PushSettings::read(&settings)?, stop.clone());
    let (call_log, expiry) =
        (store_call_log(settings.clone(), stop.clone()), announce_expiring_tokens(settings.clone(), stop.clone()));
    let serving = async {
        tokio::join!(
            partitions,
            publish_status(&settings.database_url, &shared.in_flight, stop.clone()),
            keep_service_log(settings.clone(), service_log, stop.clone()),
            sign_checkpoints(settings.clone(), &signing, &shared.signed, stop.clone()),
            prune_regularly(settings.clone(), stop.clone()),
            finish_erasures(settings.clone(), stop.clone()),
            pushing,
            deliver_to_sinks(settings.clone(), sinks, stop.clone()),
            call_log,
            expiry,
            store_dead_letters(settings.clone(), stop.clone())
        )
    };
    tokio::select! {
        _ = serving => {}
        () = overdue(&stop, GRACE) => tracing::warn!(
            "the worker did not stop cleanly within {} s and exits now", GRACE.as_secs()
        ),
    }
    Ok(())
}

/// Starts the task of a partition again if it panics, so that a fault in one partition does not stop the
/// others.
async fn supervise_partition(shared: Arc<WorkerContext>, partition: u16, stop: CancellationToken) {
    while let Err(error) = tokio::spawn(serve(shared.clone(), partition, stop.clone())).await {
        shared.in_flight.leave(partition);
        tracing::error!(partition, %error, "the partition's task panicked and will be started again");
        rest(Duration::from_secs(1), &stop).await;
    }
}
