//! Pushes what event streams tell to their receivers (RFC 8935): one worker for all, and another takes over should it end.

mod address;
mod deliver;
mod sender;

pub(crate) use address::{RefusedEndpoint, check_endpoint};

use rollcall_events::set::{SCIM_PATH, SetKeys};
use rollcall_events::{OrganizationId, StreamId, Timestamp};
use rollcall_service::entries::MalformedEntry;
use rollcall_service::feed::{STREAM_COLUMNS, stream};
use rollcall_service::settings::SettingsError;
use secrecy::SecretString;
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use crate::keep::keep;
use crate::project::{LOG_CHANNEL, SETTINGS_CHANNEL};
use crate::settings::Settings;
use crate::store::{Listener, connect};
use deliver::{Pushed, deliver};
use sender::Sender;

const APPLICATION: &str = "rollcall-worker push";
/// Waits until no other worker pushes. The lock ends with its connection.
const LOCK: &str = "SELECT pg_advisory_lock(hashtext('rollcall_push'))";
/// How often the streams are looked up, should their change not have been told.
const LOOK: Duration = Duration::from_mins(1);

/// Why pushing ended before it was told to.
#[derive(Debug, thiserror::Error)]
enum PushError {
    #[error("postgres: {0}")]
    Postgres(#[from] tokio_postgres::Error),
    #[error(transparent)]
    Malformed(#[from] MalformedEntry),
    #[error("a stored stream has no endpoint that can be read")]
    Endpoint,
    #[error("the system's certificates cannot be read: {0}; is the package ca-certificates installed?")]
    Certificates(#[from] io::Error),
    #[error("a delivery broke off: {0}")]
    BrokeOff(#[from] JoinError),
    #[error("the connection to postgres ended")]
    Closed,
}

/// What pushing needs of the settings, read before anything starts.
pub(crate) struct Pushing {
    keys: SetKeys,
    authorizations: HashMap<StreamId, SecretString>,
}

/// What every delivery needs.
struct Context {
    settings: Arc<Settings>,
    database: Client,
    sender: Sender,
    keys: Arc<SetKeys>,
    issuer: String,
}

/// The deliveries that run.
#[derive(Default)]
struct Deliveries {
    tasks: JoinSet<(StreamId, Result<(), PushError>)>,
    running: HashMap<StreamId, Running>,
}

struct Running {
    organization: OrganizationId,
    grown: Arc<Notify>,
    stop: CancellationToken,
}

impl Pushing {
    /// Reads the keys and what receivers expect.
    pub(crate) fn read(settings: &Settings) -> Result<Self, SettingsError> {
        Ok(Self { keys: settings.event_keys()?, authorizations: settings.push_authorizations()? })
    }
}

/// Pushes until `stop`.
pub(crate) async fn keep_pushing(settings: Arc<Settings>, pushing: Pushing, stop: CancellationToken) {
    let Pushing { keys, authorizations } = pushing;
    if !keys.can_sign() {
        tracing::warn!("events are not pushed: event_keys and event_key_file are empty");
        return;
    }
    let keys = Arc::new(keys);
    keep("events to be pushed", &stop, async || run(&settings, &keys, &authorizations, &stop).await).await;
}

async fn run(
    settings: &Arc<Settings>,
    keys: &Arc<SetKeys>,
    authorizations: &HashMap<StreamId, SecretString>,
    stop: &CancellationToken,
) -> Result<(), PushError> {
    let mut listener = Listener::open(&settings.database_url, APPLICATION, LOG_CHANNEL).await?;
    listener.client.batch_execute(&format!("LISTEN {SETTINGS_CHANNEL}")).await?;
    tokio::select! {
        locked = listener.client.query_one(LOCK, &[]) => locked.map(|_| ())?,
        () = stop.cancelled() => return Ok(()),
    }
    let context = Arc::new(Context {
        settings: settings.clone(),
        database: connect(&settings.database_url, APPLICATION).await?,
        sender: Sender::new(settings.push_to_private_addresses, Duration::from_secs(settings.push_timeout_seconds))?,
        keys: keys.clone(),
        issuer: format!("{}{SCIM_PATH}", settings.public_url),
    });
    let mut deliveries = Deliveries::default();
    deliveries.look(&context, authorizations).await?;
    let followed = deliveries.follow(&context, authorizations, &mut listener, stop).await;
    deliveries.end().await;
    followed
}

impl Deliveries {
    /// Starts and stops deliveries as streams come and go, and tells each when its log has grown.
    async fn follow(
        &mut self,
        context: &Arc<Context>,
        authorizations: &HashMap<StreamId, SecretString>,
        listener: &mut Listener,
        stop: &CancellationToken,
    ) -> Result<(), PushError> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                told = listener.next() => {
                    let told = told.ok_or(PushError::Closed)?;
                    match told.split_once(' ') {
                        // Whose log has grown, and to what size.
                        Some((organization, _)) => self.wake(organization.parse().ok()),
                        // Whose settings have changed.
                        None => self.look(context, authorizations).await?,
                    }
                }
                Some(ended) = self.tasks.join_next() => {
                    let (id, result) = ended?;
                    self.running.remove(&id);
                    result?;
                    // It may have been switched on again meanwhile.
                    self.look(context, authorizations).await?;
                }
                () = tokio::time::sleep(LOOK) => self.look(context, authorizations).await?,
            }
        }
    }

    fn wake(&self, organization: Option<OrganizationId>) {
        self.running.values().filter(|running| Some(running.organization) == organization).for_each(|running| running.grown.notify_one());
    }

    /// Looks up which streams there are.
    async fn look(&mut self, context: &Arc<Context>, authorizations: &HashMap<StreamId, SecretString>) -> Result<(), PushError> {
        let sql = format!("SELECT s.endpoint, s.enabled_at, {STREAM_COLUMNS} WHERE s.endpoint IS NOT NULL AND s.enabled");
        let mut found = HashSet::new();
        for row in context.database.query(&sql, &[]).await? {
            let stream = stream(&row)?;
            let id = stream.feed.stream_id;
            found.insert(id);
            if !self.running.contains_key(&id) {
                let pushed = Pushed {
                    endpoint: row.try_get::<_, &str>("endpoint")?.parse().map_err(|_| PushError::Endpoint)?,
                    authorization: authorizations.get(&id).cloned(),
                    enabled_at: row.try_get::<_, Timestamp>("enabled_at")?,
                    stream,
                };
                self.start(context, id, pushed);
            }
        }
        self.running.iter().filter(|(id, _)| !found.contains(id)).for_each(|(_, running)| running.stop.cancel());
        Ok(())
    }

    fn start(&mut self, context: &Arc<Context>, id: StreamId, pushed: Pushed) {
        let (grown, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        self.running.insert(id, Running { organization: pushed.stream.organization_id, grown: grown.clone(), stop: stop.clone() });
        let context = context.clone();
        self.tasks.spawn(async move { (id, deliver(context, pushed, grown, stop).await) });
    }

    /// Has every delivery end in order.
    async fn end(mut self) {
        self.running.values().for_each(|running| running.stop.cancel());
        while let Some(ended) = self.tasks.join_next().await {
            if let Ok((id, Err(error))) = ended {
                tracing::warn!(stream = %id, %error, "a delivery did not end in order");
            }
        }
    }
}
