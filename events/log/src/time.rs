//! Timestamps as the log has them: UTC, with microseconds, always with six decimals.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A point in time: microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Timestamp(pub(crate) i64);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);

    /// The current time by this machine's clock.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_microsecond())
    }

    /// The time `micros` microseconds after the Unix epoch; `None` if it is outside the calendar's range.
    pub fn from_microsecond(micros: i64) -> Option<Self> {
        jiff::Timestamp::from_microsecond(micros).ok().map(|_| Self(micros))
    }

    /// Whole seconds since the Unix epoch.
    pub fn as_second(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whole milliseconds since the Unix epoch.
    pub fn as_millisecond(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The next point in time, one microsecond later.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The time `micros` microseconds later.
    #[must_use]
    pub fn after_micros(self, micros: u32) -> Self {
        Self(self.0 + i64::from(micros))
    }

    /// The time `seconds` seconds later.
    #[must_use]
    pub fn after_seconds(self, seconds: u32) -> Self {
        Self(self.0 + i64::from(seconds) * 1_000_000)
    }

    /// The time `seconds` seconds earlier.
    #[must_use]
    pub fn before_seconds(self, seconds: u32) -> Self {
        Self(self.0 - i64::from(seconds) * 1_000_000)
    }

    /// Whole seconds since `earlier`; 0 if `earlier` is later.
    pub fn seconds_since(self, earlier: Self) -> u64 {
        u64::try_from((self.0 - earlier.0) / 1_000_000).unwrap_or(0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_microsecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{time:.6}")
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<jiff::Timestamp>().map(|time| Self(time.as_microsecond()))
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

impl TryFrom<String> for Timestamp {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, jiff::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_whole_second_has_its_six_decimals() {
        let time: Timestamp = "2026-01-02T03:04:05+01:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-01-02T02:04:05.000000Z");
    }

    proptest! {
        #[test]
        fn text_keeps_every_microsecond(micros in -62_135_596_800_000_000_i64..253_402_207_200_000_000) {
            let time = Timestamp(micros);
            prop_assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        }
    }
}
