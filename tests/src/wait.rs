//! Waiting for conditions.

use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(90);

/// Looks again and again until `look` gives something.
///
/// # Panics
/// Where that does not happen in a time that means it never will.
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

/// Waits for something that comes by itself.
///
/// # Panics
/// Where it does not come in a time that means it never will.
pub async fn within<T>(what: &str, coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, coming).await.unwrap_or_else(|_| panic!("{what} has not happened"))
}
