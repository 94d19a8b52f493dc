//! What is committed and answered, and not acknowledged yet. Listeners are told of it, and then it is acknowledged: both at intervals and not batch by batch, since each
//! notification wakes every listener and each acknowledgement is a write of the broker's.
//!
//! A worker that ends in between is delivered it again, or another is: it finds it recorded, and tells then.

use lapin::Acker;
use lapin::options::BasicAckOptions;
use std::future::pending;
use tokio::time::{Duration, Instant, sleep_until};

use crate::consume::RunError;
use crate::notifications::Notifications;
use crate::store::Store;
use crate::wait::{ANSWER, within};

/// How long it is at least from one time to the next, and so at most until listeners know; after a rest they know at once.
const INTERVAL: Duration = Duration::from_millis(50);

/// What is not settled.
pub(crate) struct PendingAcks {
    /// Of the last message: it acknowledges all before it.
    last: Option<Acker>,
    deliveries: usize,
    /// How many deliveries may wait.
    most: usize,
    due: Option<Instant>,
    /// When it was settled last.
    settled: Option<Instant>,
    notifications: Notifications,
}

impl PendingAcks {
    /// Nothing, with room for so many deliveries.
    pub(crate) fn new(most: usize) -> Self {
        Self { last: None, deliveries: 0, most, due: None, settled: None, notifications: Notifications::default() }
    }

    /// Takes in so many deliveries, the last of which is acknowledged by `last`; one that must not be done twice is settled at once.
    pub(crate) fn take(&mut self, last: Acker, deliveries: usize, notifications: Notifications, at_once: bool) {
        self.last = Some(last);
        self.deliveries += deliveries;
        self.notifications.extend(notifications);
        let now = Instant::now();
        self.due = match self.settled {
            Some(settled) if !at_once => Some(now.max(settled + INTERVAL)),
            _ => Some(now),
        };
    }

    /// Whether it is time to settle.
    pub(crate) fn is_due(&self) -> bool {
        self.deliveries >= self.most || self.due.is_some_and(|due| due <= Instant::now())
    }

    /// Returns when it is time to settle; not at all where there is nothing.
    pub(crate) async fn wait(&self) {
        match self.due {
            Some(due) => sleep_until(due).await,
            None => pending().await,
        }
    }

    /// Tells listeners, and acknowledges.
    ///
    /// # Errors
    /// Where a server fails. What is not acknowledged will be delivered again.
    pub(crate) async fn settle(&mut self, store: &Store) -> Result<(), RunError> {
        self.notifications.send(store).await?;
        if let Some(last) = self.last.take() {
            within("room for an acknowledgement", ANSWER, last.ack(BasicAckOptions { multiple: true })).await??;
        }
        (self.deliveries, self.due, self.settled) = (0, None, Some(Instant::now()));
        Ok(())
    }
}
