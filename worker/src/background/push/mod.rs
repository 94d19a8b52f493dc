//! Pushes security events to their receivers (RFC 8935). One worker pushes for all streams; if it ends,
//! another one takes over.

mod address;
mod context;
mod deliver;
mod sender;

pub(crate) use address::{EndpointError, check_endpoint};

use futures_util::FutureExt;
use rollcall_events::set::{SCIM_PATH, SetKeys};
use rollcall_events::{OrganizationId, StreamId, Timestamp};
use rollcall_service::feed::{STREAM_COLUMNS, stream};
use rollcall_service::settings::SettingsError;
use secrecy::SecretString;
use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_postgres::Row;
use tokio_util::sync::CancellationToken;

use crate::db::Listener;
use crate::db::{Database, TaskError};
use crate::db::{LOG_CHANNEL, SETTINGS_CHANNEL};
use crate::settings::Settings;
use crate::supervise::{rest, supervise};
use crate::wait::{OPEN, within};
use context::Context;
use deliver::{Pushed, deliver};
use sender::Sender;

const APPLICATION: &str = "rollcall-worker push";
/// The lock of the one worker that pushes. It ends with its connection.
const LOCK: &str = "SELECT pg_try_advisory_lock(hashtext('rollcall_push')) AS is_locked";
/// Interval at which a standby worker tries to take the lock.
const TRY: Duration = Duration::from_secs(1);
/// Interval at which the streams are read again, in case a notification was lost.
const LOOK: Duration = Duration::from_mins(1);
/// The number of streams that one query reads.
const PAGE: i64 = 500;

/// The settings for pushing, read before anything starts.
pub(crate) struct PushSettings {
    keys: SetKeys,
    authorizations: HashMap<StreamId, SecretString>,
}

/// The running deliveries.
#[derive(Default)]
struct Deliveries {
    tasks: JoinSet<(StreamId, Result<(), TaskError>)>,
    running: HashMap<StreamId, RunningPush>,
    /// Streams whose rows cannot be read. Each is logged once until it can be read again.
    unreadable: HashSet<StreamId>,
}

struct RunningPush {
    organization: OrganizationId,
    grown: Arc<Notify>,
    stop: CancellationToken,
}

impl PushSettings {
    /// Reads the signing keys and the receivers' `Authorization` values.
    pub(crate) fn read(settings: &Settings) -> Result<Self, SettingsError> {
        Ok(Self { keys: settings.event_keys()?, authorizations: settings.push_authorizations()? })
    }
}

/// Pushes until `stop`.
pub(crate) async fn push_events(settings: Arc<Settings>, pushing: PushSettings, stop: CancellationToken) {
    let PushSettings { keys, authorizations } = pushing;
    if !keys.can_sign() {
        tracing::warn!("events are not pushed: event_keys and event_key_file are empty");
        return;
    }
    let keys = Arc::new(keys);
    supervise("events to be pushed", &stop, async || run(&settings, &keys, &authorizations, &stop).await).await;
}

async fn run(
    settings: &Arc<Settings>,
    keys: &Arc<SetKeys>,
    authorizations: &HashMap<StreamId, SecretString>,
    stop: &CancellationToken,
) -> Result<(), TaskError> {
    let opening = Listener::open(&settings.database_url, APPLICATION, LOG_CHANNEL);
    let Listener { client, mut notifications } = within("a connection to postgres", OPEN, opening).await??;
    let lock = Database::bounded(client).await?;
    lock.batch(&format!("LISTEN {SETTINGS_CHANNEL}")).await?;
    while !is_locked(&lock).await? {
        rest(TRY, stop).await;
        if stop.is_cancelled() {
            return Ok(());
        }
    }
    let context = Arc::new(Context {
        settings: settings.clone(),
        database: Database::open(&settings.database_url, APPLICATION).await?,
        sender: Sender::new(settings.push_to_private_addresses, Duration::from_secs(settings.push_timeout_seconds))?,
        keys: keys.clone(),
        issuer: format!("{}{SCIM_PATH}", settings.public_url),
    });
    let mut deliveries = Deliveries::default();
    deliveries.look(&context, authorizations).await?;
    let followed = deliveries.follow(&context, authorizations, &mut notifications, stop).await;
    deliveries.end().await;
    followed
}

async fn is_locked(database: &Database) -> Result<bool, TaskError> {
    let row = database.query_opt(LOCK, &[]).await?;
    Ok(row.map(|row| row.try_get("is_locked")).transpose()?.unwrap_or_default())
}

impl Deliveries {
    /// Starts and stops deliveries as streams are created and deleted, and wakes them when their log has
    /// grown.
    async fn follow(
        &mut self,
        context: &Arc<Context>,
        authorizations: &HashMap<StreamId, SecretString>,
        notifications: &mut tokio::sync::mpsc::Receiver<String>,
        stop: &CancellationToken,
    ) -> Result<(), TaskError> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                notification = notifications.recv() => {
                    let notification = notification.ok_or(TaskError::Closed)?;
                    match notification.split_once(' ') {
                        // A log has grown: the organization and the size.
                        Some((organization, _)) => self.wake(organization.parse().ok()),
                        // Settings of an organization have changed.
                        None => self.look(context, authorizations).await?,
                    }
                }
                Some(ended) = self.tasks.join_next() => {
                    let (id, result) = ended?;
                    self.running.remove(&id);
                    result?;
                    // The stream may have been resumed in the meantime.
                    self.look(context, authorizations).await?;
                }
                () = tokio::time::sleep(LOOK) => self.look(context, authorizations).await?,
            }
        }
    }

    fn wake(&self, organization: Option<OrganizationId>) {
        self.running
            .values()
            .filter(|running| Some(running.organization) == organization)
            .for_each(|running| running.grown.notify_one());
    }

    /// Reads all streams, page by page. A stream that cannot be read is skipped, and the others are
    /// delivered.
    async fn look(
        &mut self,
        context: &Arc<Context>,
        authorizations: &HashMap<StreamId, SecretString>,
    ) -> Result<(), TaskError> {
        let sql = format!(
            "SELECT s.endpoint, s.enabled_at, {STREAM_COLUMNS} WHERE s.endpoint IS NOT NULL AND s.enabled
                AND (s.organization_id, s.id) > ($1, $2) ORDER BY s.organization_id, s.id LIMIT {PAGE}"
        );
        let mut found = HashSet::new();
        let mut last = (OrganizationId::SYSTEM, StreamId(uuid::Uuid::nil()));
        loop {
            let rows = context.database.query(&sql, &[&last.0, &last.1]).await?;
            for row in &rows {
                last = (row.try_get("organization_id")?, row.try_get("id")?);
                if self.running.contains_key(&last.1) {
                    found.insert(last.1);
                } else if let Some(pushed) = self.read(row, last, authorizations) {
                    found.insert(last.1);
                    self.start(context, last.1, pushed);
                }
            }
            if rows.is_empty() {
                break;
            }
        }
        self.running.iter().filter(|(id, _)| !found.contains(id)).for_each(|(_, running)| running.stop.cancel());
        Ok(())
    }

    /// Reads a stream; `None` if its row cannot be read.
    fn read(
        &mut self,
        row: &Row,
        (organization, id): (OrganizationId, StreamId),
        authorizations: &HashMap<StreamId, SecretString>,
    ) -> Option<Pushed> {
        match pushed(row, authorizations.get(&id).cloned()) {
            Ok(pushed) => {
                self.unreadable.remove(&id);
                Some(pushed)
            }
            Err(error) => {
                if self.unreadable.insert(id) {
                    tracing::error!(
                        stream = %id, %organization, %error, "an event stream cannot be read and is not pushed"
                    );
                }
                None
            }
        }
    }

    fn start(&mut self, context: &Arc<Context>, id: StreamId, pushed: Pushed) {
        let (grown, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        self.running.insert(
            id,
            RunningPush { organization: pushed.stream.organization_id, grown: grown.clone(), stop: stop.clone() },
        );
        let context = context.clone();
        self.tasks.spawn(async move {
            let delivered = AssertUnwindSafe(deliver(context, pushed, grown, stop.clone())).catch_unwind().await;
            let delivered =
                delivered.unwrap_or_else(|_| Err(TaskError::Unreadable("the delivery panicked".to_owned())));
            (id, isolated(id, delivered, &stop).await)
        });
    }

    /// Stops all deliveries and waits for them.
    async fn end(mut self) {
        self.running.values().for_each(|running| running.stop.cancel());
        while let Some(ended) = self.tasks.join_next().await {
            if let Ok((id, Err(error))) = ended {
                tracing::warn!(stream = %id, %error, "a delivery did not stop cleanly");
            }
        }
    }
}

/// Isolates a failed delivery from the other streams: it is logged, and restarts after a pause. Only an
/// outage ends the run, because all deliveries share its connection.
async fn isolated(id: StreamId, delivered: Result<(), TaskError>, stop: &CancellationToken) -> Result<(), TaskError> {
    match delivered {
        Err(error) if !error.is_outage() => {
            tracing::error!(stream = %id, %error, "a delivery failed and will restart");
            rest(LOOK, stop).await;
            Ok(())
        }
        delivered => delivered,
    }
}

fn pushed(row: &Row, authorization: Option<SecretString>) -> Result<Pushed, TaskError> {
    let unreadable = |error: &dyn std::fmt::Display| TaskError::Unreadable(error.to_string());
    Ok(Pushed {
        stream: stream(row).map_err(|error| unreadable(&error))?,
        endpoint: row.try_get::<_, &str>("endpoint")?.parse().map_err(|error| unreadable(&error))?,
        authorization,
        enabled_at: row.try_get::<_, Timestamp>("enabled_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_an_outage_in_one_delivery_ends_the_other_deliveries() {
        let (id, stop) = (StreamId::generate(), CancellationToken::new());
        stop.cancel();
        let unreadable = Err(TaskError::Unreadable("the log holds an unknown type".to_owned()));
        assert!(isolated(id, unreadable, &stop).await.is_ok());
        assert!(isolated(id, Ok(()), &stop).await.is_ok());
        assert!(isolated(id, Err(TaskError::Closed), &stop).await.is_err());
    }
}
