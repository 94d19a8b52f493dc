//! The rate limit of a token.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// A rate limit, in calls per second on average.
///
/// Parsing checks the maximum. Reading JSON does not, for the reason that [`crate::name`] gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallsPerSecond(NonZeroU32);

/// The number is not a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rate is a whole number from 1 to {}", CallsPerSecond::MAX)]
pub struct InvalidRate;

impl CallsPerSecond {
    /// The highest rate.
    pub const MAX: u32 = 1_000_000;

    /// A rate that was recorded. The rule may have become stricter since, so it is not checked.
    pub fn recorded(rate: NonZeroU32) -> Self {
        Self(rate)
    }

    /// The number.
    pub fn get(self) -> NonZeroU32 {
        self.0
    }

    /// Checks the rule again, for a rate that was not parsed here.
    ///
    /// # Errors
    /// If the rate is higher than [`CallsPerSecond::MAX`].
    pub fn check(self) -> Result<(), InvalidRate> {
        if self.0.get() <= Self::MAX { Ok(()) } else { Err(InvalidRate) }
    }
}

impl FromStr for CallsPerSecond {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let rate = Self(text.trim().parse().map_err(|_| InvalidRate)?);
        rate.check().map(|()| rate)
    }
}

impl fmt::Display for CallsPerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("25" => Some(25); "usual")]
    #[test_case("1" => Some(1); "the lowest")]
    #[test_case("1000000" => Some(1_000_000); "the highest")]
    #[test_case("0" => None; "zero")]
    #[test_case("1000001" => None; "more than the maximum")]
    #[test_case("a" => None; "no number")]
    fn a_rate(text: &str) -> Option<u32> {
        text.parse::<CallsPerSecond>().ok().map(|rate| rate.get().get())
    }

    #[test_case("25" => Ok(()); "usual")]
    #[test_case("1000000" => Ok(()); "the highest")]
    #[test_case("4294967295" => Err(InvalidRate); "more than the maximum")]
    fn a_recorded_rate_is_read_and_can_be_checked(json: &str) -> Result<(), InvalidRate> {
        serde_json::from_str::<CallsPerSecond>(json).unwrap().check()
    }
}
