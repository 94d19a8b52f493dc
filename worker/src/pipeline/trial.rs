//! Tries a batch that was given back to the broker, before the partition consumes again. The broker counts
//! deliveries and dead-letters a message after too many (`events/queue/src/topology.rs`). A long outage must
//! not use up these deliveries.

use rollcall_events::UserId;

use super::apply::apply;
use super::known::Expected;
use super::prepare::Batch;
use super::span::RequestSpan;
use super::suspicion::Suspicions;
use crate::db::{Ending, Remedy, Store, StoreError};
use crate::erasure::forget;
use crate::log::signer::{Guard, SignedLogs};
use crate::settings::Prefetch;

/// The requests and erasures of a batch whose messages were given back to the broker.
pub(crate) struct Trial {
    /// The requests that failed.
    pub(crate) requests: RequestSpan,
    /// The size of their messages.
    pub(crate) bytes: usize,
    /// Users who were erased.
    pub(crate) erased: Vec<UserId>,
}

impl Trial {
    /// Applies the requests without committing, and continues the erasures.
    ///
    /// # Errors
    /// If the batch still fails.
    pub(crate) async fn run(
        &self,
        store: &Store,
        suspicions: &Suspicions,
        signed: &SignedLogs,
        prefetch: Prefetch,
    ) -> Result<(), StoreError> {
        let Self { requests, bytes, erased } = self;
        if !requests.is_empty() {
            let (expected, guard) = (Expected::Repeats, Guard::Signed(signed));
            let batch = Batch { requests: requests.clone(), bytes: *bytes, expected, prefetch, guard };
            match apply(store, batch, Ending::RollBack).await {
                // Only these requests fail. The run bisects them.
                Err(error)
                    if error.remedy() == Remedy::Poison
                        && !requests.iter().any(|request| suspicions.suspects(request.id)) => {}
                tried => tried.map(|_| ())?,
            }
        }
        match forget(store, erased).await {
            Err(error) if error.remedy() == Remedy::Poison => Ok(()),
            finished => finished,
        }
    }
}
