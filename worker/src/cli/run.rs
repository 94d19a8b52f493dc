//! `run`: serves every partition until told to stop.

use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use super::error::CommandError;
use crate::background::call_log::store_call_log;
use crate::background::dead_letters::store_dead_letters;
use crate::background::pruning::prune_regularly;
use crate::background::push::{Pushing, push_events};
use crate::background::status::publish_status;
use crate::background::token_expiry::announce_expiring_tokens;
use crate::erasure::finish_erasures;
use crate::log::checkpoints::sign_checkpoints;
use crate::pipeline::InFlight;
use crate::pipeline::Suspicions;
use crate::pipeline::{Shared, serve};
use crate::settings::Settings;
use crate::supervise::{overdue, rest};
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
    let partitions = join_all((0..settings.partitions).map(|partition| supervise_partition(shared.clone(), partition, stop.clone())));
    let pushing = push_events(settings.clone(), Pushing::read(&settings)?, stop.clone());
    let (observed, expiring) = (store_call_log(settings.clone(), stop.clone()), announce_expiring_tokens(settings.clone(), stop.clone()));
    let serving = async {
        tokio::join!(
            partitions,
            publish_status(&settings.database_url, &shared.in_flight, stop.clone()),
            sign_checkpoints(settings.clone(), keys, stop.clone()),
            prune_regularly(settings.clone(), stop.clone()),
            finish_erasures(settings.clone(), stop.clone()),
            pushing,
            observed,
            expiring,
            store_dead_letters(settings.clone(), stop.clone())
        )
    };
    tokio::select! {
        _ = serving => {}
        () = overdue(&stop, GRACE) => tracing::warn!("the worker did not end in order within {} s, and ends now", GRACE.as_secs()),
    }
    Ok(())
}

/// Starts a partition again should its task panic: one partition's trouble must not take the others along.
async fn supervise_partition(shared: Arc<Shared>, partition: u16, stop: CancellationToken) {
    while let Err(error) = tokio::spawn(serve(shared.clone(), partition, stop.clone())).await {
        shared.in_flight.leave(partition);
        tracing::error!(partition, %error, "the partition's task broke off");
        rest(Duration::from_secs(1), &stop).await;
    }
}
