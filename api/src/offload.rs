//! Work whose size a caller chooses, away from the threads that serve every other call.

use std::sync::LazyLock;
use std::thread::available_parallelism;
use tokio::sync::Semaphore;

use crate::read::ReadError;

/// Up to how many bytes are worked on where they are: to hand them over would take longer.
const SMALL: usize = 64 * 1024;

/// So much goes on at once: as much as there are processors, so that what waits costs no thread.
static AT_ONCE: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, usize::from)));

/// Does work on so many bytes: at once where they are few, and otherwise on a thread where it holds up no other call.
///
/// # Errors
/// Where the work panicked.
pub(crate) async fn offload<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ReadError> {
    if bytes <= SMALL {
        return Ok(work());
    }
    let lost = |error: &dyn std::fmt::Display| ReadError::Malformed(format!("work on {bytes} bytes broke off: {error}"));
    let _turn = AT_ONCE.acquire().await.map_err(|error| lost(&error))?;
    tokio::task::spawn_blocking(work).await.map_err(|error| lost(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_large_work_leaves_its_thread() {
        let here = std::thread::current().id();
        let thread = || std::thread::current().id();
        assert_eq!(offload(SMALL, thread).await.unwrap(), here);
        assert_ne!(offload(SMALL + 1, thread).await.unwrap(), here);
    }
}
