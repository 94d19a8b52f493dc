//! Sinks: the log as it grows, delivered to the operator's own systems over HTTP, as syslog, or in files. Each
//! sink is served by one worker; if it ends, another worker that has the sink in its settings takes over.

mod batch;
mod delivery;
#[cfg(test)]
mod examples;
mod file;
mod headers;
mod http;
mod id;
mod ocsf;
mod position;
mod settings;
mod sink;
mod syslog;
mod target;
mod trust;

pub(crate) use settings::sinks;
pub(crate) use sink::Sink;

use hyper::Uri;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::delivery::{Deliveries, try_lock};
use crate::db::LOG_CHANNEL;
use crate::db::Listener;
use crate::db::{Database, TaskError};
use crate::settings::Settings;
use crate::supervise::supervise;
use crate::wait::{OPEN, within};
use delivery::SinkDelivery;

const APPLICATION: &str = "rollcall-worker sinks";
/// Interval at which a worker tries to take the sinks that it does not serve.
const TRY: Duration = Duration::from_secs(1);

/// Delivers to all sinks until `stop`.
pub(crate) async fn deliver_to_sinks(settings: Arc<Settings>, sinks: Vec<Sink>, stop: CancellationToken) {
    if !sinks.is_empty() {
        supervise("the delivery to sinks", &stop, async || run(&settings, &sinks, &stop).await).await;
    }
}

async fn run(settings: &Settings, sinks: &[Sink], stop: &CancellationToken) -> Result<(), TaskError> {
    let opening = Listener::open(&settings.database_url, APPLICATION, LOG_CHANNEL);
    let Listener { client, notifications } = within("a connection to postgres", OPEN, opening).await??;
    let mut served = Served {
        lock: Database::bounded(client).await?,
        database: Arc::new(Database::open(&settings.database_url, APPLICATION).await?),
        host: host(&settings.public_url),
        deliveries: Deliveries::new("sink"),
    };
    let ended = served.follow(sinks, notifications, stop).await;
    served.deliveries.end().await;
    ended
}

/// The sinks that this worker serves.
struct Served {
    /// The connection that holds the locks.
    lock: Database,
    database: Arc<Database>,
    /// The name of this service.
    host: String,
    deliveries: Deliveries<String>,
}

impl Served {
    /// Starts deliveries, and wakes them when their logs have grown.
    async fn follow(
        &mut self,
        sinks: &[Sink],
        mut notifications: Receiver<String>,
        stop: &CancellationToken,
    ) -> Result<(), TaskError> {
        let mut ticks = tokio::time::interval(TRY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                notification = notifications.recv() => {
                    let notification = notification.ok_or(TaskError::Closed)?;
                    // A log has grown: the organization and the size.
                    if let Some(grown) = notification.split(' ').next().and_then(|id| id.parse().ok()) {
                        self.deliveries.wake(grown);
                    }
                }
                Some(ended) = self.deliveries.next_ended() => {
                    ended?;
                }
                _ = ticks.tick() => self.take(sinks).await?,
            }
        }
    }

    /// Starts the sinks that no other worker serves.
    async fn take(&mut self, sinks: &[Sink]) -> Result<(), TaskError> {
        for sink in sinks {
            if self.deliveries.is_running(&sink.name) {
                continue;
            }
            if try_lock(&self.lock, &format!("rollcall_sink {}", sink.name)).await? {
                let delivery = SinkDelivery::new(sink.clone(), self.database.clone(), &self.host);
                self.deliveries.start(sink.name.clone(), sink.scope.clone(), delivery);
            }
        }
        Ok(())
    }
}

/// The name of this service in messages: the host of its public URL.
fn host(public_url: &str) -> String {
    let url = public_url.parse::<Uri>().ok();
    url.and_then(|url| url.host().map(str::to_owned)).unwrap_or_else(|| "rollcall".to_owned())
}
