//! How much of what is in a log happened when.

use rollcall_events::{OrganizationId, Timestamp};
use tokio_postgres::types::Type;

use super::filter_sql::Values;
use super::{Condition, Database, ReadError};

/// What entries are counted by: what they are about, and last those that tell of a refusal.
pub(crate) const KINDS: [&str; 4] = ["users", "groups", "settings", "refused"];
/// How many parts the time of a timeline has.
const BUCKETS: i32 = 48;
/// How many of the newest entries a timeline tells of.
const COUNTED: i64 = 50_000;

/// How many entries of each kind there are in a part of the time.
pub(crate) struct Moment {
    pub(crate) bucket: usize,
    pub(crate) counts: [u64; 4],
}

/// How much happened when.
#[derive(Default)]
pub(crate) struct Timeline {
    /// The first and the last entry's time; `None` where there is none.
    pub(crate) range: Option<(Timestamp, Timestamp)>,
    pub(crate) moments: Vec<Moment>,
}

/// When the newest entries were recorded, up to fifty thousand, in 48 equal parts of the time.
pub(crate) async fn log_timeline(
    database: &Database,
    organization: OrganizationId,
    conditions: &[Condition],
) -> Result<Timeline, ReadError> {
    let mut values = Values::default();
    let mut wanted = vec![format!("e.organization_id = {}", values.bind(organization, Type::UUID))];
    wanted.extend(conditions.iter().map(|condition| condition.sql(&mut values)));
    let (limit, buckets) = (values.bind(COUNTED, Type::INT8), values.bind(BUCKETS, Type::INT4));
    let wanted = wanted.join(" AND ");
    let sql = format!(
        "WITH n AS MATERIALIZED (
            SELECT e.recorded_at AS at,
                CASE WHEN e.outcome = 'rejected' OR e.type = 'AccessDenied' THEN 4 WHEN e.subject_type = 'User' THEN 1 WHEN e.subject_type = 'Group' THEN 2 ELSE 3 END AS kind
            FROM events e WHERE {wanted} ORDER BY e.seq DESC LIMIT {limit}
        ), s AS (SELECT min(at) AS first, max(at) AS last FROM n)
        SELECT s.first, s.last, b.bucket, n.kind, count(*) AS count
        FROM n, s, width_bucket(extract(epoch FROM n.at), extract(epoch FROM s.first), extract(epoch FROM s.last) + 1, {buckets}) AS b (bucket)
        GROUP BY s.first, s.last, b.bucket, n.kind ORDER BY b.bucket"
    );
    let mut timeline = Timeline::default();
    for row in database.queries(organization).query_typed(&sql, &values.parameters()).await? {
        let (bucket, kind): (i32, i32) = (row.try_get("bucket")?, row.try_get("kind")?);
        let bucket = usize::try_from(bucket - 1).unwrap_or_default();
        timeline.range = Some((row.try_get("first")?, row.try_get("last")?));
        if timeline.moments.last().is_none_or(|last| last.bucket != bucket) {
            timeline.moments.push(Moment { bucket, counts: [0; 4] });
        }
        let counts = timeline.moments.last_mut().map(|last| &mut last.counts);
        if let Some(count) = counts.and_then(|counts| counts.get_mut(usize::try_from(kind - 1).ok()?)) {
            *count = row.try_get::<_, i64>("count")?.unsigned_abs();
        }
    }
    Ok(timeline)
}
