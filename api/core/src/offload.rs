//! Runs work whose size a caller chooses on other threads, so that it does not delay other calls.

use std::sync::LazyLock;
use std::thread::available_parallelism;
use tokio::sync::Semaphore;

use crate::read::ReadError;

/// Work on up to this number of bytes runs on the current thread. Another thread would cost more than the
/// work.
const SMALL: usize = 64 * 1024;

/// As many pieces of work run at once as there are processors. Waiting work uses no thread.
static SLOTS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, usize::from)));

/// Runs work on a number of bytes: on the current thread if they are few, otherwise on another thread.
///
/// # Errors
/// If the work panics.
pub async fn offload<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ReadError> {
    if bytes <= SMALL {
        return Ok(work());
    }
    let failed = |error: &dyn std::fmt::Display| ReadError::Malformed(format!("work on {bytes} bytes failed: {error}"));
    let _slot = SLOTS.acquire().await.map_err(|error| failed(&error))?;
    tokio::task::spawn_blocking(work).await.map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_large_work_moves_to_another_thread() {
        let here = std::thread::current().id();
        let thread = || std::thread::current().id();
        assert_eq!(offload(SMALL, thread).await.unwrap(), here);
        assert_ne!(offload(SMALL + 1, thread).await.unwrap(), here);
    }
}
