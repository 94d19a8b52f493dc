//! Waits for conditions.

use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(90);

/// Calls `look` until it returns something.
///
/// # Panics
/// If that takes longer than 90 seconds.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            if let Some(seen) = look().await {
                return seen;
            }
        }
    };
    within(what, looking).await
}

/// Waits for a future.
///
/// # Panics
/// If it takes longer than 90 seconds.
pub async fn within<T>(what: &str, coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, coming).await.unwrap_or_else(|_| panic!("{what} has not happened"))
}
