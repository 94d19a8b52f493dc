//! Completes an erasure before it is answered.

use rollcall_events::UserId;
use std::time::Duration;

use super::complete;
use crate::db::{Store, StoreError, TaskError};

/// Maximum time for removing the names from dead letters and call records. The background task removes the
/// rest.
const SWEEP: Duration = Duration::from_secs(5);

/// Hashes the names of erased users, and removes these names from dead letters and call records.
///
/// # Errors
/// If Postgres fails. The call can be repeated.
pub(crate) async fn forget(store: &Store, users: &[UserId]) -> Result<(), StoreError> {
    if users.is_empty() {
        return Ok(());
    }
    complete(store, users, SWEEP).await.map_err(|error| match error {
        TaskError::Store(error) => error,
        TaskError::Postgres(error) => error.into(),
        TaskError::TimedOut(error) => error.into(),
        error => StoreError::Unreadable(error.to_string()),
    })
}
