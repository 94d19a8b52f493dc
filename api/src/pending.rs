//! The calls that wait for their outcomes.

use rollcall_events::CorrelationId;
use rollcall_events::outcome::Outcome;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::oneshot::{Receiver, Sender, channel};

type Calls = HashMap<CorrelationId, Sender<Outcome>>;

/// The calls, by the numbers that their outcomes come with.
#[derive(Clone)]
pub(crate) struct PendingReplies {
    calls: Arc<Mutex<Calls>>,
    most: usize,
}

/// One call's place; given up when it is dropped.
pub(crate) struct ReplySlot {
    id: CorrelationId,
    outcome: Receiver<Outcome>,
    waiting: PendingReplies,
}

impl PendingReplies {
    /// Room for so many calls.
    pub(crate) fn new(most: u32) -> Self {
        Self { calls: Arc::default(), most: usize::try_from(most).unwrap_or(usize::MAX) }
    }

    /// A place for one call; `None` where there is no room.
    pub(crate) fn enter(&self) -> Option<ReplySlot> {
        let (sender, outcome) = channel();
        let id = CorrelationId::generate();
        let mut calls = self.lock();
        if calls.len() >= self.most {
            return None;
        }
        calls.insert(id, sender);
        Some(ReplySlot { id, outcome, waiting: self.clone() })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Hands a call its outcome. One that has left is not missed: its outcome is in the log.
    pub(crate) fn resolve(&self, id: CorrelationId, outcome: Outcome) {
        if let Some(sender) = self.lock().remove(&id) {
            // A call that leaves at this moment is not missed either.
            let _ = sender.send(outcome);
        }
    }

    /// Tells a call that its outcome will not come.
    pub(crate) fn give_up_on(&self, id: CorrelationId) {
        self.lock().remove(&id);
    }

    /// Tells every call that its outcome will not come here.
    pub(crate) fn give_up(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        // Nothing that holds the lock can leave the map half-changed.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReplySlot {
    /// The number that the outcome comes with.
    pub(crate) fn id(&self) -> CorrelationId {
        self.id
    }

    /// Where the calls wait.
    pub(crate) fn waiting(&self) -> PendingReplies {
        self.waiting.clone()
    }

    /// The outcome; `None` where it does not come until the deadline, or not at all.
    pub(crate) async fn outcome(mut self, deadline: Instant) -> Option<Outcome> {
        tokio::time::timeout_at(deadline.into(), &mut self.outcome).await.ok()?.ok()
    }
}

impl Drop for ReplySlot {
    fn drop(&mut self) {
        self.waiting.lock().remove(&self.id);
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
        let waiting = PendingReplies::new(2);
        let (one, other) = (waiting.enter().unwrap(), waiting.enter().unwrap());
        assert!(waiting.enter().is_none(), "there is room for two");
        waiting.resolve(other.id(), Outcome::Failed);
        waiting.resolve(one.id(), Outcome::Applied { resource: None });
        assert_eq!(one.outcome(soon()).await, Some(Outcome::Applied { resource: None }));
        assert_eq!(other.outcome(soon()).await, Some(Outcome::Failed));
        drop(waiting.enter().unwrap());
        assert!(waiting.lock().is_empty());
    }

    #[tokio::test]
    async fn a_call_whose_answer_cannot_come_is_told_at_once() {
        let waiting = PendingReplies::new(2);
        let (one, other) = (waiting.enter().unwrap(), waiting.enter().unwrap());
        waiting.give_up_on(one.id());
        assert_eq!(one.outcome(soon()).await, None);
        waiting.give_up();
        assert_eq!(other.outcome(soon()).await, None);
    }
}
