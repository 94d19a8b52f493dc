//! Headers of the log by their seqs, and the seq that belongs to a time.

use rollcall_events::log::Header;
use rollcall_events::{OrganizationId, Timestamp};
use rollcall_service::entries::{HEADER_COLUMNS, header};
use std::ops::RangeInclusive;

use super::log::seq_column;
use super::tree::holes;
use super::{Database, ReadError};

/// Finds the last entry of the signed part of a log that was recorded at or before $2, by halving: within a log,
/// each entry is later than the one before. No index has the times of one log in order.
const RECORDED_UNTIL: &str = "
    WITH RECURSIVE log AS (
        SELECT h.size, COALESCE((SELECT max(c.size) FROM checkpoints c WHERE c.organization_id = $1), 0) AS signed
        FROM log_heads h WHERE h.organization_id = $1
    ), search AS (
        SELECT 0::bigint AS low, log.signed AS high FROM log
        UNION ALL
        SELECT CASE WHEN p.is_past THEN p.middle ELSE p.low END, CASE WHEN p.is_past THEN p.high ELSE p.middle - 1 END
        FROM (
            SELECT s.low, s.high, m.middle, (
                SELECT e.recorded_at <= $2 FROM events e WHERE e.organization_id = $1 AND e.seq = m.middle
            ) AS is_past
            FROM search s CROSS JOIN LATERAL (SELECT (s.low + s.high + 1) / 2 AS middle) m
            WHERE s.low < s.high OFFSET 0
        ) p
    )
    SELECT s.low AS last, log.signed, log.size FROM search s CROSS JOIN log WHERE s.low = s.high";

/// A time in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordedUntil {
    /// The last entry of the signed part that was recorded at or before the time; 0 if there is none.
    pub last: u64,
    /// The size of the newest checkpoint; 0 if there is none.
    pub signed: u64,
    /// The size of the log.
    pub size: u64,
}

/// Finds a time in an organization's log. The cost grows with the logarithm of the size.
pub async fn recorded_until(
    database: &Database,
    organization: OrganizationId,
    at: Timestamp,
) -> Result<RecordedUntil, ReadError> {
    let row = database.points(organization).query_opt(RECORDED_UNTIL, &[&organization, &at]).await?;
    let Some(row) = row else { return Ok(RecordedUntil::default()) };
    let column = |name: &str| row.try_get::<_, i64>(name).map(i64::unsigned_abs);
    Ok(RecordedUntil { last: column("last")?, signed: column("signed")?, size: column("size")? })
}

/// Reads the headers of a range of an organization's log. Every entry of the range must exist.
pub async fn log_headers(
    database: &Database,
    organization: OrganizationId,
    seqs: RangeInclusive<u64>,
) -> Result<Vec<Header>, ReadError> {
    let sql = format!(
        "SELECT {HEADER_COLUMNS} FROM events e WHERE e.organization_id = $1 AND e.seq BETWEEN $2 AND $3 ORDER BY e.seq"
    );
    let (first, last) = (seq_column(*seqs.start()), seq_column(*seqs.end()));
    let rows = database.queries(organization).query(&sql, &[&organization, &first, &last]).await?;
    let headers = rows.iter().map(|row| Ok(header(row)?)).collect::<Result<Vec<_>, ReadError>>()?;
    let is_whole = headers.iter().map(|header| header.seq).eq(seqs);
    if is_whole { Ok(headers) } else { Err(holes()) }
}
