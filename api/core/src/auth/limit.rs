//! Rate limits of tokens.

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use moka::sync::Cache;
use rollcall_events::TokenId;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::error::ApiError;

/// Maximum number of tokens with their own rate that are kept in memory.
const MAX_OWN: u64 = 100_000;

/// A token bucket for each SCIM token.
pub struct Limits {
    buckets: DefaultKeyedRateLimiter<TokenId>,
    /// The buckets of tokens that have their own rate.
    own: Cache<(TokenId, NonZeroU32), Arc<DefaultDirectRateLimiter>>,
    clock: DefaultClock,
}

impl Limits {
    /// Limits tokens to `calls_per_second` on average, with bursts of `burst` calls.
    pub fn new(calls_per_second: u32, burst: u32) -> Self {
        let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self::by(Quota::per_second(at_least_one(calls_per_second)).allow_burst(at_least_one(burst)))
    }

    fn by(quota: Quota) -> Self {
        // A bucket that was unused for this time is full again.
        let own = Cache::builder().max_capacity(MAX_OWN).time_to_idle(Duration::from_mins(1)).build();
        Self { buckets: RateLimiter::keyed(quota), own, clock: DefaultClock::default() }
    }

    /// Counts a call. If the limit is reached, the error says when the next call is allowed.
    pub fn take(&self, token: TokenId) -> Result<(), ApiError> {
        self.buckets
            .check_key(&token)
            .map_err(|until| ApiError::TooManyCalls { retry_after: until.wait_time_from(self.clock.now()) })
    }

    /// Counts a call of a token that may have its own rate. It is an average in calls per second, with bursts
    /// of twice as many calls.
    pub fn take_at(&self, token: TokenId, rate: Option<NonZeroU32>) -> Result<(), ApiError> {
        let Some(rate) = rate else { return self.take(token) };
        let quota = Quota::per_second(rate).allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(1)));
        let bucket = self.own.get_with((token, rate), || Arc::new(RateLimiter::direct(quota)));
        bucket.check().map_err(|until| ApiError::TooManyCalls { retry_after: until.wait_time_from(self.clock.now()) })
    }

    /// Removes unused buckets from time to time, until the process ends.
    pub async fn keep_small(&self) {
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
    fn a_token_over_its_rate_gets_a_wait_time_and_others_do_not() {
        let limits = Limits::by(Quota::per_hour(NonZeroU32::new(3).unwrap()));
        let (busy, other) = (TokenId::generate(), TokenId::generate());
        assert!((0..3).all(|_| limits.take(busy).is_ok()));
        assert!(
            matches!(limits.take(busy), Err(ApiError::TooManyCalls { retry_after }) if retry_after > Duration::ZERO)
        );
        assert!(limits.take(other).is_ok());
    }

    #[test]
    fn a_tokens_own_rate_is_enforced() {
        let limits = Limits::new(1000, 1000);
        let (slow, rate) = (TokenId::generate(), NonZeroU32::new(2));
        let taken = (0..100).filter(|_| limits.take_at(slow, rate).is_ok()).count();
        assert!((4..100).contains(&taken), "{taken}");
        assert!((0..100).all(|_| limits.take_at(TokenId::generate(), rate).is_ok()), "each has a bucket");
    }
}
