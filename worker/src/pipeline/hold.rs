//! Holds a batch while it cannot be written.

use rollcall_service::backoff::Backoff;
use std::time::{Duration, Instant};

use super::error::RunError;
use super::session::{Place, WorkerContext, connect};
use crate::db::{Remedy, Store, StoreError};
use crate::wait::{OPEN, within};

/// Reports to operators that a partition has stopped, and why.
pub(super) fn report_stop(shared: &WorkerContext, partition: u16, error: &StoreError) {
    tracing::error!(
        partition, %error, "the partition has stopped; no request is lost, and it resumes once the cause is fixed"
    );
    shared.in_flight.stop(partition, error.to_string());
}

/// A batch that a worker holds while Postgres is unavailable, or while the partition is stopped.
pub(super) struct Hold {
    since: Instant,
    backoff: Backoff,
}

impl Hold {
    pub(super) fn begin() -> Self {
        Self { since: Instant::now(), backoff: Backoff::default() }
    }

    /// Waits and reconnects to Postgres, so that the failed step can be repeated.
    ///
    /// # Errors
    /// `error`, if it is permanent, if the batch was held for `hold_seconds`, or after `stop`.
    pub(super) async fn recover(
        &mut self,
        place: &Place<'_>,
        error: RunError,
        store: &mut Store,
    ) -> Result<(), RunError> {
        match &error {
            RunError::Store(failure) if failure.remedy() == Remedy::Retry => {
                tracing::warn!(%error, "the batch is held and retried");
            }
            RunError::Slow(_) => tracing::warn!(%error, "a slow request is retried once"),
            RunError::Stopped(failure) => report_stop(place.shared, place.partition, failure),
            _ => return Err(error),
        }
        let settings = &place.shared.settings;
        if place.stop.is_cancelled() || self.since.elapsed() > Duration::from_secs(settings.hold_seconds) {
            return Err(error);
        }
        tokio::select! {
            () = tokio::time::sleep(self.backoff.next_delay()) => {}
            () = place.stop.cancelled() => return Err(error),
        }
        let opened = within("a session with postgres", OPEN, connect(settings, place.name)).await;
        match opened.map_err(RunError::from).and_then(|opened| opened) {
            Ok(fresh) => *store = fresh,
            Err(error) => tracing::warn!(%error, "postgres is still unavailable"),
        }
        Ok(())
    }
}
