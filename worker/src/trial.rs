//! A trial of what a partition has given back. It takes no messages before the trial has passed: the broker counts how often it delivers a message, and dead-letters what it
//! has delivered too often (`events/src/topology.rs`). An outage that lasts must not use that up.

use rollcall_events::UserId;
use rollcall_events::request::Request;

use crate::apply::{Batch, apply};
use crate::dead_letters::forget;
use crate::load::{Expected, Prefetch};
use crate::store::{Ending, Remedy, Store, StoreError};
use crate::suspicion::Suspicions;

/// What could not be applied, or not be finished, when its messages were given back to the broker.
pub(crate) struct Trial {
    /// The requests that failed.
    pub(crate) requests: Vec<Request>,
    /// How large their messages are.
    pub(crate) bytes: usize,
    /// Users who were erased.
    pub(crate) erased: Vec<UserId>,
}

impl Trial {
    /// Applies the requests without committing them, and goes on with the erasures.
    ///
    /// # Errors
    /// If it would fail as before.
    pub(crate) async fn run(&self, store: &Store, suspicions: &Suspicions, prefetch: Prefetch) -> Result<(), StoreError> {
        let Self { requests, bytes, erased } = self;
        if !requests.is_empty() {
            let batch = Batch { requests, bytes: *bytes, expected: Expected::Repeats, prefetch, ending: Ending::RollBack };
            match apply(store, batch).await {
                // Only these requests fail: that is dealt with where they are taken.
                Err(error) if error.remedy() == Remedy::Poison && !requests.iter().any(|request| suspicions.suspects(request.id)) => {}
                tried => tried.map(|_| ())?,
            }
        }
        match forget(store, erased).await {
            Err(error) if error.remedy() == Remedy::Poison => Ok(()),
            finished => finished,
        }
    }
}
