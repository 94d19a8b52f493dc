//! Acknowledges deliveries whose requests are committed and answered, after notifying listeners. Both happen
//! at intervals, not per batch, because a notification wakes every listener and an ack is a write of the
//! broker.
//!
//! If the worker ends in between, the broker redelivers the messages. The next worker finds the requests
//! recorded and sends the notifications.

use lapin::Acker;
use lapin::options::BasicAckOptions;
use std::future::pending;
use tokio::time::{Duration, Instant, sleep_until};

use super::error::RunError;
use super::notifications::Notifications;
use crate::db::Store;
use crate::wait::{ANSWER, within};

/// Minimum interval between flushes; also the maximum notification delay. After an idle time the first flush
/// is immediate.
const INTERVAL: Duration = Duration::from_millis(50);

/// The deliveries that are not acknowledged yet.
pub(crate) struct PendingAcks {
    /// Acknowledges the last delivery and all before it.
    last: Option<Acker>,
    deliveries: usize,
    /// Maximum number of deliveries that may wait.
    most: usize,
    due: Option<Instant>,
    /// The time of the last flush.
    flushed: Option<Instant>,
    notifications: Notifications,
}

impl PendingAcks {
    /// An empty list with room for `most` deliveries.
    pub(crate) fn new(most: usize) -> Self {
        Self { last: None, deliveries: 0, most, due: None, flushed: None, notifications: Notifications::default() }
    }

    /// Adds deliveries; `last` acknowledges the last of them. `at_once` makes them due immediately, for
    /// requests that must not be processed twice.
    pub(crate) fn take(&mut self, last: Acker, deliveries: usize, notifications: Notifications, at_once: bool) {
        self.last = Some(last);
        self.deliveries += deliveries;
        self.notifications.extend(notifications);
        let now = Instant::now();
        self.due = match self.flushed {
            Some(flushed) if !at_once => Some(now.max(flushed + INTERVAL)),
            _ => Some(now),
        };
    }

    /// Whether a flush is due.
    pub(crate) fn is_due(&self) -> bool {
        self.deliveries >= self.most || self.due.is_some_and(|due| due <= Instant::now())
    }

    /// Waits until a flush is due. Never returns if the list is empty.
    pub(crate) async fn wait(&self) {
        match self.due {
            Some(due) => sleep_until(due).await,
            None => pending().await,
        }
    }

    /// Notifies listeners, then acknowledges.
    ///
    /// # Errors
    /// If a server fails. The broker redelivers the messages that were not acknowledged.
    pub(crate) async fn flush(&mut self, store: &Store) -> Result<(), RunError> {
        self.notifications.send(store).await?;
        if let Some(last) = self.last.take() {
            within("the sending of an acknowledgement", ANSWER, last.ack(BasicAckOptions { multiple: true })).await??;
        }
        (self.deliveries, self.due, self.flushed) = (0, None, Some(Instant::now()));
        Ok(())
    }
}
