//! The service log: enters the checkpoints of all organizations' logs into one public log, signs its checkpoints,
//! and offers them to the witnesses. One worker does this; if it ends, another one takes over.

use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::append::Appender;
use super::guard::Guard;
use super::settings::ServiceLog;
use super::sign::{SignedCheckpoint, forget_other_names, newest, sign};
use super::witnesses::{Context, follow_all, is_witnessed};
use crate::db::{Database, TaskError};
use crate::settings::Settings;
use crate::supervise::{rest, supervise};

const APPLICATION: &str = "rollcall-worker service log";
/// The lock of the one worker that appends. It ends with its connection.
const LOCK: &str = "SELECT pg_try_advisory_lock(hashtext('rollcall_service_log')) AS is_locked";
/// Interval at which a standby worker tries to take the lock.
const TRY: Duration = Duration::from_secs(1);

/// Keeps the service log until `stop`.
pub(crate) async fn keep_service_log(settings: Arc<Settings>, log: ServiceLog, stop: CancellationToken) {
    if log.origin.is_none() {
        return;
    }
    supervise("the service log", &stop, async || run(&settings, &log, &stop).await).await;
}

async fn run(settings: &Settings, log: &ServiceLog, stop: &CancellationToken) -> Result<(), TaskError> {
    let Some(origin) = log.origin.as_deref() else { return Ok(()) };
    let database = Database::open(&settings.database_url, APPLICATION).await?;
    while !is_locked(&database).await? {
        rest(TRY, stop).await;
        if stop.is_cancelled() {
            return Ok(());
        }
    }
    forget_other_names(&database, origin).await?;
    let (offers, offered) = watch::channel(None);
    let guard = Guard::new(log.file.as_ref(), origin);
    let mut keeper = Keeper { database, origin, log, guard, appender: Appender::default(), offers, last: None };
    let every = Duration::from_secs(settings.checkpoint_seconds);
    let context = Context::open(&settings.database_url, log).await?;
    tokio::try_join!(keeper.keep(every, stop), follow_all(&context, &offered, stop))?;
    Ok(())
}

async fn is_locked(database: &Database) -> Result<bool, TaskError> {
    let row = database.query_opt(LOCK, &[]).await?;
    Ok(row.map(|row| row.try_get("is_locked")).transpose()?.unwrap_or_default())
}

/// Appends, signs and offers.
struct Keeper<'a> {
    database: Database,
    origin: &'a str,
    log: &'a ServiceLog,
    guard: Guard<'a>,
    appender: Appender,
    offers: watch::Sender<Option<SignedCheckpoint>>,
    /// The size that was offered last, and when.
    last: Option<(u64, Instant)>,
}

impl Keeper<'_> {
    async fn keep(&mut self, every: Duration, stop: &CancellationToken) -> Result<(), TaskError> {
        let mut interval = tokio::time::interval(every);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = interval.tick() => {}
            }
            if self.guard.permit(&self.database).await?.is_none() {
                continue;
            }
            self.appender.append(&self.database).await?;
            sign(&self.database, self.origin, &self.log.keys, &self.guard).await?;
            if let Some(signed) = newest(&self.database).await? {
                self.offer(signed).await?;
            }
        }
    }

    /// Offers the newest checkpoint to the witnesses. An offer stands until enough witnesses have cosigned it, or
    /// until all had time to answer. Otherwise a log that grows fast would never have two cosignatures at one size.
    async fn offer(&mut self, signed: SignedCheckpoint) -> Result<(), TaskError> {
        let size = signed.checkpoint.size;
        if let Some((last, at)) = self.last {
            let stands = at.elapsed() < self.log.offer_stands && !is_witnessed(&self.database, last).await?;
            if last == size || stands {
                return Ok(());
            }
        }
        self.last = Some((size, Instant::now()));
        self.offers.send_replace(Some(signed));
        Ok(())
    }
}
