//! Supervises tasks that run until shutdown. A task that fails or panics is started again.

use futures_util::FutureExt;
use lapin::Connection;
use rollcall_service::backoff::Backoff;
use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Time limit for closing a connection to the broker.
const CLOSE: Duration = Duration::from_secs(2);
/// Time that a task gets to finish after the stop signal. Then it is dropped, even if a server hangs in the
/// middle of a response. The broker redelivers messages that were not acknowledged.
const GRACE: Duration = Duration::from_secs(3);
/// A run of this length resets the backoff.
const STABLE: Duration = Duration::from_secs(30);

/// Closes a connection once all its deliveries are acknowledged. If the broker does not answer in time, the
/// caller goes on.
///
/// Keep the channels until then. A dropped channel closes itself, and the client reports an error if its
/// connection closes at the same time.
pub(crate) async fn close(connection: &Connection) {
    let closing = tokio::time::timeout(CLOSE, connection.close(200, "shutdown".into()));
    match closing.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a connection to rabbitmq was not closed cleanly"),
        Err(_) => tracing::warn!("rabbitmq did not close a connection within {} s", CLOSE.as_secs()),
    }
}

/// Runs a task until it returns, or until `stop`. If it fails or panics, it is started again after a growing
/// delay. `name` identifies the task in the log.
///
/// After `stop`, the task has [`GRACE`] to finish.
pub(crate) async fn supervise<E: Display>(name: &str, stop: &CancellationToken, run: impl AsyncFn() -> Result<(), E>) {
    supervise_with(GRACE, name, stop, run).await;
}

async fn supervise_with<E: Display>(
    grace: Duration,
    name: &str,
    stop: &CancellationToken,
    run: impl AsyncFn() -> Result<(), E>,
) {
    let mut backoff = Backoff::default();
    while !stop.is_cancelled() {
        let started = Instant::now();
        let ended = tokio::select! {
            ended = AssertUnwindSafe(run()).catch_unwind() => ended,
            () = overdue(stop, grace) => return tracing::warn!(
                "{name}: did not stop cleanly within {} s", grace.as_secs()
            ),
        };
        match ended {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::warn!(%error, "{name}: failed and will be started again"),
            Err(_) => tracing::error!("{name}: panicked and will be started again"),
        }
        if started.elapsed() > STABLE {
            backoff = Backoff::default();
        }
        rest(backoff.next_delay(), stop).await;
    }
}

/// Returns `grace` after `stop`.
pub(crate) async fn overdue(stop: &CancellationToken, grace: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(grace).await;
}

/// Waits for `delay`, or until `stop`.
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
    async fn a_task_that_fails_or_panics_is_started_again() {
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
    async fn a_task_that_hangs_is_dropped_after_stop() {
        let stop = CancellationToken::new();
        let work = supervise_with(Duration::ZERO, "tests", &stop, async || pending::<Result<(), &str>>().await);
        tokio::join!(work, async { stop.cancel() });
    }
}
