//! Tracks the oldest in-flight request of each partition, and the partitions that have stopped.

use rollcall_events::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// No request is in flight.
const NOTHING: i64 = 0;
/// This worker does not serve the partition.
const AWAY: i64 = -1;

/// The in-flight requests of each partition.
pub(crate) struct InFlight(Vec<PartitionInFlight>);

/// The in-flight requests of one partition.
struct PartitionInFlight {
    /// When the oldest in-flight request was sent, in Unix seconds; or [`NOTHING`], or [`AWAY`].
    oldest: AtomicI64,
    /// When the partition stopped, and why.
    stopped: Mutex<Option<(Timestamp, String)>>,
    /// The number of keys loaded on demand since the worker started.
    demand_loads: AtomicI64,
}

/// The status of the partitions, as columns.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PartitionRows {
    pub(crate) partitions: Vec<i32>,
    pub(crate) oldest: Vec<i64>,
    pub(crate) stopped_at: Vec<Option<Timestamp>>,
    pub(crate) stopped_reasons: Vec<Option<String>>,
    pub(crate) demand_loads: Vec<i64>,
}

impl InFlight {
    /// Tracks `partitions` partitions. None is served yet.
    pub(crate) fn new(partitions: u16) -> Self {
        let none = |_| PartitionInFlight {
            oldest: AtomicI64::new(AWAY),
            stopped: Mutex::default(),
            demand_loads: AtomicI64::new(0),
        };
        Self((0..partitions).map(none).collect())
    }

    /// Requests of a partition are in flight. The oldest was sent at `sent`, in Unix seconds.
    pub(crate) fn take(&self, partition: u16, sent: i64) {
        self.set(partition, sent.max(1));
    }

    /// The partition is served and has no request in flight.
    pub(crate) fn empty(&self, partition: u16) {
        self.set(partition, NOTHING);
    }

    /// This worker no longer serves the partition.
    pub(crate) fn leave(&self, partition: u16) {
        self.set(partition, AWAY);
    }

    /// The partition has stopped for this reason.
    pub(crate) fn stop(&self, partition: u16, reason: String) {
        if let Some(partition) = self.0.get(usize::from(partition)) {
            let mut stopped = partition.stopped();
            let since = stopped.as_ref().map_or_else(Timestamp::now, |(since, _)| *since);
            *stopped = Some((since, reason));
        }
    }

    /// The partition is served, or one of its batches was applied. `demand_loads` is the number of keys that
    /// the batch loaded on demand.
    pub(crate) fn resume(&self, partition: u16, demand_loads: usize) {
        if let Some(known) = self.0.get(usize::from(partition)) {
            if known.stopped().take().is_some() {
                tracing::info!(partition, "the partition resumes");
            }
            known.demand_loads.fetch_add(i64::try_from(demand_loads).unwrap_or(i64::MAX), Ordering::Relaxed);
        }
    }

    fn set(&self, partition: u16, value: i64) {
        if let Some(partition) = self.0.get(usize::from(partition)) {
            partition.oldest.store(value, Ordering::Relaxed);
        }
    }

    /// The status of the partitions that are served or stopped.
    pub(crate) fn status(&self) -> PartitionRows {
        let mut rows = PartitionRows::default();
        for (number, partition) in (0..).zip(&self.0) {
            let (oldest, stopped) = (partition.oldest.load(Ordering::Relaxed), partition.stopped().clone());
            if oldest == AWAY && stopped.is_none() {
                continue;
            }
            let (stopped_at, reason) = stopped.unzip();
            rows.partitions.push(number);
            rows.oldest.push(oldest.max(NOTHING));
            rows.stopped_at.push(stopped_at);
            rows.stopped_reasons.push(reason);
            rows.demand_loads.push(partition.demand_loads.load(Ordering::Relaxed));
        }
        rows
    }
}

impl PartitionInFlight {
    fn stopped(&self) -> MutexGuard<'_, Option<(Timestamp, String)>> {
        // No holder of the lock can leave the value half-changed.
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(in_flight: &InFlight) -> Vec<(i32, i64, Option<String>)> {
        let PartitionRows { partitions, oldest, stopped_reasons, .. } = in_flight.status();
        partitions
            .into_iter()
            .zip(oldest)
            .zip(stopped_reasons)
            .map(|((partition, oldest), reason)| (partition, oldest, reason))
            .collect()
    }

    #[test]
    fn only_served_partitions_have_a_status() {
        let in_flight = InFlight::new(3);
        assert_eq!(status(&in_flight), []);
        in_flight.take(2, 1_700_000_000);
        in_flight.empty(0);
        in_flight.take(7, 1);
        assert_eq!(status(&in_flight), [(0, 0, None), (2, 1_700_000_000, None)]);
        in_flight.leave(0);
        in_flight.empty(2);
        assert_eq!(status(&in_flight), [(2, 0, None)]);
    }

    #[test]
    fn a_stopped_partition_has_a_status_until_it_resumes() {
        let in_flight = InFlight::new(2);
        in_flight.stop(1, "a missing column".to_owned());
        let since = in_flight.status().stopped_at;
        in_flight.stop(1, "a missing table".to_owned());
        assert_eq!(
            (status(&in_flight), in_flight.status().stopped_at),
            (vec![(1, 0, Some("a missing table".to_owned()))], since)
        );
        in_flight.empty(1);
        in_flight.resume(1, 3);
        assert_eq!((status(&in_flight), in_flight.status().demand_loads), (vec![(1, 0, None)], vec![3]));
    }
}
