//! What the worker has in hand: since when the oldest request of each partition waits, told to operators every second.

use rollcall_events::Timestamp;
use secrecy::SecretString;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::consume::Shared;
use crate::database::{Database, TaskError};
use crate::keep::keep;

const APPLICATION: &str = "rollcall-worker status";
/// How often it is told.
const INTERVAL: Duration = Duration::from_secs(1);
/// Losing the last second of it in a crash costs nobody anything, and so nothing waits for the disk.
const SESSION: &str = "SET synchronous_commit = off";

/// A worker that stands by has nothing in hand, and must not say so for the one that works: it tells of a partition once nobody else has for a while.
const TELL: &str = "
    INSERT INTO partitions AS p (partition, worker, oldest_at, told_at, stopped_at, stopped_reason, demand_loads)
    SELECT partition, $1, to_timestamp(NULLIF(oldest, 0)), now(), stopped_at, stopped_reason, demand_loads
    FROM unnest($2::integer[], $3::bigint[], $4::timestamptz[], $5::text[], $6::bigint[])
        AS h (partition, oldest, stopped_at, stopped_reason, demand_loads)
    ON CONFLICT (partition) DO UPDATE SET
        worker = excluded.worker, oldest_at = excluded.oldest_at, told_at = excluded.told_at, stopped_at = excluded.stopped_at,
        stopped_reason = excluded.stopped_reason, demand_loads = excluded.demand_loads
    WHERE excluded.oldest_at IS NOT NULL OR p.worker = excluded.worker
        OR p.told_at < now() - interval '5 seconds'";

/// Nothing in hand.
const NOTHING: i64 = 0;
/// The partition is not served: nothing can be said of it.
const AWAY: i64 = -1;

/// What is in hand of each partition.
pub(crate) struct InFlight(Vec<PartitionInFlight>);

/// What is in hand of one partition.
struct PartitionInFlight {
    /// When the oldest request was sent, in Unix seconds; or [`NOTHING`], or [`AWAY`].
    oldest: AtomicI64,
    /// Since when the partition is stopped, and why.
    stopped: Mutex<Option<(Timestamp, String)>>,
    /// How many keys had to be loaded on demand since the worker started.
    demand_loads: AtomicI64,
}

/// What is told of the partitions, as columns.
#[derive(Debug, Default, PartialEq, Eq)]
struct PartitionRows {
    partitions: Vec<i32>,
    oldest: Vec<i64>,
    stopped_at: Vec<Option<Timestamp>>,
    stopped_reasons: Vec<Option<String>>,
    demand_loads: Vec<i64>,
}

impl InFlight {
    /// Of so many partitions, none of which is served yet.
    pub(crate) fn new(partitions: u16) -> Self {
        let hand = |_| PartitionInFlight { oldest: AtomicI64::new(AWAY), stopped: Mutex::default(), demand_loads: AtomicI64::new(0) };
        Self((0..partitions).map(hand).collect())
    }

    /// Requests of a partition are in hand, the oldest of which was sent then.
    pub(crate) fn take(&self, partition: u16, sent: i64) {
        self.set(partition, sent.max(1));
    }

    /// The partition is served, and nothing of it is in hand.
    pub(crate) fn empty(&self, partition: u16) {
        self.set(partition, NOTHING);
    }

    /// The partition is not served any more.
    pub(crate) fn leave(&self, partition: u16) {
        self.set(partition, AWAY);
    }

    /// The partition has stopped for that reason.
    pub(crate) fn stop(&self, partition: u16, reason: String) {
        if let Some(hand) = self.0.get(usize::from(partition)) {
            let mut stopped = hand.stopped();
            let since = stopped.as_ref().map_or_else(Timestamp::now, |(since, _)| *since);
            *stopped = Some((since, reason));
        }
    }

    /// The partition does not stop any more: it is served again, or a batch of it was applied, for which so many keys had to be loaded on demand.
    pub(crate) fn resume(&self, partition: u16, demand_loads: usize) {
        if let Some(hand) = self.0.get(usize::from(partition)) {
            if hand.stopped().take().is_some() {
                tracing::info!(partition, "the partition goes on");
            }
            hand.demand_loads.fetch_add(i64::try_from(demand_loads).unwrap_or(i64::MAX), Ordering::Relaxed);
        }
    }

    fn set(&self, partition: u16, value: i64) {
        if let Some(hand) = self.0.get(usize::from(partition)) {
            hand.oldest.store(value, Ordering::Relaxed);
        }
    }

    /// The partitions that are served or stopped, with what is in hand of each.
    fn told(&self) -> PartitionRows {
        let mut told = PartitionRows::default();
        for (partition, hand) in (0..).zip(&self.0) {
            let (oldest, stopped) = (hand.oldest.load(Ordering::Relaxed), hand.stopped().clone());
            if oldest == AWAY && stopped.is_none() {
                continue;
            }
            let (stopped_at, reason) = stopped.unzip();
            told.partitions.push(partition);
            told.oldest.push(oldest.max(NOTHING));
            told.stopped_at.push(stopped_at);
            told.stopped_reasons.push(reason);
            told.demand_loads.push(hand.demand_loads.load(Ordering::Relaxed));
        }
        told
    }
}

impl PartitionInFlight {
    fn stopped(&self) -> MutexGuard<'_, Option<(Timestamp, String)>> {
        // Nothing that holds the lock can leave it half-changed.
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells until `stop`.
pub(crate) async fn keep_telling(shared: &Shared, stop: CancellationToken) {
    let worker = Uuid::now_v7();
    keep("operators", &stop, async || tell(&shared.settings.database_url, worker, &shared.in_flight, &stop).await).await;
}

async fn tell(database_url: &SecretString, worker: Uuid, in_flight: &InFlight, stop: &CancellationToken) -> Result<(), TaskError> {
    let database = Database::open(database_url, APPLICATION).await?;
    database.batch(SESSION).await?;
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = interval.tick() => {}
        }
        let PartitionRows { partitions, oldest, stopped_at, stopped_reasons, demand_loads } = in_flight.told();
        database.execute(TELL, &[&worker, &partitions, &oldest, &stopped_at, &stopped_reasons, &demand_loads]).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(in_flight: &InFlight) -> Vec<(i32, i64, Option<String>)> {
        let PartitionRows { partitions, oldest, stopped_reasons, .. } = in_flight.told();
        partitions.into_iter().zip(oldest).zip(stopped_reasons).map(|((partition, oldest), reason)| (partition, oldest, reason)).collect()
    }

    #[test]
    fn only_partitions_that_are_served_are_told_of() {
        let in_flight = InFlight::new(3);
        assert_eq!(told(&in_flight), []);
        in_flight.take(2, 1_700_000_000);
        in_flight.empty(0);
        in_flight.take(7, 1);
        assert_eq!(told(&in_flight), [(0, 0, None), (2, 1_700_000_000, None)]);
        in_flight.leave(0);
        in_flight.empty(2);
        assert_eq!(told(&in_flight), [(2, 0, None)]);
    }

    #[test]
    fn a_stopped_partition_is_told_of_until_it_goes_on() {
        let in_flight = InFlight::new(2);
        in_flight.stop(1, "a missing column".to_owned());
        let since = in_flight.told().stopped_at;
        in_flight.stop(1, "a missing table".to_owned());
        assert_eq!((told(&in_flight), in_flight.told().stopped_at), (vec![(1, 0, Some("a missing table".to_owned()))], since));
        in_flight.empty(1);
        in_flight.resume(1, 3);
        assert_eq!((told(&in_flight), in_flight.told().demand_loads), (vec![(1, 0, None)], vec![3]));
    }
}
