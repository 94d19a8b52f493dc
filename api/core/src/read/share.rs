//! Fair shares: how many connections of a pool an organization uses at once.

use rollcall_events::OrganizationId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ReadError;

/// How many organizations are kept before those without connections are removed.
const REMEMBERED: usize = 1024;

/// The shares of all organizations in one pool.
#[derive(Clone)]
pub(super) struct Shares {
    used: Arc<Mutex<HashMap<OrganizationId, Arc<Semaphore>>>>,
    /// Maximum number of connections that an organization uses at once.
    most: usize,
    /// How long a call waits for a connection of its organization's share. Identity providers send several
    /// queries at once, and most take milliseconds, so a short wait serves them. A call that still waits
    /// after that is refused. It waits only for queries of its own organization.
    wait: Duration,
}

/// One connection of a share. It is returned when this is dropped.
pub(super) struct Permit(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit);

impl Shares {
    pub(super) fn new(most: u16, wait: Duration) -> Self {
        Self { used: Arc::default(), most: most.into(), wait }
    }

    /// Takes one connection of an organization's share.
    ///
    /// # Errors
    /// If the organization's own queries use the whole share for as long as a call may wait.
    pub(super) async fn take(&self, organization: OrganizationId) -> Result<Permit, ReadError> {
        let share = self.of(organization);
        let permit = tokio::time::timeout(self.wait, share.acquire_owned()).await.ok().and_then(Result::ok);
        permit.map(Permit).ok_or(ReadError::Crowded)
    }

    fn of(&self, organization: OrganizationId) -> Arc<Semaphore> {
        // No holder of the lock can panic and leave the map half-changed.
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= REMEMBERED && !used.contains_key(&organization) {
            // Each user of a share, and each waiting call, holds another reference.
            used.retain(|_, share| Arc::strong_count(share) > 1);
        }
        used.entry(organization).or_insert_with(|| Arc::new(Semaphore::new(self.most))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_organization_over_its_share_does_not_affect_others() {
        let shares = Shares::new(2, Duration::ZERO);
        let (one, other) = (OrganizationId::generate(), OrganizationId::generate());
        let held = (shares.take(one).await.unwrap(), shares.take(one).await.unwrap());
        assert!(matches!(shares.take(one).await, Err(ReadError::Crowded)));
        assert!(shares.take(other).await.is_ok());
        drop(held);
        assert!(shares.take(one).await.is_ok());
    }

    #[tokio::test]
    async fn a_share_in_use_is_never_evicted() {
        let shares = Shares::new(1, Duration::ZERO);
        let busy = OrganizationId::generate();
        let held = shares.take(busy).await.unwrap();
        for _ in 0..3 * REMEMBERED {
            shares.take(OrganizationId::generate()).await.unwrap();
        }
        assert!(shares.used.lock().unwrap().len() <= REMEMBERED);
        assert!(matches!(shares.take(busy).await, Err(ReadError::Crowded)));
        drop(held);
    }
}
