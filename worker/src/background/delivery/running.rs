//! The deliveries that this worker runs, each in a task of its own.

use futures_util::FutureExt;
use rollcall_events::OrganizationId;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::progress::{Delivery, deliver};
use super::scope::Scope;
use crate::db::TaskError;
use crate::supervise::rest;

/// Pause of a delivery that failed, before it starts again.
const PAUSE: Duration = Duration::from_mins(1);

/// The running deliveries, by a key.
pub(in crate::background) struct Deliveries<K> {
    /// What is delivered, for log lines: `stream` or `sink`.
    kind: &'static str,
    tasks: JoinSet<(K, Result<(), TaskError>)>,
    running: HashMap<K, Running>,
}

struct Running {
    scope: Scope,
    grown: Arc<Notify>,
    stop: CancellationToken,
}

impl<K: Display + Clone + Eq + Hash + Send + Sync + 'static> Deliveries<K> {
    /// No deliveries. `kind` is for log lines.
    pub(in crate::background) fn new(kind: &'static str) -> Self {
        Self { kind, tasks: JoinSet::new(), running: HashMap::new() }
    }

    /// Whether the delivery with this key is running.
    pub(in crate::background) fn is_running(&self, key: &K) -> bool {
        self.running.contains_key(key)
    }

    /// Starts a delivery of the logs in `scope`.
    pub(in crate::background) fn start(&mut self, key: K, scope: Scope, delivery: impl Delivery + 'static) {
        let (kind, grown, stop) = (self.kind, Arc::new(Notify::new()), CancellationToken::new());
        self.running.insert(key.clone(), Running { scope, grown: grown.clone(), stop: stop.clone() });
        self.tasks.spawn(async move {
            let delivered = AssertUnwindSafe(deliver(delivery, &grown, &stop)).catch_unwind().await;
            let delivered =
                delivered.unwrap_or_else(|_| Err(TaskError::Unreadable("the delivery panicked".to_owned())));
            let isolated = isolated(kind, &key, delivered, &stop).await;
            (key, isolated)
        });
    }

    /// Tells the deliveries of an organization's log that it has grown.
    pub(in crate::background) fn wake(&self, organization: OrganizationId) {
        self.running
            .values()
            .filter(|running| running.scope.includes(organization))
            .for_each(|running| running.grown.notify_one());
    }

    /// Stops all deliveries but those with these keys.
    pub(in crate::background) fn stop_others(&self, kept: &HashSet<K>) {
        self.running.iter().filter(|(key, _)| !kept.contains(key)).for_each(|(_, running)| running.stop.cancel());
    }

    /// Waits for the next delivery that ends. Returns its key; `None` if none is running.
    ///
    /// # Errors
    /// If a server is out of order, which concerns all deliveries.
    pub(in crate::background) async fn next_ended(&mut self) -> Option<Result<K, TaskError>> {
        let ended = self.tasks.join_next().await?;
        Some(ended.map_err(TaskError::from).and_then(|(key, result)| {
            self.running.remove(&key);
            result.map(|()| key)
        }))
    }

    /// Stops all deliveries and waits for them.
    pub(in crate::background) async fn end(mut self) {
        self.running.values().for_each(|running| running.stop.cancel());
        while let Some(ended) = self.tasks.join_next().await {
            if let Ok((key, Err(error))) = ended {
                tracing::warn!(%error, "the delivery of the {} {key} did not end in order", self.kind);
            }
        }
    }
}

/// Isolates a failed delivery from the others: it is logged, and starts again after a pause. Only an outage
/// ends the run, because all deliveries share its connection.
async fn isolated(
    kind: &str,
    key: &impl Display,
    delivered: Result<(), TaskError>,
    stop: &CancellationToken,
) -> Result<(), TaskError> {
    match delivered {
        Err(error) if !error.is_outage() => {
            tracing::error!(%error, "the delivery of the {kind} {key} failed and will restart");
            rest(PAUSE, stop).await;
            Ok(())
        }
        delivered => delivered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_an_outage_in_one_delivery_ends_the_other_deliveries() {
        let stop = CancellationToken::new();
        stop.cancel();
        let unreadable = Err(TaskError::Unreadable("the log holds an unknown type".to_owned()));
        assert!(isolated("sink", &"siem", unreadable, &stop).await.is_ok());
        assert!(isolated("sink", &"siem", Ok(()), &stop).await.is_ok());
        assert!(isolated("sink", &"siem", Err(TaskError::Closed), &stop).await.is_err());
    }
}
