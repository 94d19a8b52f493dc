//! The lag of sinks.

use rollcall_events::OrganizationId;

use super::{Database, ReadError};

/// The lag of each sink that has a position. The worker stores positions; the names are in its settings.
const SINKS: &str = "
    SELECT p.sink, sum(h.size - p.seq)::bigint AS entries, bool_or(p.failing_since IS NOT NULL) AS is_failing,
        COALESCE(extract(epoch FROM now() - min(e.recorded_at)), 0)::float8 AS seconds
    FROM sink_positions p
    JOIN log_heads h ON h.organization_id = p.organization_id
    LEFT JOIN events e ON e.organization_id = p.organization_id AND e.seq = p.seq + 1
    GROUP BY p.sink ORDER BY p.sink LIMIT 100";

/// The lag of a sink.
#[derive(Debug, Clone, PartialEq)]
pub struct SinkLag {
    /// The name of the sink.
    pub sink: String,
    /// The number of entries that were not delivered.
    pub entries: i64,
    /// The age of the oldest of them in seconds; 0 if there is none.
    pub seconds: f64,
    /// Whether the delivery of any log fails.
    pub is_failing: bool,
}

/// The lag of all sinks.
pub async fn sink_lags(database: &Database) -> Result<Vec<SinkLag>, ReadError> {
    let rows = database.points(OrganizationId::SYSTEM).query(SINKS, &[]).await?;
    let lag = |row: &tokio_postgres::Row| {
        Ok(SinkLag {
            sink: row.try_get("sink")?,
            entries: row.try_get("entries")?,
            seconds: row.try_get::<_, f64>("seconds")?.max(0.0),
            is_failing: row.try_get("is_failing")?,
        })
    };
    rows.iter().map(lag).collect()
}
