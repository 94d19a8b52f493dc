//! How the service does for one organization, and what it could not do.

use rollcall_events::{DeadLetterId, OrganizationId, Timestamp, TokenId};

use super::{Database, ReadError};

/// How long entries took from request to record: those of the last hour, and of them the newest ten thousand. The last checkpoint, and how far the log has come.
const STANDING: &str = "
    SELECT h.size, c.size AS signed_size, c.signed_at, l.count, l.median, l.most, l.last
    FROM (SELECT COALESCE((SELECT size FROM log_heads WHERE organization_id = $1), 0) AS size) h
    LEFT JOIN LATERAL (SELECT size, signed_at FROM checkpoints WHERE organization_id = $1 ORDER BY size DESC LIMIT 1) c ON true
    CROSS JOIN LATERAL (
        SELECT count(*) AS count, max(recorded_at) AS last,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM recorded_at - requested_at)::float8) AS median,
            percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM recorded_at - requested_at)::float8) AS most
        FROM (SELECT recorded_at, requested_at FROM events WHERE organization_id = $1 ORDER BY seq DESC LIMIT 10000) e
        WHERE recorded_at > now() - interval '1 hour'
    ) l";

/// Into how many parts of two minutes the last hour is divided.
pub(crate) const LATENCY_BUCKETS: usize = 30;

/// How long the same entries took, by the two minutes in which they were recorded: the newest are in the last of the hour's thirty.
const LATENCIES: &str = "
    SELECT 29 - GREATEST(floor(extract(epoch FROM now() - recorded_at) / 120)::integer, 0) AS bucket,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM recorded_at - requested_at)::float8) AS median,
        percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM recorded_at - requested_at)::float8) AS most
    FROM (SELECT recorded_at, requested_at FROM events WHERE organization_id = $1 ORDER BY seq DESC LIMIT 10000) e
    WHERE recorded_at > now() - interval '1 hour' GROUP BY bucket ORDER BY bucket";

/// Whoever replays holds a lock until it ends or breaks off.
const REPLAY: &str = "
    SELECT begun_at, told_at, entries, size, ended_at, different_rows, is_mended, EXISTS (
        SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
            AND (l.classid::bigint << 32 | l.objid::bigint) = hashtext('rollcall_shadow')::bigint
    ) AS is_running
    FROM replays WHERE organization_id = $1";

/// How much of a dead letter is shown: one that is longer is only measured.
pub(crate) const SHOWN_BYTES: i32 = 64 * 1024;

const LETTERS: &str = "
    SELECT id, kept_at, message_id, type, reason, substring(body FROM 1 FOR $2) AS body FROM dead_letters
    WHERE organization_id = $1 AND retried_at IS NULL ORDER BY kept_at DESC, id LIMIT 100";

const LETTER_COUNT: &str = "SELECT count(*) AS count FROM dead_letters WHERE retried_at IS NULL";

const EXPIRING: &str = "
    SELECT organization_id, id, expires_at FROM scim_tokens
    WHERE revoked_at IS NULL AND expires_at > now() AND expires_at <= now() + interval '30 days' ORDER BY expires_at LIMIT 1000";

/// How the service does.
pub(crate) struct ServiceStatus {
    /// How many entries the log has.
    pub(crate) size: u64,
    /// How many of them the last checkpoint signs, and since when.
    pub(crate) signed: Option<(u64, Timestamp)>,
    /// How many entries there are of the last hour, up to ten thousand.
    pub(crate) recent: u64,
    /// How long half of them took at the most, and ninety-nine of a hundred, in seconds.
    pub(crate) took: Option<(f64, f64)>,
    /// When the last of them was recorded.
    pub(crate) last: Option<Timestamp>,
}

/// How long entries took from request to record in two minutes.
pub(crate) struct Latency {
    /// Which of the last hour's thirty.
    pub(crate) bucket: usize,
    /// Half of them at the most, in seconds.
    pub(crate) median: f64,
    /// Ninety-nine of a hundred at the most.
    pub(crate) most: f64,
}

/// The last replay of an organization's log.
pub(crate) struct Replayed {
    pub(crate) begun_at: Timestamp,
    /// When it was heard of last.
    pub(crate) told_at: Timestamp,
    /// How many entries were replayed, and of how many.
    pub(crate) entries: u64,
    pub(crate) size: u64,
    pub(crate) state: ReplayState,
}

/// What became of a replay.
pub(crate) enum ReplayState {
    /// A replay goes on.
    Running,
    /// It ended without having compared anything; the next one goes on from where it was.
    BrokenOff,
    /// It compared the projections with what the log adds up to.
    Ended {
        at: Timestamp,
        /// How many rows differed.
        rows: u64,
        /// Whether they were made alike.
        is_mended: bool,
    },
}

/// A request that could not be applied.
pub(crate) struct DeadLetter {
    pub(crate) id: DeadLetterId,
    pub(crate) kept_at: Timestamp,
    pub(crate) message_id: Option<String>,
    pub(crate) type_name: Option<String>,
    pub(crate) reason: String,
    /// The first bytes of it, and one more than is shown where it is longer.
    pub(crate) body: Vec<u8>,
}

/// How the service does for an organization.
pub(crate) async fn standing(database: &Database, organization: OrganizationId) -> Result<ServiceStatus, ReadError> {
    let row = database
        .queries(organization)
        .query_opt(STANDING, &[&organization])
        .await?
        .ok_or_else(|| ReadError::Malformed("no standing".to_owned()))?;
    let count = |name: &str| row.try_get::<_, Option<i64>>(name).map(|count| count.map(i64::unsigned_abs));
    Ok(ServiceStatus {
        size: count("size")?.unwrap_or_default(),
        signed: count("signed_size")?.zip(row.try_get("signed_at")?),
        recent: count("count")?.unwrap_or_default(),
        took: row.try_get::<_, Option<f64>>("median")?.zip(row.try_get("most")?),
        last: row.try_get("last")?,
    })
}

/// How long an organization's entries took in the last hour, where there are any.
pub(crate) async fn latencies(database: &Database, organization: OrganizationId) -> Result<Vec<Latency>, ReadError> {
    let rows = database.queries(organization).query(LATENCIES, &[&organization]).await?;
    let latency = |row: &tokio_postgres::Row| {
        let bucket = usize::try_from(row.try_get::<_, i32>("bucket")?).unwrap_or_default();
        Ok(Latency { bucket, median: row.try_get("median")?, most: row.try_get("most")? })
    };
    rows.iter().map(latency).collect()
}

/// How far the last replay of an organization's log is, where there ever was one.
pub(crate) async fn replayed(database: &Database, organization: OrganizationId) -> Result<Option<Replayed>, ReadError> {
    let Some(row) = database.queries(organization).query_opt(REPLAY, &[&organization]).await? else { return Ok(None) };
    let ended: Option<Timestamp> = row.try_get("ended_at")?;
    let (rows, is_mended): (Option<i64>, Option<bool>) = (row.try_get("different_rows")?, row.try_get("is_mended")?);
    let state = match ended {
        Some(at) => ReplayState::Ended { at, rows: rows.unwrap_or_default().unsigned_abs(), is_mended: is_mended.unwrap_or_default() },
        None if row.try_get("is_running")? => ReplayState::Running,
        None => ReplayState::BrokenOff,
    };
    Ok(Some(Replayed {
        begun_at: row.try_get("begun_at")?,
        told_at: row.try_get("told_at")?,
        entries: row.try_get::<_, i64>("entries")?.unsigned_abs(),
        size: row.try_get::<_, i64>("size")?.unsigned_abs(),
        state,
    }))
}

/// An organization's dead letters that nobody has decided about, the newest hundred.
pub(crate) async fn dead_letters(database: &Database, organization: OrganizationId) -> Result<Vec<DeadLetter>, ReadError> {
    let rows = database.queries(organization).query(LETTERS, &[&organization, &(SHOWN_BYTES + 1)]).await?;
    let letter = |row: &tokio_postgres::Row| {
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

/// How many dead letters there are, of all organizations, that nobody has decided about.
pub(crate) async fn dead_letter_count(database: &Database) -> Result<i64, ReadError> {
    let row = database.points(OrganizationId::SYSTEM).query_opt(LETTER_COUNT, &[]).await?;
    Ok(row.map(|row| row.try_get("count")).transpose()?.unwrap_or_default())
}

/// The tokens of all organizations that expire within 30 days, and when; the first thousand.
pub(crate) async fn expiring_tokens(database: &Database) -> Result<Vec<(OrganizationId, TokenId, Timestamp)>, ReadError> {
    let rows = database.points(OrganizationId::SYSTEM).query(EXPIRING, &[]).await?;
    rows.iter().map(|row| Ok((row.try_get("organization_id")?, row.try_get("id")?, row.try_get("expires_at")?))).collect()
}
