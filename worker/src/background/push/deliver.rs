//! Delivers one stream: its events in the order of the log, each after the one before was accepted.

use rollcall_events::feed::LoggedChange;
use rollcall_events::request::{ChangeStream, StreamChange};
use rollcall_events::stream::Endpoint;
use rollcall_events::{EventId, OrganizationId, Timestamp};
use rollcall_service::entries::MalformedEntry;
use rollcall_service::feed::{CHANGES, STREAM_COLUMNS, SeqRange, Stream, happened, stream};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use crate::background::delivery::{Delivery, Progress};
use crate::db::TaskError;
use crate::db::{array_text, seq_column};
use crate::pipeline::positions::MERGE;
use crate::submit::submit_by_service;

/// A position that moved by this number of entries is saved, even if nothing was delivered.
const WORTH_KEEPING: u64 = 1000;
/// The position is saved after this number of events, so a crash repeats at most as many deliveries.
const KEPT_EACH: usize = 50;

const HEAD: &str = "SELECT size, restores FROM log_heads WHERE organization_id = $1";

/// The position of a stream. Accepting a restore of the database moves it back.
static POSITION: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {STREAM_COLUMNS} WHERE s.organization_id = $1 AND s.id = $2"));

/// Records that a push failed. Returns the time of the first failure. Returns no row if the stream was
/// deleted.
const FAILED: &str = "
    INSERT INTO stream_positions AS p (organization_id, stream_id, seq, beyond, failing_since, failure)
    SELECT s.organization_id, s.id, s.begins_after, '{}', $3, $4 FROM event_streams s WHERE s.organization_id = $1 AND s.id = $2
    ON CONFLICT (organization_id, stream_id)
        DO UPDATE SET failing_since = COALESCE(p.failing_since, excluded.failing_since), failure = excluded.failure
    RETURNING failing_since";

/// A stream with push delivery.
pub(super) struct Pushed {
    pub(super) stream: Stream,
    pub(super) endpoint: Endpoint,
    pub(super) authorization: Option<SecretString>,
    pub(super) enabled_at: Timestamp,
}

/// The head of a log.
struct Head {
    size: u64,
    restores: i64,
}

/// The delivery of a stream. It ends itself when the stream is paused or deleted.
pub(super) struct Push {
    pub(super) context: Arc<Context>,
    pub(super) pushed: Pushed,
}

impl Delivery for Push {
    const LONGEST_DELAY: Duration = Duration::from_mins(5);

    async fn advance(&mut self, stop: &CancellationToken) -> Result<Progress, TaskError> {
        self.pushed.continue_push(&self.context, stop).await
    }

    async fn failed(&mut self, reason: String) -> Result<bool, TaskError> {
        self.pushed.failed(&self.context, reason).await
    }
}

/// The changes before the first entry that cannot be read, and the seq of that entry with the error. Nothing
/// is skipped.
type Readable = (Vec<LoggedChange>, Option<(u64, MalformedEntry)>);

fn readable(rows: &[Row]) -> Result<Readable, TaskError> {
    let mut changes = Vec::with_capacity(rows.len());
    for row in rows {
        match happened(row) {
            Ok(change) => changes.push(change),
            Err(error) => return Ok((changes, Some((row.try_get::<_, i64>("seq")?.unsigned_abs(), error)))),
        }
    }
    Ok((changes, None))
}

async fn head(context: &Context, organization: OrganizationId) -> Result<Option<Head>, TaskError> {
    let Some(row) = context.database.query_opt(HEAD, &[&organization]).await? else { return Ok(None) };
    Ok(Some(Head { size: row.try_get::<_, i64>("size")?.unsigned_abs(), restores: row.try_get("restores")? }))
}

impl Pushed {
    /// Delivers the events in the next range of the log.
    async fn continue_push(&mut self, context: &Context, stop: &CancellationToken) -> Result<Progress, TaskError> {
        let organization = self.stream.organization_id;
        let Some(Head { size, restores }) = head(context, organization).await? else { return Ok(Progress::All) };
        if self.stream.position.restores != restores {
            self.read_position(context).await?;
        }
        let from = self.stream.position.seq;
        let range = SeqRange::after(from, size);
        let scoped = !self.stream.feed.workspaces.is_empty();
        let rows = context
            .database
            .query(
                CHANGES,
                &[
                    &organization,
                    &seq_column(range.after),
                    &seq_column(range.until),
                    &seq_column(range.max_changes()),
                    &scoped,
                ],
            )
            .await?;
        let (changes, unreadable) = readable(&rows)?;
        let read = match &unreadable {
            Some((seq, _)) => SeqRange { until: seq.saturating_sub(1), ..range },
            None => range.part_read(&changes),
        };
        let events: BTreeMap<_, _> = changes
            .iter()
            .filter_map(|change| Some((change.seq, self.stream.feed.claims(&context.issuer, change)?)))
            .collect();
        let mut kept = from;
        let mut stuck = None;
        for (count, (seq, claims)) in events.iter().enumerate() {
            if stop.is_cancelled() {
                break;
            }
            if let Err(error) =
                context.sender.send(&self.endpoint, self.authorization.as_ref(), context.keys.sign(claims)).await
            {
                stuck = Some(error.to_string());
                break;
            }
            self.stream.position.seq = *seq;
            if (count + 1).is_multiple_of(KEPT_EACH) {
                kept = self.save_position(context).await?;
            }
        }
        self.stream.position.advance(events.keys().copied(), read.until);
        if self.stream.position.seq > kept && (!events.is_empty() || self.stream.position.seq >= kept + WORTH_KEEPING) {
            self.save_position(context).await?;
        }
        let stuck =
            stuck.or_else(|| unreadable.map(|(seq, error)| format!("entry {seq} of the log cannot be read: {error}")));
        Ok(match stuck {
            Some(reason) => Progress::Stuck(reason),
            None if read.until < size => Progress::More,
            None => Progress::All,
        })
    }

    /// Reads the position again, because accepting a restore has moved it back.
    async fn read_position(&mut self, context: &Context) -> Result<(), TaskError> {
        let keys: [&(dyn ToSql + Sync); 2] = [&self.stream.organization_id, &self.stream.feed.stream_id];
        if let Some(row) = context.database.query_opt(&POSITION, &keys).await? {
            let read = stream(&row).map_err(|error| TaskError::Unreadable(error.to_string()))?;
            self.stream.position = read.position;
        }
        Ok(())
    }

    /// Saves the position and returns its seq.
    async fn save_position(&self, context: &Context) -> Result<u64, TaskError> {
        let (stream, position) = (&self.stream, &self.stream.position);
        let beyond = vec![array_text(position.beyond.iter().map(u64::to_string))];
        let keys = (vec![stream.organization_id], vec![stream.feed.stream_id], vec![seq_column(position.seq)]);
        let restores = vec![position.restores];
        context.database.execute(MERGE.as_str(), &[&keys.0, &keys.1, &keys.2, &beyond, &restores]).await?;
        Ok(position.seq)
    }

    /// Records why delivery failed. Returns true if the stream was deleted or is now paused.
    async fn failed(&self, context: &Context, failure: String) -> Result<bool, TaskError> {
        let (stream, now) = (&self.stream, Timestamp::now());
        let id = stream.feed.stream_id;
        let row = context.database.query_opt(FAILED, &[&stream.organization_id, &id, &now, &failure]).await?;
        let Some(row) = row else { return Ok(true) };
        let since = row.try_get::<_, Timestamp>("failing_since")?.max(self.enabled_at);
        tracing::warn!(
            stream = %id, organization = %stream.organization_id, %since, failure,
            "an event was not delivered and will be retried"
        );
        if now.seconds_since(since) < context.settings.push_dead_seconds {
            return Ok(false);
        }
        let pause = ChangeStream { stream_id: id, change: StreamChange::Pause { reason: failure } };
        match submit_by_service(&context.settings, stream.organization_id, EventId::generate(), pause).await {
            Ok(()) => {
                tracing::error!(stream = %id, "the stream is paused until `rollcall-worker stream resume`");
                Ok(true)
            }
            Err(error) => {
                tracing::warn!(stream = %id, %error, "the stream cannot be paused at the moment");
                Ok(false)
            }
        }
    }
}
