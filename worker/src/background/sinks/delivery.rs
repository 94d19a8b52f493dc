//! Delivers to one sink: batch by batch, each with the entries of one log in its order, the logs in turn.

use rollcall_events::OrganizationId;
use rollcall_service::backoff::Backoff;
use rollcall_service::entries::{COLUMNS, entry};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_util::sync::CancellationToken;

use super::batch::{Failure, Message};
use super::position::Behind;
use super::sink::{Format, Sink};
use super::target::Target;
use crate::background::delivery::{Delivery, Progress};
use crate::db::{Database, TaskError, seq_column};

/// Maximum delay after a failure.
const LONGEST_DELAY: Duration = Duration::from_mins(1);

/// The next entries of a log. $4 is the maximum number. An entry is left out if the stored payloads before it have
/// $5 bytes or more, so there is always one. Their size as they are stored can be read without reading them.
static ENTRIES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS} FROM (
            SELECT e.*, sum(pg_column_size(e.payload)) OVER (
                ORDER BY e.seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS before
            FROM (
                SELECT * FROM events WHERE organization_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4
            ) e
        ) e WHERE COALESCE(e.before, 0) < $5 ORDER BY e.seq"
    )
});

/// The delivery to one sink.
pub(super) struct SinkDelivery {
    sink: Sink,
    target: Target,
    database: Arc<Database>,
    has_begun: bool,
    /// Logs with entries to deliver.
    waiting: VecDeque<Behind>,
    /// The last organization that `waiting` had.
    last: Option<OrganizationId>,
    /// The log whose batch is being delivered.
    current: Option<OrganizationId>,
    /// Logs whose next entry was refused. They wait, and the others go on.
    refused: HashMap<OrganizationId, Refused>,
    /// The maximum number of entries in the next batch of a log whose last batch was refused.
    limits: HashMap<OrganizationId, u16>,
}

struct Refused {
    backoff: Backoff,
    until: Instant,
}

/// The result of reading a batch.
struct Batch {
    messages: Vec<Message>,
    /// The seq of the entry after them that cannot be read, with the reason. Nothing is skipped.
    unreadable: Option<String>,
}

impl Delivery for SinkDelivery {
    const LONGEST_DELAY: Duration = LONGEST_DELAY;

    fn linger(&self) -> Duration {
        self.sink.batch.linger
    }

    async fn advance(&mut self, _: &CancellationToken) -> Result<Progress, TaskError> {
        if !self.has_begun {
            self.sink.begin(&self.database).await?;
            self.has_begun = true;
        }
        let Some(behind) = self.next().await? else { return Ok(self.rest()) };
        self.current = Some(behind.organization);
        match self.deliver(behind).await? {
            Ok(()) => {
                self.refused.remove(&behind.organization);
            }
            Err(Failure::Refused(reason)) => self.refuse(behind.organization, &reason).await?,
            Err(Failure::Unavailable(reason)) => return Ok(Progress::Stuck(reason)),
        }
        Ok(Progress::More)
    }

    async fn failed(&mut self, reason: String) -> Result<bool, TaskError> {
        if let Some(organization) = self.current {
            self.sink.failed(&self.database, organization, &reason).await?;
        }
        Ok(false)
    }
}

impl SinkDelivery {
    /// The delivery to a sink. `host` names this service.
    pub(super) fn new(sink: Sink, database: Arc<Database>, host: &str) -> Self {
        let target = Target::new(&sink, host);
        Self {
            sink,
            target,
            database,
            has_begun: false,
            waiting: VecDeque::new(),
            last: None,
            current: None,
            refused: HashMap::new(),
            limits: HashMap::new(),
        }
    }

    /// The next log to deliver from. The logs take turns, so that none waits for another to be done.
    async fn next(&mut self) -> Result<Option<Behind>, TaskError> {
        if self.waiting.is_empty() {
            let now = Instant::now();
            let refused: Vec<_> =
                self.refused.iter().filter(|(_, refused)| refused.until > now).map(|(id, _)| *id).collect();
            let mut behind = self.sink.behind(&self.database, &refused, self.last).await?;
            if behind.is_empty() && self.last.is_some() {
                behind = self.sink.behind(&self.database, &refused, None).await?;
            }
            self.last = behind.last().map(|last| last.organization);
            self.waiting = behind.into();
        }
        Ok(self.waiting.pop_front())
    }

    /// What to do while nothing can be delivered: wait for the next refused log, if there is one.
    fn rest(&self) -> Progress {
        let now = Instant::now();
        let waits = self.refused.values().filter_map(|refused| refused.until.checked_duration_since(now));
        waits.min().map_or(Progress::All, Progress::Later)
    }

    /// Delivers one batch of a log and saves the position. If the receiver refuses several entries together, the
    /// next batch has half as many, until the one that it refuses is alone.
    async fn deliver(&mut self, behind: Behind) -> Result<Result<(), Failure>, TaskError> {
        let organization = behind.organization;
        let most = self.limits.get(&organization).copied().unwrap_or(self.sink.batch.entries);
        let Batch { messages, unreadable } = match read(&self.sink, &self.database, behind, most).await {
            Err(error) if is_too_slow(&error) => {
                self.limits.insert(organization, (most / 2).max(1));
                return Ok(Err(Failure::Refused("reading the entries took too long".to_owned())));
            }
            read => read?,
        };
        if let Some(last) = messages.last() {
            match self.target.deliver(&messages).await {
                Err(Failure::Refused(_)) if messages.len() > 1 => {
                    self.limits.insert(organization, u16::try_from(messages.len() / 2).unwrap_or(most));
                    return Ok(Ok(()));
                }
                delivered => {
                    if let Err(failure) = delivered {
                        return Ok(Err(failure));
                    }
                }
            }
            self.sink.advance(&self.database, behind, last.seq).await?;
            self.raise_limit(organization);
        }
        Ok(unreadable.map_or(Ok(()), |reason| Err(Failure::Refused(reason))))
    }

    /// After a success, a log gets larger batches again.
    fn raise_limit(&mut self, organization: OrganizationId) {
        if let Some(limit) = self.limits.get_mut(&organization) {
            *limit = limit.saturating_mul(2);
            if *limit >= self.sink.batch.entries {
                self.limits.remove(&organization);
            }
        }
    }

    /// Lets a log wait whose batch was refused.
    async fn refuse(&mut self, organization: OrganizationId, reason: &str) -> Result<(), TaskError> {
        self.sink.failed(&self.database, organization, reason).await?;
        let refused = self
            .refused
            .entry(organization)
            .or_insert_with(|| Refused { backoff: Backoff::up_to(LONGEST_DELAY), until: Instant::now() });
        refused.until = Instant::now() + refused.backoff.next_delay();
        Ok(())
    }
}

/// Reads the next batch of a log: at most `most` entries, up to the first that is missing or cannot be read.
async fn read(sink: &Sink, database: &Database, behind: Behind, most: u16) -> Result<Batch, TaskError> {
    let limits = sink.batch;
    let (after, until) = (seq_column(behind.seq), seq_column(behind.size));
    let (entries, bytes) = (i64::from(most), i64::from(limits.bytes));
    let rows = database.query(&ENTRIES, &[&behind.organization, &after, &until, &entries, &bytes]).await?;
    let (mut messages, mut size): (Vec<Message>, usize) = (Vec::with_capacity(rows.len()), 0);
    let mut expected = after;
    for row in &rows {
        expected += 1;
        let seq: i64 = row.try_get("seq")?;
        if seq != expected {
            break;
        }
        match message(row, sink.format) {
            Ok(message) => {
                size += message.json.len();
                if !messages.is_empty() && size > usize::try_from(limits.bytes).unwrap_or(usize::MAX) {
                    return Ok(Batch { messages, unreadable: None });
                }
                messages.push(message);
            }
            Err(error) => {
                let unreadable = Some(format!("entry {seq} of the log cannot be read: {error}"));
                return Ok(Batch { messages, unreadable });
            }
        }
    }
    let is_complete = messages.len() == rows.len() && !rows.is_empty();
    let missing = || format!("entry {} of the log is missing", after + 1 + seq_column(messages.len() as u64));
    let unreadable = (!is_complete).then(missing);
    Ok(Batch { messages, unreadable })
}

fn message(row: &Row, format: Format) -> Result<Message, String> {
    let entry = entry(row).map_err(|error| error.to_string())?;
    Message::new(&entry, format).map_err(|error| error.to_string())
}

/// Whether Postgres has ended a statement at its time limit.
fn is_too_slow(error: &TaskError) -> bool {
    matches!(error, TaskError::Postgres(error) if error.code() == Some(&SqlState::QUERY_CANCELED))
}
