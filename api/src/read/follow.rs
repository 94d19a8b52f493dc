//! Hears how far the logs have come, over one connection for however many who follow them.

use rollcall_events::OrganizationId;
use rollcall_service::backoff::Backoff;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{Database, Pulse, ReadError};

/// The channels on which the worker tells whose log has grown, shortly after it has, and whose settings have changed, as they do.
const LISTEN: &str = "LISTEN rollcall_log; LISTEN rollcall_settings";
/// How the listening connection is tried.
const PULSE: Pulse = Pulse { every: Duration::from_secs(5), answer: Duration::from_secs(5) };
/// How many growths may wait for a slow follower; one who misses some looks for itself.
const BACKLOG: usize = 256;
/// How many may follow at once.
const MOST: usize = 1000;

/// Tells followers that a log has grown.
pub(crate) struct Growth {
    /// Whose; `None` where any may have grown without being heard.
    told: Sender<Option<OrganizationId>>,
}

/// One who follows one log.
struct Follower {
    organization: OrganizationId,
    told: Receiver<Option<OrganizationId>>,
}

/// Those who stay connected and are told, until the process stops.
pub(crate) struct Followers {
    growth: Arc<Growth>,
    places: Arc<Semaphore>,
    stop: CancellationToken,
}

/// The place of one of them.
pub(crate) struct Following {
    follower: Follower,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
}

/// What a follower hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogNotification {
    /// The log may have grown.
    Growth,
    /// Nothing, for as long as was asked for.
    Nothing,
    /// The process stops.
    Stop,
}

impl Default for Growth {
    fn default() -> Self {
        Self { told: channel(BACKLOG).0 }
    }
}

impl Growth {
    /// Follows a log from now on.
    fn follow(&self, organization: OrganizationId) -> Follower {
        Follower { organization, told: self.told.subscribe() }
    }

    /// Listens for as long as the process lives.
    pub(crate) async fn keep_listening(&self, database: &Database) {
        let mut backoff = Backoff::default();
        loop {
            let why = match self.listen(database, &mut backoff).await {
                Ok(()) => "the connection ended".to_owned(),
                Err(error) => error.to_string(),
            };
            tracing::warn!(why, "nobody hears how the logs grow until that is mended");
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    async fn listen(&self, database: &Database, backoff: &mut Backoff) -> Result<(), ReadError> {
        let up = || {
            *backoff = Backoff::default();
            self.tell(None);
        };
        let heard = |told: &str| self.tell(told.split(' ').next().and_then(|id| id.parse().ok()));
        database.listen(LISTEN, PULSE, up, heard).await
    }

    fn tell(&self, organization: Option<OrganizationId>) {
        // Nobody follows: nobody misses it.
        let _ = self.told.send(organization);
    }
}

impl Follower {
    /// Returns once the log may have grown since the last time.
    async fn grown(&mut self) {
        loop {
            match self.told.recv().await {
                Ok(Some(organization)) if organization != self.organization => {}
                Ok(_) | Err(RecvError::Lagged(_)) => return,
                // The process ends.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

impl Followers {
    /// Followers of these logs, until the process is told to stop.
    pub(crate) fn new(growth: Arc<Growth>, stop: CancellationToken) -> Self {
        Self { growth, places: Arc::new(Semaphore::new(MOST)), stop }
    }

    /// Follows a log from now on; `None` where too many do.
    pub(crate) fn follow(&self, organization: OrganizationId) -> Option<Following> {
        let place = self.places.clone().try_acquire_owned().ok()?;
        Some(Following { follower: self.growth.follow(organization), stop: self.stop.clone(), _place: place })
    }
}

impl Following {
    /// Waits until the log may have grown, for at most so long.
    pub(crate) async fn hear(&mut self, at_most: Duration) -> LogNotification {
        tokio::select! {
            () = self.stop.cancelled() => LogNotification::Stop,
            () = self.follower.grown() => LogNotification::Growth,
            () = tokio::time::sleep(at_most) => LogNotification::Nothing,
        }
    }
}
