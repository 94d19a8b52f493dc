//! The state of partitions, as their workers report it.

use std::collections::HashMap;
use tokio_postgres::Row;

use super::{Database, ReadError};

/// How long a report counts as current, in seconds.
const FRESH: f64 = 5.0;

const REPORTS: &str = "
    SELECT partition, extract(epoch FROM now() - oldest_at)::float8 AS oldest,
        extract(epoch FROM now() - told_at)::float8 AS told, demand_loads
    FROM partitions";

/// A worker that has stopped a partition reports this every second. A report older than a minute is from a
/// worker that has ended, and does not count.
const STOPPED: &str = "
    SELECT partition, stopped_reason FROM partitions
    WHERE stopped_at IS NOT NULL AND told_at > now() - interval '1 minute' ORDER BY partition";

/// The last report about a partition.
#[derive(Debug, Clone, Copy)]
pub struct PartitionStatus {
    /// The age of the oldest in-flight request, in seconds; `None` if none is in flight.
    oldest: Option<f64>,
    /// The age of the report, in seconds.
    ago: f64,
    /// How many keys the worker has loaded on demand since it started.
    demand_loads: i64,
}

/// The lag of a partition: how long its oldest request has waited, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OldestRequest {
    /// No request waits.
    None,
    /// The oldest request has waited for this time.
    For(f64),
    /// The oldest request has waited for at most this time: the worker's last report had no older one in
    /// flight.
    AtMost(f64),
    /// No worker has ever reported the partition.
    Unknown,
}

impl PartitionStatus {
    /// How many keys the worker has loaded on demand since it started.
    pub fn demand_loads(&self) -> i64 {
        self.demand_loads
    }

    /// The lag, from the last report and the number of messages in the queue.
    pub fn oldest(report: Option<&Self>, waiting: u32) -> OldestRequest {
        match report {
            Some(Self { oldest: Some(oldest), ago, .. }) if *ago < FRESH => OldestRequest::For(*oldest),
            _ if waiting == 0 => OldestRequest::None,
            // When a worker ends, its in-flight requests go back to the queue, and are the oldest there.
            Some(Self { oldest, ago, .. }) => OldestRequest::AtMost(oldest.unwrap_or(*ago)),
            None => OldestRequest::Unknown,
        }
    }
}

/// The last report about each partition.
pub async fn partitions(database: &Database) -> Result<HashMap<u16, PartitionStatus>, ReadError> {
    let mut partitions = HashMap::new();
    for row in database.sessions().query(REPORTS, &[]).await? {
        let partition: i32 = row.try_get("partition")?;
        let (oldest, ago, demand_loads) = (row.try_get("oldest")?, row.try_get("told")?, row.try_get("demand_loads")?);
        let report = PartitionStatus { oldest, ago, demand_loads };
        partitions.extend(u16::try_from(partition).map(|partition| (partition, report)));
    }
    Ok(partitions)
}

/// The partitions that a worker has stopped because of a fault that concerns all their requests, each with
/// the reason. The worker resumes them once the fault is repaired.
pub async fn stopped_partitions(database: &Database) -> Result<Vec<(u16, String)>, ReadError> {
    let rows = database.sessions().query(STOPPED, &[]).await?;
    rows.iter().filter_map(|row| stopped(row).transpose()).collect()
}

/// The partition of a row and the reason; `None` if its number is out of range.
fn stopped(row: &Row) -> Result<Option<(u16, String)>, ReadError> {
    let Ok(partition) = u16::try_from(row.try_get::<_, i32>("partition")?) else { return Ok(None) };
    Ok(Some((partition, row.try_get("stopped_reason")?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case(None, 0.5, 0 => OldestRequest::None; "idle")]
    #[test_case(None, 0.5, 3 => OldestRequest::AtMost(0.5); "they arrived after the last report")]
    #[test_case(Some(7.0), 0.5, 0 => OldestRequest::For(7.0); "all of them are in flight")]
    #[test_case(Some(7.0), 0.5, 3 => OldestRequest::For(7.0); "there are more")]
    #[test_case(
        Some(90.0), 80.0, 3 => OldestRequest::AtMost(90.0);
        "the worker is gone, and its requests went back to the queue"
    )]
    #[test_case(None, 80.0, 3 => OldestRequest::AtMost(80.0); "the worker is gone, and had none in flight")]
    #[test_case(Some(90.0), 80.0, 0 => OldestRequest::None; "the worker finished before it ended")]
    fn how_long_the_oldest_request_waits(oldest: Option<f64>, ago: f64, waiting: u32) -> OldestRequest {
        PartitionStatus::oldest(Some(&PartitionStatus { oldest, ago, demand_loads: 0 }), waiting)
    }

    #[test]
    fn a_partition_without_a_report() {
        assert_eq!(PartitionStatus::oldest(None, 0), OldestRequest::None);
        assert_eq!(PartitionStatus::oldest(None, 1), OldestRequest::Unknown);
    }
}
