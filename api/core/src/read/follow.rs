//! Follows the growth of the logs. One connection serves all followers.

use rollcall_events::OrganizationId;
use rollcall_service::backoff::Backoff;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{Database, Heartbeat, ReadError};

/// The worker notifies these channels: shortly after a log has grown, and when settings change.
const LISTEN: &str = "LISTEN rollcall_log; LISTEN rollcall_settings";
/// How often the listening connection is checked.
const HEARTBEAT: Heartbeat = Heartbeat { every: Duration::from_secs(5), answer: Duration::from_secs(5) };
/// How many notifications a slow follower may miss. A follower that missed some reads the log.
const BACKLOG: usize = 256;
/// Maximum number of followers.
const MOST: usize = 1000;

/// Notifies followers that a log has grown.
pub struct Growth {
    /// The organization whose log has grown. `None` if notifications may have been lost, so that any log may
    /// have grown.
    notifications: Sender<Option<OrganizationId>>,
}

/// A follower of one log.
struct Follower {
    organization: OrganizationId,
    notifications: Receiver<Option<OrganizationId>>,
}

/// The long-lived connections that follow logs, until the process stops.
pub struct Followers {
    growth: Arc<Growth>,
    slots: Arc<Semaphore>,
    stop: CancellationToken,
}

/// A follower and its slot.
pub struct Following {
    follower: Follower,
    stop: CancellationToken,
    _slot: OwnedSemaphorePermit,
}

/// The result of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogNotification {
    /// The log may have grown.
    Growth,
    /// The time is over.
    Timeout,
    /// The process is shutting down.
    Stop,
}

impl Default for Growth {
    fn default() -> Self {
        Self { notifications: channel(BACKLOG).0 }
    }
}

impl Growth {
    /// Follows a log from now on.
    fn follow(&self, organization: OrganizationId) -> Follower {
        Follower { organization, notifications: self.notifications.subscribe() }
    }

    /// Listens until the process ends.
    pub async fn keep_listening(&self, database: &Database) {
        let mut backoff = Backoff::default();
        loop {
            let why = match self.listen(database, &mut backoff).await {
                Ok(()) => "the connection ended".to_owned(),
                Err(error) => error.to_string(),
            };
            tracing::warn!(why, "the api cannot listen for the growth of the logs and will retry");
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    async fn listen(&self, database: &Database, backoff: &mut Backoff) -> Result<(), ReadError> {
        let on_listening = || {
            *backoff = Backoff::default();
            self.notify(None);
        };
        let on_payload = |payload: &str| self.notify(payload.split(' ').next().and_then(|id| id.parse().ok()));
        database.listen(LISTEN, HEARTBEAT, on_listening, on_payload).await
    }

    fn notify(&self, organization: Option<OrganizationId>) {
        // An error means that there are no followers.
        let _ = self.notifications.send(organization);
    }
}

impl Follower {
    /// Waits until the log may have grown since the last call.
    async fn grown(&mut self) {
        loop {
            match self.notifications.recv().await {
                Ok(Some(organization)) if organization != self.organization => {}
                Ok(_) | Err(RecvError::Lagged(_)) => return,
                // The process is ending.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

impl Followers {
    /// Creates the followers. `stop` ends all of them.
    pub fn new(growth: Arc<Growth>, stop: CancellationToken) -> Self {
        Self { growth, slots: Arc::new(Semaphore::new(MOST)), stop }
    }

    /// Follows a log from now on; `None` if there are too many followers.
    pub fn follow(&self, organization: OrganizationId) -> Option<Following> {
        let slot = self.slots.clone().try_acquire_owned().ok()?;
        Some(Following { follower: self.growth.follow(organization), stop: self.stop.clone(), _slot: slot })
    }
}

impl Following {
    /// Waits until the log may have grown, for at most `at_most`.
    pub async fn wait(&mut self, at_most: Duration) -> LogNotification {
        tokio::select! {
            () = self.stop.cancelled() => LogNotification::Stop,
            () = self.follower.grown() => LogNotification::Growth,
            () = tokio::time::sleep(at_most) => LogNotification::Timeout,
        }
    }
}
