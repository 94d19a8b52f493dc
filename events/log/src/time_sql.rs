//! Times as parameters and columns of Postgres.

use bytes::BytesMut;
use postgres_types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};
use std::error::Error;

use crate::Timestamp;

/// Microseconds between the Unix epoch and 2000-01-01T00:00:00Z, the epoch of Postgres.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

impl ToSql for Timestamp {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        (self.0 - POSTGRES_EPOCH_MICROS).to_sql(ty, out)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Timestamp {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        // Postgres has an infinite timestamp, which we refuse.
        i64::from_sql(ty, raw)?
            .checked_add(POSTGRES_EPOCH_MICROS)
            .and_then(Self::from_microsecond)
            .ok_or_else(|| "not a time".into())
    }

    accepts!(TIMESTAMPTZ);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_infinite_time_is_an_error_and_no_panic() {
        for infinity in [i64::MAX, i64::MIN] {
            assert!(Timestamp::from_sql(&Type::TIMESTAMPTZ, &infinity.to_be_bytes()).is_err());
        }
    }

    proptest! {
        #[test]
        fn the_database_keeps_every_microsecond(micros in -62_135_596_800_000_000_i64..253_402_207_200_000_000) {
            let time = Timestamp(micros);
            let mut raw = BytesMut::new();
            time.to_sql(&Type::TIMESTAMPTZ, &mut raw).unwrap();
            prop_assert_eq!(Timestamp::from_sql(&Type::TIMESTAMPTZ, &raw).unwrap(), time);
        }
    }
}
