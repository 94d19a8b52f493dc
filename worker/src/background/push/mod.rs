//! Pushes security events to their receivers (RFC 8935). One worker pushes for all streams; if it ends,
//! another one takes over.

mod address;
mod context;
mod deliver;
mod sender;

pub(crate) use address::{EndpointError, check_endpoint};

use rollcall_events::set::{SCIM_PATH, SetKeys};
use rollcall_events::{OrganizationId, StreamId, Timestamp};
use rollcall_service::feed::{STREAM_COLUMNS, stream};
use rollcall_service::settings::SettingsError;
use secrecy::SecretString;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Row;
use tokio_util::sync::CancellationToken;

use crate::background::delivery::{Deliveries, Scope, try_lock};
use crate::db::Listener;
use crate::db::{Database, TaskError};
use crate::db::{LOG_CHANNEL, SETTINGS_CHANNEL};
use crate::settings::Settings;
use crate::supervise::{rest, supervise};
use crate::wait::{OPEN, within};
use context::Context;
use deliver::{Push, Pushed};
use sender::Sender;

const APPLICATION: &str = "rollcall-worker push";
/// The lock of the one worker that pushes.
const LOCK: &str = "rollcall_push";
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

/// The streams that are pushed.
struct Streams {
    deliveries: Deliveries<StreamId>,
    /// Streams whose rows cannot be read. Each is logged once until it can be read again.
    unreadable: HashSet<StreamId>,
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
    while !try_lock(&lock, LOCK).await? {
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
    let mut streams = Streams { deliveries: Deliveries::new("stream"), unreadable: HashSet::new() };
    streams.look(&context, authorizations).await?;
    let followed = streams.follow(&context, authorizations, &mut notifications, stop).await;
    streams.deliveries.end().await;
    followed
}

impl Streams {
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
                        Some((organization, _)) => {
                            if let Ok(grown) = organization.parse() {
                                self.deliveries.wake(grown);
                            }
                        }
                        // Settings of an organization have changed.
                        None => self.look(context, authorizations).await?,
                    }
                }
                Some(ended) = self.deliveries.next_ended() => {
                    ended?;
                    // The stream may have been resumed in the meantime.
                    self.look(context, authorizations).await?;
                }
                () = tokio::time::sleep(LOOK) => self.look(context, authorizations).await?,
            }
        }
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
                if self.deliveries.is_running(&last.1) {
                    found.insert(last.1);
                } else if let Some(pushed) = self.read(row, last, authorizations) {
                    found.insert(last.1);
                    let push = Push { context: context.clone(), pushed };
                    self.deliveries.start(last.1, Scope::Listed(vec![last.0]), push);
                }
            }
            if rows.is_empty() {
                break;
            }
        }
        self.deliveries.stop_others(&found);
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
