//! What the worker has in hand: since when the oldest request of each partition waits, told to operators every second.

use secrecy::SecretString;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::database::{Database, TaskError};
use crate::keep::keep;

const APPLICATION: &str = "rollcall-worker hand";
/// How often it is told.
const INTERVAL: Duration = Duration::from_secs(1);
/// Losing the last second of it in a crash costs nobody anything, and so nothing waits for the disk.
const SESSION: &str = "SET synchronous_commit = off";

/// A worker that stands by has nothing in hand, and must not say so for the one that works: it tells of a partition once nobody else has for a while.
const TELL: &str = "
    INSERT INTO partitions AS p (partition, worker, oldest_at, told_at)
    SELECT partition, $1, to_timestamp(NULLIF(oldest, 0)), now() FROM unnest($2::integer[], $3::bigint[]) AS h (partition, oldest)
    ON CONFLICT (partition) DO UPDATE SET worker = excluded.worker, oldest_at = excluded.oldest_at, told_at = excluded.told_at
    WHERE excluded.oldest_at IS NOT NULL OR p.worker = excluded.worker OR p.told_at < now() - interval '5 seconds'";

/// Nothing in hand.
const NOTHING: i64 = 0;
/// The partition is not served: nothing can be said of it.
const AWAY: i64 = -1;

/// What is in hand of each partition: when the oldest request was sent, in Unix seconds.
pub(crate) struct Hands(Vec<AtomicI64>);

impl Hands {
    /// Of so many partitions, none of which is served yet.
    pub(crate) fn new(partitions: u16) -> Self {
        Self((0..partitions).map(|_| AtomicI64::new(AWAY)).collect())
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

    fn set(&self, partition: u16, value: i64) {
        if let Some(hand) = self.0.get(usize::from(partition)) {
            hand.store(value, Ordering::Relaxed);
        }
    }

    /// The partitions that are served, with what is in hand of each.
    fn served(&self) -> (Vec<i32>, Vec<i64>) {
        let hands = (0..).zip(self.0.iter().map(|hand| hand.load(Ordering::Relaxed)));
        hands.filter(|(_, sent)| *sent != AWAY).unzip()
    }
}

/// Tells until `stop`.
pub(crate) async fn keep_telling(database_url: &SecretString, hands: Arc<Hands>, stop: CancellationToken) {
    let worker = Uuid::now_v7();
    keep("operators", &stop, async || tell(database_url, worker, &hands, &stop).await).await;
}

async fn tell(database_url: &SecretString, worker: Uuid, hands: &Hands, stop: &CancellationToken) -> Result<(), TaskError> {
    let database = Database::open(database_url, APPLICATION).await?;
    database.batch(SESSION).await?;
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = interval.tick() => {}
        }
        let (partitions, sent) = hands.served();
        database.execute(TELL, &[&worker, &partitions, &sent]).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_partitions_that_are_served_are_told_of() {
        let hands = Hands::new(3);
        assert_eq!(hands.served(), (vec![], vec![]));
        hands.take(2, 1_700_000_000);
        hands.empty(0);
        hands.take(7, 1);
        assert_eq!(hands.served(), (vec![0, 2], vec![0, 1_700_000_000]));
        hands.leave(0);
        hands.empty(2);
        assert_eq!(hands.served(), (vec![2], vec![0]));
    }
}
