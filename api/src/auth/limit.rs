//! How often a token may be used.

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use rollcall_events::TokenId;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::error::ApiError;

/// A token bucket for each SCIM token.
pub(crate) struct Limits {
    buckets: DefaultKeyedRateLimiter<TokenId>,
    clock: DefaultClock,
}

impl Limits {
    /// So many calls a second on average, and so many at once above that.
    pub(crate) fn new(calls_per_second: u32, burst: u32) -> Self {
        let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self::by(Quota::per_second(at_least_one(calls_per_second)).allow_burst(at_least_one(burst)))
    }

    fn by(quota: Quota) -> Self {
        Self { buckets: RateLimiter::keyed(quota), clock: DefaultClock::default() }
    }

    /// Counts a call, or refuses it and says when the next may come.
    pub(crate) fn take(&self, token: TokenId) -> Result<(), ApiError> {
        self.buckets.check_key(&token).map_err(|until| ApiError::TooManyCalls { retry_after: until.wait_time_from(self.clock.now()) })
    }

    /// Forgets tokens that were not used for long, for as long as the process lives.
    pub(crate) async fn keep_small(&self) {
        loop {
            tokio::time::sleep(Duration::from_mins(1)).await;
            self.buckets.retain_recent();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_used_too_often_is_told_when_to_come_back_and_others_are_not() {
        let limits = Limits::by(Quota::per_hour(NonZeroU32::new(3).unwrap()));
        let (busy, other) = (TokenId::generate(), TokenId::generate());
        assert!((0..3).all(|_| limits.take(busy).is_ok()));
        assert!(matches!(limits.take(busy), Err(ApiError::TooManyCalls { retry_after }) if retry_after > Duration::ZERO));
        assert!(limits.take(other).is_ok());
    }
}
