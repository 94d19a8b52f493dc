//! Work that goes on for as long as the process does, whatever goes wrong with the servers in between.

use rollcall_service::backoff::Backoff;
use std::fmt::Display;
use tokio_util::sync::CancellationToken;

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
