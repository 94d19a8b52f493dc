//! The pending replies: calls that wait for their outcomes.

use rollcall_events::CorrelationId;
use rollcall_events::outcome::Outcome;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::oneshot::{Receiver, Sender, channel};

type Calls = HashMap<CorrelationId, Sender<Outcome>>;

/// The pending replies, by correlation id.
#[derive(Clone)]
pub struct PendingReplies {
    calls: Arc<Mutex<Calls>>,
    /// Maximum number of pending replies.
    most: usize,
}

/// One pending reply. It is removed when this is dropped.
pub struct ReplySlot {
    id: CorrelationId,
    outcome: Receiver<Outcome>,
    pending: PendingReplies,
}

impl PendingReplies {
    /// Allows at most `most` pending replies.
    pub fn new(most: u32) -> Self {
        Self { calls: Arc::default(), most: usize::try_from(most).unwrap_or(usize::MAX) }
    }

    /// Reserves a slot for one call. `None` if there are too many pending replies.
    pub fn reserve(&self) -> Option<ReplySlot> {
        let (sender, outcome) = channel();
        let id = CorrelationId::generate();
        let mut calls = self.lock();
        if calls.len() >= self.most {
            return None;
        }
        calls.insert(id, sender);
        Some(ReplySlot { id, outcome, pending: self.clone() })
    }

    /// The number of pending replies.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Passes an outcome to its call. If the call no longer waits, the outcome is only in the log.
    pub fn resolve(&self, id: CorrelationId, outcome: Outcome) {
        if let Some(sender) = self.lock().remove(&id) {
            // The call may stop waiting at this moment.
            let _ = sender.send(outcome);
        }
    }

    /// Ends the wait of one call without an outcome.
    pub fn cancel(&self, id: CorrelationId) {
        self.lock().remove(&id);
    }

    /// Ends the wait of every call without an outcome.
    pub fn cancel_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        // No holder of the lock can panic and leave the map half-changed.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReplySlot {
    /// The correlation id of the reply.
    pub fn id(&self) -> CorrelationId {
        self.id
    }

    /// The pending replies that this slot belongs to.
    pub fn pending(&self) -> PendingReplies {
        self.pending.clone()
    }

    /// Waits for the outcome. `None` if it does not arrive by the deadline, or if the wait was canceled.
    pub async fn outcome(mut self, deadline: Instant) -> Option<Outcome> {
        tokio::time::timeout_at(deadline.into(), &mut self.outcome).await.ok()?.ok()
    }
}

impl Drop for ReplySlot {
    fn drop(&mut self) {
        self.pending.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn soon() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    #[tokio::test]
    async fn a_call_gets_its_own_outcome_and_leaves_nothing_behind() {
        let pending = PendingReplies::new(2);
        let (one, other) = (pending.reserve().unwrap(), pending.reserve().unwrap());
        assert!(pending.reserve().is_none(), "two replies may be pending");
        pending.resolve(other.id(), Outcome::Failed);
        pending.resolve(one.id(), Outcome::Applied { resource: None });
        assert_eq!(one.outcome(soon()).await, Some(Outcome::Applied { resource: None }));
        assert_eq!(other.outcome(soon()).await, Some(Outcome::Failed));
        drop(pending.reserve().unwrap());
        assert!(pending.lock().is_empty());
    }

    #[tokio::test]
    async fn a_call_whose_reply_cannot_arrive_stops_waiting_at_once() {
        let pending = PendingReplies::new(2);
        let (one, other) = (pending.reserve().unwrap(), pending.reserve().unwrap());
        pending.cancel(one.id());
        assert_eq!(one.outcome(soon()).await, None);
        pending.cancel_all();
        assert_eq!(other.outcome(soon()).await, None);
    }
}
