//! Times and durations for people.

use rollcall_events::Timestamp;

/// A time to the minute, in UTC.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
pub(crate) fn minute(time: &Timestamp) -> String {
    let text = time.to_string();
    format!("{} {} UTC", text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default())
}

/// A time to the second, in UTC.
pub(crate) fn second(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{} {} UTC", text.get(..10).unwrap_or_default(), text.get(11..19).unwrap_or_default())
}

/// A duration, from microseconds.
pub(crate) fn took(micros: i64) -> String {
    match micros / 1000 {
        0..10 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        millis @ ..10_000 => format!("{millis} ms"),
        millis @ ..600_000 => format!("{} s", millis / 1000),
        millis => format!("{} min", millis / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case(340 => "0.3 ms")]
    #[test_case(9_990 => "9.9 ms")]
    #[test_case(12_345 => "12 ms")]
    #[test_case(31_000_000 => "31 s")]
    #[test_case(3_600_000_000 => "60 min")]
    fn a_duration(micros: i64) -> String {
        took(micros)
    }
}
