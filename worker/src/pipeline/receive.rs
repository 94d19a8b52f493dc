//! Serves one partition: receives what its queue has delivered, batch by batch, and restarts after an error.

use futures_util::{FutureExt, StreamExt};
use lapin::Consumer;
use lapin::message::Delivery;
use rollcall_events::Timestamp;
use rollcall_service::backoff::Backoff;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::batch_run::{BatchRun, Finished, Tools};
use super::error::RunError;
use super::hold::{Hold, report_stop};
use super::session::{Place, Session, Shared, open};
use super::trial::Trial;
use crate::db::Remedy;
use crate::erasure::forget;
use crate::supervise::close;

/// Maximum delay between two attempts to serve a stopped partition.
const LONGEST_STOP: Duration = Duration::from_mins(1);
/// A run that lasted this long ended for a new reason, so the delay starts at its minimum again.
const LASTED: Duration = Duration::from_secs(30);

/// Serves a partition until `stop`. It reconnects to both servers for as long as necessary.
pub(crate) async fn serve(shared: Arc<Shared>, partition: u16, stop: CancellationToken) {
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
    shared: &Shared,
    partition: u16,
    stop: &CancellationToken,
    given_back: &mut Option<Trial>,
) -> Result<(), RunError> {
    let (settings, in_flight) = (&shared.settings, &shared.in_flight);
    let name = format!("rollcall-worker/{partition}");
    let place = Place { shared, partition, name: &name, stop };
    let mut session = tokio::select! {
        opened = open(&place, given_back) => opened?,
        () = stop.cancelled() => return Ok(()),
    };
    tracing::info!(partition, "the partition is served");
    // The next batch shows whether the reason of a stop is gone. A partition without requests cannot show it.
    in_flight.resume(partition, 0);
    loop {
        in_flight.empty(partition);
        let first = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            error = shared.signed.failed() => {
                acknowledge(&place, &mut session).await?;
                return Err(RunError::of(error));
            }
            delivery = session.consumer.next() => delivery.ok_or(RunError::ConsumerClosed)??,
            () = session.pending_acks.wait() => {
                acknowledge(&place, &mut session).await?;
                continue;
            }
        };
        in_flight.take(partition, sent(&first));
        let batch = drain(first, &mut session.consumer, settings.batch_size.into())?;
        process(&place, &mut session, batch, given_back).await?;
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

/// When a message was sent, in Unix seconds. A message without a time counts as sent now.
fn sent(delivery: &Delivery) -> i64 {
    let sent = delivery.properties.timestamp().and_then(|seconds| i64::try_from(seconds).ok());
    sent.unwrap_or_else(|| Timestamp::now().as_second())
}

/// Takes the messages that are delivered already, up to `enough` requests. It never waits for more.
fn drain(first: Delivery, consumer: &mut Consumer, enough: usize) -> Result<BatchRun, lapin::Error> {
    let mut batch = BatchRun::of(first);
    while batch.len() < enough {
        match consumer.next().now_or_never() {
            Some(Some(delivery)) => batch.add(delivery?),
            Some(None) | None => break,
        }
    }
    Ok(batch)
}

/// Applies a batch, then sends its replies, so that no reply promises a change that can still be lost.
async fn process(
    place: &Place<'_>,
    session: &mut Session,
    mut batch: BatchRun,
    given_back: &mut Option<Trial>,
) -> Result<(), RunError> {
    if let Err(error) = finish(place, session, &mut batch).await {
        *given_back = Some(batch.give_back());
        return Err(error);
    }
    place.shared.in_flight.resume(place.partition, batch.demand_loads());
    let Finished { replies, notifications, deliveries, last, has_dead_letters } = batch.finish();
    session.replier.answer(replies).await?;
    session.pending_acks.take(last, deliveries, notifications, has_dead_letters);
    Ok(())
}

/// Runs a batch to its end, and completes its erasures. They are completed before the ack: if the worker
/// breaks off, the broker delivers the batch again.
async fn finish(place: &Place<'_>, session: &mut Session, batch: &mut BatchRun) -> Result<(), RunError> {
    let mut hold = Hold::begin();
    loop {
        let Session { store, dead, .. } = &*session;
        let Shared { suspicions, signed, settings, .. } = place.shared;
        let tools = Tools { store, dead, suspicions, signed, prefetch: settings.prefetch };
        match batch.resume(&tools).await {
            Ok(()) => break,
            Err(error) => hold.recover(place, error, &mut session.store).await?,
        }
    }
    while let Err(error) = forget(&session.store, batch.erased()).await {
        if error.remedy() == Remedy::Poison {
            tracing::error!(%error, "an erasure is incomplete; a background task removes the remaining names");
            break;
        }
        hold.recover(place, RunError::of(error), &mut session.store).await?;
    }
    Ok(())
}

/// Sends the notifications of what is committed, and acknowledges it.
async fn acknowledge(place: &Place<'_>, session: &mut Session) -> Result<(), RunError> {
    let mut hold = Hold::begin();
    while let Err(error) = session.pending_acks.flush(&session.store).await {
        hold.recover(place, error, &mut session.store).await?;
    }
    Ok(())
}
