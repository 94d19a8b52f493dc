//! Signs checkpoints of the logs that have grown: at an interval, and after a number of entries.

use rollcall_events::log::CompactRange;
use rollcall_events::log::checkpoint::{Checkpoint, SigningKeys};
use rollcall_events::{OrganizationId, Timestamp};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio_postgres::Row;
use tokio_util::sync::CancellationToken;

use crate::db::LOG_CHANNEL;
use crate::db::{Database, TaskError};
use crate::db::{Listener, StoreError, seq_column};
use crate::settings::Settings;
use crate::supervise::supervise;
use crate::wait::{OPEN, within};

const APPLICATION: &str = "rollcall-worker checkpoints";
/// Number of logs signed per statement.
const PAGE: i64 = 500;

/// Logs that have grown since their last checkpoint, with ids above $2, in order. If $1 is not NULL, only
/// this organization.
const GROWN: &str = "
    SELECT h.organization_id, h.size, h.peaks FROM log_heads h
    WHERE h.size > COALESCE((SELECT max(c.size) FROM checkpoints c WHERE c.organization_id = h.organization_id), 0)
        AND ($1::uuid IS NULL OR h.organization_id = $1) AND ($2::uuid IS NULL OR h.organization_id > $2)
    ORDER BY h.organization_id LIMIT $3";

/// Several workers may sign at once. The same size has the same root, and the same keys produce the same
/// signature.
const INSERT: &str = "
    INSERT INTO checkpoints (organization_id, size, signed_at, note)
    SELECT k.organization_id, k.size, $4, k.note
    FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS k (organization_id, size, note)
    ON CONFLICT DO NOTHING";

/// Signs until `stop`, and then once more, so that the newest entries are signed too.
pub(crate) async fn sign_checkpoints(settings: Arc<Settings>, keys: SigningKeys, stop: CancellationToken) {
    let Some(name) = keys.name() else {
        tracing::warn!("checkpoints are not signed: checkpoint_keys and checkpoint_key_file are empty");
        return;
    };
    supervise("checkpoints", &stop, async || run(&settings, name, &keys, &stop).await).await;
}

async fn run(settings: &Settings, name: &str, keys: &SigningKeys, stop: &CancellationToken) -> Result<(), TaskError> {
    let opening = Listener::open(&settings.database_url, APPLICATION, LOG_CHANNEL);
    let Listener { client, notifications } = within("a connection to postgres", OPEN, opening).await??;
    let database = Database::bounded(client).await?;
    let mut signer = Signer { database, name, keys, signed: HashMap::new(), unreadable: HashSet::new() };
    signer.follow(settings, notifications, stop).await?;
    signer.sign(None).await
}

/// Signs the heads of logs.
struct Signer<'a> {
    database: Database,
    name: &'a str,
    keys: &'a SigningKeys,
    /// The size of the last checkpoint of each log.
    signed: HashMap<OrganizationId, u64>,
    /// Logs whose heads cannot be read. Each is logged once until it can be read again.
    unreadable: HashSet<OrganizationId>,
}

impl Signer<'_> {
    async fn follow(
        &mut self,
        settings: &Settings,
        mut notifications: Receiver<String>,
        stop: &CancellationToken,
    ) -> Result<(), TaskError> {
        let mut interval = tokio::time::interval(Duration::from_secs(settings.checkpoint_seconds));
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = interval.tick() => self.sign(None).await?,
                notification = notifications.recv() => {
                    if let Some((organization, size)) = grown(
                        &notification.ok_or(TaskError::Closed)?, &self.signed, settings.checkpoint_events
                    ) {
                        // Another worker may have signed the log already. Then there is nothing to do until
                        // it has grown again.
                        self.signed.insert(organization, size);
                        self.sign(Some(organization)).await?;
                    }
                }
            }
        }
    }

    /// Signs the logs that have grown, page by page. A log whose head cannot be read is skipped.
    async fn sign(&mut self, organization: Option<OrganizationId>) -> Result<(), TaskError> {
        let mut last: Option<OrganizationId> = None;
        loop {
            let rows = self.database.query(GROWN, &[&organization, &last, &PAGE]).await?;
            let (mut organizations, mut sizes, mut notes): (Vec<OrganizationId>, Vec<i64>, Vec<String>) =
                Default::default();
            for row in &rows {
                let id = row.try_get("organization_id")?;
                last = Some(id);
                if let Some((size, note)) = self.read(id, row) {
                    self.signed.insert(id, size);
                    organizations.push(id);
                    sizes.push(seq_column(size));
                    notes.push(note);
                }
            }
            if !notes.is_empty() {
                self.database.execute(INSERT, &[&organizations, &sizes, &notes, &Timestamp::now()]).await?;
            }
            if rows.is_empty() {
                return Ok(());
            }
        }
    }

    /// Returns the size of a log and its signed note, or `None` if the head cannot be read.
    fn read(&mut self, organization: OrganizationId, row: &Row) -> Option<(u64, String)> {
        match self.note(organization, row) {
            Ok(signed) => {
                self.unreadable.remove(&organization);
                Some(signed)
            }
            Err(error) => {
                if self.unreadable.insert(organization) {
                    tracing::error!(%organization, %error, "the head of a log cannot be read; the log is not signed");
                }
                None
            }
        }
    }

    fn note(&self, organization: OrganizationId, row: &Row) -> Result<(u64, String), TaskError> {
        let (size, peaks): (i64, Vec<Vec<u8>>) = (row.try_get("size")?, row.try_get("peaks")?);
        let log = CompactRange::from_parts(size.unsigned_abs(), &peaks).map_err(StoreError::from)?;
        Ok((log.size(), self.keys.sign(&Checkpoint::new(self.name, organization, log.size(), log.root()))?))
    }
}

/// The organization and the size of its log, from a notification. `None` unless the log has grown by at least
/// `most` entries since its last checkpoint.
fn grown(notification: &str, signed: &HashMap<OrganizationId, u64>, most: u64) -> Option<(OrganizationId, u64)> {
    let (id, size) = notification.split_once(' ')?;
    let (id, size): (OrganizationId, u64) = (id.parse().ok()?, size.parse().ok()?);
    (size >= signed.get(&id).copied().unwrap_or_default() + most).then_some((id, size))
}
