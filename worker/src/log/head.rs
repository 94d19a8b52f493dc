//! The head of a log: its size, version and newest timestamp.

use rollcall_events::Timestamp;
use rollcall_events::log::CompactRange;
use tokio_postgres::Row;

use crate::db::StoreError;

/// The head of an organization's log.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// The size and the peaks of the log.
    pub(crate) log: CompactRange,
    /// The number of times that the head has been advanced.
    pub(crate) version: i64,
    /// The timestamp of the newest entry.
    pub(crate) recorded_at: Option<Timestamp>,
    /// Why the signer refuses the log, if it does.
    pub(crate) refused: Option<String>,
}

impl Head {
    /// The timestamp for the next entry: now, but always later than the previous entry, even if a clock went
    /// back. So a reader that has seen a timestamp has seen all entries up to it.
    pub(crate) fn next_time(&self, now: Timestamp) -> Timestamp {
        self.recorded_at.map_or(now, |before| now.max(before.next()))
    }

    /// Reads a head from a row.
    ///
    /// # Errors
    /// If the row holds a value that cannot be read.
    pub(crate) fn read(row: &Row) -> Result<Self, StoreError> {
        let size: i64 = row.try_get("size")?;
        let peaks: Vec<Vec<u8>> = row.try_get("peaks")?;
        let log = CompactRange::from_parts(size.unsigned_abs(), &peaks)?;
        // The query shares the column `name` with other kinds of rows.
        Ok(Self {
            log,
            version: row.try_get("version")?,
            recorded_at: row.try_get("at")?,
            refused: row.try_get("name")?,
        })
    }
}
