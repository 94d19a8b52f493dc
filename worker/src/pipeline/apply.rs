//! Applies a batch of requests: prepares it, writes it, and decides it again if another writer was faster. If the
//! prefetch loads everything that the batch looks up, this takes two round trips, whatever the number of requests.

use super::known::Expected;
use super::load::Start;
use super::prepare::{Batch, BatchOutcome, prepare};
use crate::db::{Ending, Store, StoreError};

/// Maximum number of attempts when other writers move the heads. After that it counts as an outage.
const MAX_ATTEMPTS: usize = 100;

/// Applies all requests or none. If another writer has moved a head, they are decided again at once. `ending` says
/// whether the batch is committed, or is a trial.
///
/// # Errors
/// If Postgres fails, or a request cannot be processed at all. Then nothing was applied, except that a broken
/// connection may have committed.
pub(crate) async fn apply(store: &Store, mut batch: Batch<'_>, ending: Ending) -> Result<BatchOutcome, StoreError> {
    for _ in 0..MAX_ATTEMPTS {
        match attempt(store, &batch, ending).await {
            Err(StoreError::AlreadyRecorded) if batch.expected == Expected::Repeats => {
                return Err(StoreError::Contradiction);
            }
            // The entries that moved the head may come from these same requests.
            Err(StoreError::AlreadyRecorded | StoreError::HeadMoved) => batch.expected = Expected::Repeats,
            applied => return applied,
        }
    }
    Err(StoreError::Contended)
}

async fn attempt(store: &Store, batch: &Batch<'_>, ending: Ending) -> Result<BatchOutcome, StoreError> {
    prepare(store, batch, Start::default()).await?.write(store, ending).await
}
