//! `run`: serves every partition until told to stop.

use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use super::CommandError;
use crate::call_log::keep_call_log;
use crate::checkpoints::keep_signing;
use crate::consume::{Shared, serve};
use crate::dead_letters::keep_letters;
use crate::erasure::keep_settling;
use crate::expiring::keep_announcing;
use crate::in_flight::{InFlight, keep_telling};
use crate::keep::{overdue, rest};
use crate::pruning::keep_pruning;
use crate::push::{Pushing, keep_pushing};
use crate::settings::Settings;
use crate::suspicion::Suspicions;
use rollcall_service::shutdown;

/// How long the worker may take to end in order. Then it ends all the same, even if a server hangs: what is not committed or acknowledged comes again.
const GRACE: Duration = Duration::from_secs(5);

/// Serves all partitions; with several workers, `RabbitMQ` gives each partition to one of them.
pub(super) async fn run(settings: Settings) -> Result<(), CommandError> {
    let stop = shutdown::on_signal()?;
    let settings = Arc::new(settings);
    let keys = settings.signing_keys()?;
    let shared =
        Arc::new(Shared { settings: settings.clone(), in_flight: InFlight::new(settings.partitions), suspicions: Suspicions::default() });
    let partitions = join_all((0..settings.partitions).map(|partition| supervise(shared.clone(), partition, stop.clone())));
    let pushing = keep_pushing(settings.clone(), Pushing::read(&settings)?, stop.clone());
    let (observed, expiring) = (keep_call_log(settings.clone(), stop.clone()), keep_announcing(settings.clone(), stop.clone()));
    let serving = async {
        tokio::join!(
            partitions,
            keep_telling(&shared, stop.clone()),
            keep_signing(settings.clone(), keys, stop.clone()),
            keep_pruning(settings.clone(), stop.clone()),
            keep_settling(settings.clone(), stop.clone()),
            pushing,
            observed,
            expiring,
            keep_letters(settings.clone(), stop.clone())
        )
    };
    tokio::select! {
        _ = serving => {}
        () = overdue(&stop, GRACE) => tracing::warn!("the worker did not end in order within {} s, and ends now", GRACE.as_secs()),
    }
    Ok(())
}

/// Starts a partition again should its task panic: one partition's trouble must not take the others along.
async fn supervise(shared: Arc<Shared>, partition: u16, stop: CancellationToken) {
    while let Err(error) = tokio::spawn(serve(shared.clone(), partition, stop.clone())).await {
        shared.in_flight.leave(partition);
        tracing::error!(partition, %error, "the partition's task broke off");
        rest(Duration::from_secs(1), &stop).await;
    }
}
