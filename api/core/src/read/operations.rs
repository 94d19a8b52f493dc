//! The state of the service for one organization, and its dead letters.

use rollcall_events::{DeadLetterId, OrganizationId, Timestamp, TokenId};
use tokio_postgres::Row;

use super::{Database, ReadError};

/// The times from request to record, for the entries of the last hour, up to the newest 10,000. Also the last
/// checkpoint and the size of the log.
const STATUS: &str = "
    SELECT h.size, c.size AS signed_size, c.signed_at, l.count, l.median, l.most, l.last
    FROM (SELECT COALESCE((SELECT size FROM log_heads WHERE organization_id = $1), 0) AS size) h
    LEFT JOIN LATERAL (
        SELECT size, signed_at FROM checkpoints WHERE organization_id = $1 ORDER BY size DESC LIMIT 1
    ) c ON true
    CROSS JOIN LATERAL (
        SELECT count(*) AS count, max(recorded_at) AS last,
            percentile_cont(0.5)
                WITHIN GROUP (ORDER BY extract(epoch FROM recorded_at - requested_at)::float8) AS median,
            percentile_cont(0.99)
                WITHIN GROUP (ORDER BY extract(epoch FROM recorded_at - requested_at)::float8) AS most
        FROM (SELECT recorded_at, requested_at FROM events WHERE organization_id = $1 ORDER BY seq DESC LIMIT 10000) e
        WHERE recorded_at > now() - interval '1 hour'
    ) l";

/// The number of two-minute intervals in the last hour.
pub const LATENCY_BUCKETS: usize = 30;

/// The times of the same entries, by the two-minute interval in which they were recorded. The last interval
/// has the newest ones.
const LATENCIES: &str = "
    SELECT 29 - GREATEST(floor(extract(epoch FROM now() - recorded_at) / 120)::integer, 0) AS bucket,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM recorded_at - requested_at)::float8) AS median,
        percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM recorded_at - requested_at)::float8) AS most
    FROM (SELECT recorded_at, requested_at FROM events WHERE organization_id = $1 ORDER BY seq DESC LIMIT 10000) e
    WHERE recorded_at > now() - interval '1 hour' GROUP BY bucket ORDER BY bucket";

/// A replay holds a lock while it runs. If the lock is free, the replay has ended.
const REPLAY: &str = "
    SELECT begun_at, told_at, entries, size, ended_at, different_rows, is_mended, EXISTS (
        SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
            AND (l.classid::bigint << 32 | l.objid::bigint) = hashtext('rollcall_shadow')::bigint
    ) AS is_running
    FROM replays WHERE organization_id = $1";

/// Maximum number of bytes of a dead letter that the page shows. Of a longer one, it shows only the size.
pub const SHOWN_BYTES: i32 = 64 * 1024;

const DEAD_LETTERS: &str = "
    SELECT id, kept_at, message_id, type, reason, substring(body FROM 1 FOR $2) AS body FROM dead_letters
    WHERE organization_id = $1 AND retried_at IS NULL ORDER BY kept_at DESC, id LIMIT 100";

const DEAD_LETTER_COUNT: &str = "SELECT count(*) AS count FROM dead_letters WHERE retried_at IS NULL";

const EXPIRING: &str = "
    SELECT organization_id, id, expires_at FROM scim_tokens
    WHERE revoked_at IS NULL AND expires_at > now() AND expires_at <= now() + interval '30 days'
    ORDER BY expires_at LIMIT 1000";

/// The state of the service for an organization.
pub struct ServiceStatus {
    /// The number of entries in the log.
    pub size: u64,
    /// The size that the last checkpoint signs, and when it was signed.
    pub signed: Option<(u64, Timestamp)>,
    /// The number of entries in the last hour, up to 10,000.
    pub recent: u64,
    /// The median and the 99th percentile of their times, in seconds.
    pub took: Option<(f64, f64)>,
    /// When the last of them was recorded.
    pub last: Option<Timestamp>,
}

/// The times from request to record in two minutes.
pub struct Latency {
    /// The number of the interval, from 0 to 29.
    pub bucket: usize,
    /// The median, in seconds.
    pub median: f64,
    /// The 99th percentile, in seconds.
    pub most: f64,
}

/// The last replay of an organization's log.
pub struct LastReplay {
    /// When it began.
    pub begun_at: Timestamp,
    /// When the replay last reported its progress.
    pub reported_at: Timestamp,
    /// The number of replayed entries, and the total.
    pub entries: u64,
    /// The size of the log.
    pub size: u64,
    /// Its progress or result.
    pub state: ReplayState,
}

/// The state of a replay.
pub enum ReplayState {
    /// The replay is running.
    Running,
    /// The replay ended before its comparison. The next one resumes it.
    Interrupted,
    /// The replay compared the projections with the log.
    Ended {
        /// When it ended.
        at: Timestamp,
        /// The number of differing rows.
        rows: u64,
        /// Whether these rows were repaired.
        is_repaired: bool,
    },
}

/// A dead letter.
pub struct DeadLetter {
    /// The id of the dead letter.
    pub id: DeadLetterId,
    /// When the worker stored it.
    pub kept_at: Timestamp,
    /// The id of the message.
    pub message_id: Option<String>,
    /// The type of the message.
    pub type_name: Option<String>,
    /// Why it could not be applied.
    pub reason: String,
    /// The first bytes of the message: [`SHOWN_BYTES`], and one more if it is longer.
    pub body: Vec<u8>,
}

/// Reads the state of the service for an organization.
pub async fn service_status(database: &Database, organization: OrganizationId) -> Result<ServiceStatus, ReadError> {
    let row = database
        .queries(organization)
        .query_opt(STATUS, &[&organization])
        .await?
        .ok_or_else(|| ReadError::Malformed("no service status".to_owned()))?;
    let count = |name: &str| row.try_get::<_, Option<i64>>(name).map(|count| count.map(i64::unsigned_abs));
    Ok(ServiceStatus {
        size: count("size")?.unwrap_or_default(),
        signed: count("signed_size")?.zip(row.try_get("signed_at")?),
        recent: count("count")?.unwrap_or_default(),
        took: row.try_get::<_, Option<f64>>("median")?.zip(row.try_get("most")?),
        last: row.try_get("last")?,
    })
}

/// The latencies of an organization's entries in the last hour, by interval.
pub async fn latencies(database: &Database, organization: OrganizationId) -> Result<Vec<Latency>, ReadError> {
    let rows = database.queries(organization).query(LATENCIES, &[&organization]).await?;
    rows.iter().map(latency).collect()
}

fn latency(row: &Row) -> Result<Latency, ReadError> {
    let bucket = usize::try_from(row.try_get::<_, i32>("bucket")?).unwrap_or_default();
    Ok(Latency { bucket, median: row.try_get("median")?, most: row.try_get("most")? })
}

/// The last replay of an organization's log, if there was one.
pub async fn last_replay(database: &Database, organization: OrganizationId) -> Result<Option<LastReplay>, ReadError> {
    let Some(row) = database.queries(organization).query_opt(REPLAY, &[&organization]).await? else { return Ok(None) };
    let ended: Option<Timestamp> = row.try_get("ended_at")?;
    let (rows, is_repaired): (Option<i64>, Option<bool>) = (row.try_get("different_rows")?, row.try_get("is_mended")?);
    let state = match ended {
        Some(at) => ReplayState::Ended {
            at,
            rows: rows.unwrap_or_default().unsigned_abs(),
            is_repaired: is_repaired.unwrap_or_default(),
        },
        None if row.try_get("is_running")? => ReplayState::Running,
        None => ReplayState::Interrupted,
    };
    Ok(Some(LastReplay {
        begun_at: row.try_get("begun_at")?,
        reported_at: row.try_get("told_at")?,
        entries: row.try_get::<_, i64>("entries")?.unsigned_abs(),
        size: row.try_get::<_, i64>("size")?.unsigned_abs(),
        state,
    }))
}

/// The newest 100 undecided dead letters of an organization.
pub async fn dead_letters(database: &Database, organization: OrganizationId) -> Result<Vec<DeadLetter>, ReadError> {
    let rows = database.queries(organization).query(DEAD_LETTERS, &[&organization, &(SHOWN_BYTES + 1)]).await?;
    let letter = |row: &Row| {
        Ok(DeadLetter {
            id: row.try_get("id")?,
            kept_at: row.try_get("kept_at")?,
            message_id: row.try_get("message_id")?,
            type_name: row.try_get("type")?,
            reason: row.try_get("reason")?,
            body: row.try_get("body")?,
        })
    };
    rows.iter().map(letter).collect()
}

/// The number of undecided dead letters of all organizations.
pub async fn dead_letter_count(database: &Database) -> Result<i64, ReadError> {
    let row = database.points(OrganizationId::SYSTEM).query_opt(DEAD_LETTER_COUNT, &[]).await?;
    Ok(row.map(|row| row.try_get("count")).transpose()?.unwrap_or_default())
}

/// The tokens of all organizations that expire within 30 days, with the time; at most 1,000.
pub async fn expiring_tokens(database: &Database) -> Result<Vec<(OrganizationId, TokenId, Timestamp)>, ReadError> {
    let rows = database.points(OrganizationId::SYSTEM).query(EXPIRING, &[]).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("organization_id")?, row.try_get("id")?, row.try_get("expires_at")?)))
        .collect()
}
