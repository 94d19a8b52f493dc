//! Publishes the status of each partition for operators: its oldest in-flight request, and why it is stopped.

use secrecy::SecretString;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::db::{Database, TaskError};
use crate::pipeline::{InFlight, PartitionRows};
use crate::supervise::supervise;

const APPLICATION: &str = "rollcall-worker status";
/// The interval between two updates.
const INTERVAL: Duration = Duration::from_secs(1);
/// A crash may lose the last second of the status, so no update waits for the disk.
const SESSION: &str = "SET synchronous_commit = off";

/// A standby worker has no requests in flight and must not overwrite the status of the active worker. It
/// writes a status only if no other worker has written one for 5 seconds.
const UPDATE: &str = "
    INSERT INTO partitions AS p (partition, worker, oldest_at, told_at, stopped_at, stopped_reason, demand_loads)
    SELECT partition, $1, to_timestamp(NULLIF(oldest, 0)), now(), stopped_at, stopped_reason, demand_loads
    FROM unnest($2::integer[], $3::bigint[], $4::timestamptz[], $5::text[], $6::bigint[])
        AS h (partition, oldest, stopped_at, stopped_reason, demand_loads)
    ON CONFLICT (partition) DO UPDATE SET
        worker = excluded.worker, oldest_at = excluded.oldest_at, told_at = excluded.told_at,
        stopped_at = excluded.stopped_at, stopped_reason = excluded.stopped_reason,
        demand_loads = excluded.demand_loads
    WHERE excluded.oldest_at IS NOT NULL OR p.worker = excluded.worker
        OR p.told_at < now() - interval '5 seconds'";

/// Publishes the status every second, until `stop`.
pub(crate) async fn publish_status(database_url: &SecretString, in_flight: &InFlight, stop: CancellationToken) {
    let worker = Uuid::now_v7();
    supervise("the status of the partitions", &stop, async || run(database_url, worker, in_flight, &stop).await).await;
}

async fn run(
    database_url: &SecretString,
    worker: Uuid,
    in_flight: &InFlight,
    stop: &CancellationToken,
) -> Result<(), TaskError> {
    let database = Database::open(database_url, APPLICATION).await?;
    database.batch(SESSION).await?;
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = interval.tick() => {}
        }
        let PartitionRows { partitions, oldest, stopped_at, stopped_reasons, demand_loads } = in_flight.status();
        database
            .execute(UPDATE, &[&worker, &partitions, &oldest, &stopped_at, &stopped_reasons, &demand_loads])
            .await?;
    }
}
