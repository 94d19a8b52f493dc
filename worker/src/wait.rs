//! Waits with a time limit. A server can hang without closing its connections, so every wait for one has a
//! limit.

use std::time::Duration;

/// Limit for opening a connection, including the handshake. A hung server still accepts TCP connections.
pub(crate) const OPEN: Duration = Duration::from_secs(20);
/// Limit for one statement. The server's own `statement_timeout` is shorter, so a slow statement fails with
/// its SQLSTATE.
pub(crate) const STATEMENT: Duration = Duration::from_secs(40);
/// Limit for one response of the broker: a publisher confirm, or the declaration of a queue.
pub(crate) const ANSWER: Duration = Duration::from_secs(20);

/// A wait exceeded its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} did not arrive within {} s", limit.as_secs())]
pub(crate) struct TimedOut {
    /// The awaited thing.
    what: &'static str,
    limit: Duration,
}

/// Waits for `coming`, at most for `limit`. `what` names it in the error.
///
/// # Errors
/// If the limit is exceeded.
pub(crate) async fn within<T>(
    what: &'static str,
    limit: Duration,
    coming: impl Future<Output = T>,
) -> Result<T, TimedOut> {
    tokio::time::timeout(limit, coming).await.map_err(|_| TimedOut { what, limit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    #[tokio::test]
    async fn a_wait_ends_and_its_error_names_the_awaited_thing() {
        assert_eq!(within("an answer", OPEN, async { 7 }).await, Ok(7));
        let late = within::<()>("an answer", Duration::ZERO, pending()).await.unwrap_err();
        assert_eq!(late.to_string(), "an answer did not arrive within 0 s");
    }
}
