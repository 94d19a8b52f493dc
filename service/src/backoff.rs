//! Delays between attempts to reach a server.

use backon::{BackoffBuilder, ExponentialBuilder};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Delays that grow from 100 ms to a maximum, which is 5 s by default. They have jitter, so that many clients
/// do not retry at the same moment.
pub struct Backoff(Box<dyn Iterator<Item = Duration> + Send>);

impl Default for Backoff {
    fn default() -> Self {
        Self::up_to(LONGEST)
    }
}

impl Backoff {
    /// Delays that grow from 100 ms to `longest`.
    pub fn up_to(longest: Duration) -> Self {
        let delays = ExponentialBuilder::default()
            .with_min_delay(FIRST)
            .with_max_delay(longest)
            .with_jitter()
            .without_max_times();
        Self(Box::new(delays.build()))
    }

    /// The next delay. The sequence never ends.
    pub fn next_delay(&mut self) -> Duration {
        self.0.next().unwrap_or(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_bound_and_never_end() {
        let mut backoff = Backoff::default();
        let delays: Vec<_> = (0..100).map(|_| backoff.next_delay()).collect();
        assert!(delays[0] < Duration::from_millis(300), "{delays:?}");
        assert!(delays[99] >= LONGEST && delays.iter().all(|&delay| delay <= 2 * LONGEST), "{delays:?}");
    }
}
