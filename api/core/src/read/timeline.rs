//! The number of log entries over time.

use rollcall_events::{OrganizationId, Timestamp};
use tokio_postgres::types::Type;

use super::filter_sql::Values;
use super::{Condition, Database, ReadError};

/// The kinds of entries: by subject, and last the rejected ones.
pub const KINDS: [&str; 4] = ["users", "groups", "settings", "rejected"];
/// The number of intervals in a timeline.
const BUCKETS: i32 = 48;
/// How many of the newest entries a timeline covers.
const COVERED: i64 = 50_000;

/// The number of entries of each kind in an interval.
pub struct TimelineBucket {
    /// The number of the interval, from 0.
    pub bucket: usize,
    /// The number of entries of each of [`KINDS`].
    pub counts: [u64; 4],
}

/// The number of log entries over time.
#[derive(Default)]
pub struct Timeline {
    /// The times of the first and the last entry; `None` if there are no entries.
    pub range: Option<(Timestamp, Timestamp)>,
    /// The intervals with entries.
    pub buckets: Vec<TimelineBucket>,
}

/// Counts the newest entries, up to 50,000, by the time of recording, in 48 equal intervals.
pub async fn log_timeline(
    database: &Database,
    organization: OrganizationId,
    conditions: &[Condition],
) -> Result<Timeline, ReadError> {
    let mut values = Values::default();
    let mut wanted = vec![format!("e.organization_id = {}", values.bind(organization, Type::UUID))];
    wanted.extend(conditions.iter().map(|condition| condition.sql(&mut values)));
    let (limit, buckets) = (values.bind(COVERED, Type::INT8), values.bind(BUCKETS, Type::INT4));
    let wanted = wanted.join(" AND ");
    let sql = format!(
        "WITH n AS MATERIALIZED (
            SELECT e.recorded_at AS at,
                CASE
                    WHEN e.outcome = 'rejected' OR e.type = 'AccessDenied' THEN 4
                    WHEN e.subject_type = 'User' THEN 1 WHEN e.subject_type = 'Group' THEN 2 ELSE 3
                END AS kind
            FROM events e WHERE {wanted} ORDER BY e.seq DESC LIMIT {limit}
        ), s AS (SELECT min(at) AS first, max(at) AS last FROM n)
        SELECT s.first, s.last, b.bucket, n.kind, count(*) AS count
        FROM n, s, width_bucket(extract(epoch FROM n.at), extract(epoch FROM s.first), extract(epoch FROM s.last) + 1,
            {buckets}) AS b (bucket)
        GROUP BY s.first, s.last, b.bucket, n.kind ORDER BY b.bucket"
    );
    let mut timeline = Timeline::default();
    for row in database.queries(organization).query_typed(&sql, &values.parameters()).await? {
        let (bucket, kind): (i32, i32) = (row.try_get("bucket")?, row.try_get("kind")?);
        let bucket = usize::try_from(bucket - 1).unwrap_or_default();
        timeline.range = Some((row.try_get("first")?, row.try_get("last")?));
        if timeline.buckets.last().is_none_or(|last| last.bucket != bucket) {
            timeline.buckets.push(TimelineBucket { bucket, counts: [0; 4] });
        }
        let counts = timeline.buckets.last_mut().map(|last| &mut last.counts);
        if let Some(count) = counts.and_then(|counts| counts.get_mut(usize::try_from(kind - 1).ok()?)) {
            *count = row.try_get::<_, i64>("count")?.unsigned_abs();
        }
    }
    Ok(timeline)
}
