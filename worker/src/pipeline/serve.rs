//! Serves one partition: carries batch after batch through the stages, and restarts after an error.

use futures_util::StreamExt;
use rollcall_service::backoff::Backoff;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::batch_run::BatchRun;
use super::error::RunError;
use super::hold::{Hold, report_stop};
use super::overlap::process;
use super::receive::drain;
use super::session::{Place, Session, WorkerContext, open};
use super::trial::Trial;
use crate::supervise::close;

/// Maximum delay between two attempts to serve a stopped partition.
const LONGEST_STOP: Duration = Duration::from_mins(1);
/// A run that lasted this long ended for a new reason, so the delay starts at its minimum again.
const LASTED: Duration = Duration::from_secs(30);

/// Serves a partition until `stop`. It reconnects to both servers for as long as necessary.
pub(crate) async fn serve(shared: Arc<WorkerContext>, partition: u16, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    let mut stopped = Backoff::up_to(LONGEST_STOP);
    let mut given_back = None;
    while !stop.is_cancelled() {
        let started = Instant::now();
        let ended = Box::pin(run(&shared, partition, &stop, &mut given_back)).await;
        shared.in_flight.leave(partition);
        let delay = match ended {
            Ok(()) => return,
            Err(RunError::Stopped(error)) => {
                report_stop(&shared, partition, &error);
                stopped.next_delay()
            }
            Err(error) => {
                tracing::warn!(partition, %error, "the partition restarts");
                if started.elapsed() > LASTED {
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

/// One run: processes batch after batch until `stop` or an error. A batch that goes back to the broker leaves
/// a trial in `given_back`.
async fn run(
    shared: &WorkerContext,
    partition: u16,
    stop: &CancellationToken,
    given_back: &mut Option<Trial>,
) -> Result<(), RunError> {
    let in_flight = &shared.in_flight;
    let name = format!("rollcall-worker/{partition}");
    let place = Place { shared, partition, name: &name, stop };
    let mut session = tokio::select! {
        opened = open(&place, given_back) => opened?,
        () = stop.cancelled() => return Ok(()),
    };
    tracing::info!(partition, "the partition is served");
    // The next batch shows whether the reason of a stop is gone. A partition without requests cannot show it.
    in_flight.resume(partition, 0);
    let mut upcoming = None;
    loop {
        let batch = match upcoming.take() {
            Some(batch) => batch,
            None => match receive(&place, &mut session).await? {
                Some(batch) => batch,
                None => break,
            },
        };
        in_flight.take(partition, batch.sent());
        upcoming = Box::pin(process(&place, &mut session, batch, given_back)).await?;
        if session.pending_acks.is_due() {
            acknowledge(&place, &mut session).await?;
        }
    }
    acknowledge(&place, &mut session).await?;
    let _channel = session.replier.finish().await;
    close(&session.connection).await;
    tracing::info!(partition, "left the partition; no message is left in flight");
    Ok(())
}

/// Waits for the next batch, and acknowledges committed batches in the meantime. Returns `None` after `stop`.
async fn receive(place: &Place<'_>, session: &mut Session) -> Result<Option<BatchRun>, RunError> {
    let WorkerContext { settings, in_flight, signed, .. } = place.shared;
    in_flight.empty(place.partition);
    loop {
        let first = tokio::select! {
            biased;
            () = place.stop.cancelled() => return Ok(None),
            error = signed.failed() => {
                acknowledge(place, session).await?;
                return Err(RunError::of(error));
            }
            delivery = session.consumer.next() => delivery,
            () = session.pending_acks.wait() => {
                acknowledge(place, session).await?;
                continue;
            }
        };
        return Ok(Some(BatchRun::of(drain(first, &mut session.consumer, settings.batch_size.into())?)));
    }
}

/// Sends the notifications of what is committed, and acknowledges it.
async fn acknowledge(place: &Place<'_>, session: &mut Session) -> Result<(), RunError> {
    let mut hold = Hold::begin();
    while let Err(error) = session.pending_acks.flush(&session.store).await {
        hold.recover(place, error, &mut session.store).await?;
    }
    Ok(())
}
