//! Tasks that run for as long as the process, whatever goes wrong with the servers in between.

use futures_util::FutureExt;
use lapin::Connection;
use rollcall_service::backoff::Backoff;
use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Limit for closing a connection to the broker.
const GOODBYE: Duration = Duration::from_secs(2);
/// How long work may go on after it was told to stop. Then it is dropped, even if a server hangs in the middle of an answer: what is not committed or
/// acknowledged comes again.
const GRACE: Duration = Duration::from_secs(3);
/// A run that lasted this long was not part of the same trouble.
const LASTED: Duration = Duration::from_secs(30);

/// Closes a connection over which nothing is left to be done. A broker that does not answer holds nobody up: everything is acknowledged by now. Channels must be
/// there until then: one that is dropped closes itself, and the client takes that for an error of the connection that closes with it.
pub(crate) async fn close(connection: &Connection) {
    let closing = tokio::time::timeout(GOODBYE, connection.close(200, "shutdown".into()));
    match closing.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a connection to rabbitmq did not end in order"),
        Err(_) => tracing::warn!("rabbitmq did not close a connection within {} s", GOODBYE.as_secs()),
    }
}

/// Runs work until it ends by itself or `stop`. One that fails or panics begins again, after growing delays. `waits` names the work that waits meanwhile.
///
/// After `stop` the work has [`GRACE`] to end in order.
pub(crate) async fn supervise<E: Display>(waits: &str, stop: &CancellationToken, run: impl AsyncFn() -> Result<(), E>) {
    supervise_with(GRACE, waits, stop, run).await;
}

async fn supervise_with<E: Display>(grace: Duration, waits: &str, stop: &CancellationToken, run: impl AsyncFn() -> Result<(), E>) {
    let mut backoff = Backoff::default();
    while !stop.is_cancelled() {
        let begun = Instant::now();
        let ended = tokio::select! {
            ended = AssertUnwindSafe(run()).catch_unwind() => ended,
            () = overdue(stop, grace) => return tracing::warn!("{waits}: did not end in order within {} s", grace.as_secs()),
        };
        match ended {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::warn!(%error, "{waits} wait"),
            Err(_) => tracing::error!("{waits} wait: the task panicked"),
        }
        if begun.elapsed() > LASTED {
            backoff = Backoff::default();
        }
        rest(backoff.next_delay(), stop).await;
    }
}

/// Returns when `grace` has passed since `stop`.
pub(crate) async fn overdue(stop: &CancellationToken, grace: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(grace).await;
}

/// Waits for a delay, or until `stop`.
pub(crate) async fn rest(delay: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        () = stop.cancelled() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn work_that_fails_or_panics_begins_again() {
        let (stop, runs) = (CancellationToken::new(), AtomicUsize::new(0));
        supervise("tests", &stop, async || match runs.fetch_add(1, Ordering::Relaxed) {
            0 => Err("the first run fails"),
            1 => panic!("the second run panics"),
            _ => Ok(()),
        })
        .await;
        assert_eq!(runs.into_inner(), 3);
    }

    #[tokio::test]
    async fn work_that_hangs_ends_after_it_was_told_to_stop() {
        let stop = CancellationToken::new();
        let work = supervise_with(Duration::ZERO, "tests", &stop, async || pending::<Result<(), &str>>().await);
        tokio::join!(work, async { stop.cancel() });
    }
}
