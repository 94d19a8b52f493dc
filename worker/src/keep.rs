//! Work that goes on for as long as the process does, whatever goes wrong with the servers in between.

use lapin::Connection;
use rollcall_service::backoff::Backoff;
use std::fmt::Display;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a broker may take to let a connection go.
const GOODBYE: Duration = Duration::from_secs(5);

/// Closes a connection over which nothing is left to be done. A broker that does not answer holds nobody up: everything is acknowledged by now. Channels must be
/// there until then: one that is dropped closes itself, and the client takes that for an error of the connection that closes with it.
pub(crate) async fn close(connection: &Connection) {
    let closing = tokio::time::timeout(GOODBYE, connection.close(200, "shutdown".into()));
    match closing.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a connection to rabbitmq did not end in order"),
        Err(_) => tracing::warn!("rabbitmq did not let a connection go within {} s", GOODBYE.as_secs()),
    }
}

/// Runs work until it ends of itself or `stop`; what breaks off begins again, after growing delays. `waits` says what waits meanwhile.
pub(crate) async fn keep<E: Display>(waits: &str, stop: &CancellationToken, run: impl AsyncFn() -> Result<(), E>) {
    let mut backoff = Backoff::default();
    while !stop.is_cancelled() {
        match run().await {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, "{waits} wait"),
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.next_delay()) => {}
            () = stop.cancelled() => {}
        }
    }
}
