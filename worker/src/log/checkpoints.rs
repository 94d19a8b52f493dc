//! Signs checkpoints of the logs that have grown: at an interval, and after a number of entries.
//!
//! Each log is first compared with what was signed last ([`signer`](super::signer)). A log that does not extend
//! it is refused: it is not signed, and its head says so, so that no worker appends to it. The signer file is
//! written before a signature leaves the process.

use rollcall_events::log::checkpoint::{Checkpoint, SigningKeys};
use rollcall_events::{OrganizationId, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::signer::{
    LockedFile, Page, Record, Records, ReviewedLog, SignedLogs, SignerFile, SignerFileError, Signing, flag, review,
    review_absent,
};
use crate::db::LOG_CHANNEL;
use crate::db::{Database, Listener, TaskError, seq_column};
use crate::settings::Settings;
use crate::supervise::supervise;
use crate::wait::{OPEN, within};

const APPLICATION: &str = "rollcall-worker checkpoints";
/// Number of checkpoints per statement.
const PAGE: usize = 500;
/// Maximum number of logs that are signed before the signer file is written.
const MAX_UNWRITTEN: usize = 10_000;

const HAS_CHECKPOINTS: &str = "SELECT EXISTS (SELECT FROM checkpoints)";

/// Several workers may sign at once. The same size has the same root, and the same keys produce the same
/// signature.
const INSERT: &str = "
    INSERT INTO checkpoints (organization_id, size, signed_at, note)
    SELECT k.organization_id, k.size, $4, k.note
    FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS k (organization_id, size, note)
    ON CONFLICT DO NOTHING";

/// Signs until `stop`, and then once more, so that the newest entries are signed too.
pub(crate) async fn sign_checkpoints(
    settings: Arc<Settings>,
    signing: &Signing,
    logs: &SignedLogs,
    stop: CancellationToken,
) {
    let Some(name) = signing.keys.name() else {
        tracing::warn!("checkpoints are not signed: checkpoint_keys and checkpoint_key_file are empty");
        return;
    };
    if signing.file.is_none() {
        tracing::warn!("signer_file is `none`: a database that was rolled back is signed again, and nothing notices");
    }
    supervise("checkpoints", &stop, async || run(&settings, name, signing, logs, &stop).await).await;
}

async fn run(
    settings: &Settings,
    name: &str,
    Signing { keys, file }: &Signing,
    logs: &SignedLogs,
    stop: &CancellationToken,
) -> Result<(), TaskError> {
    let opening = Listener::open(&settings.database_url, APPLICATION, LOG_CHANNEL);
    let Listener { client, notifications } = within("a connection to postgres", OPEN, opening).await??;
    let database = Database::bounded(client).await?;
    let mut signer =
        Signer { database, name, keys, file: file.as_ref(), logs, seen: HashMap::new(), unreadable: HashSet::new() };
    signer.follow(settings, notifications, stop).await?;
    signer.sign(None).await
}

/// Signs the heads of logs.
struct Signer<'a> {
    database: Database,
    name: &'a str,
    keys: &'a SigningKeys,
    file: Option<&'a SignerFile>,
    logs: &'a SignedLogs,
    /// The size of each log when it was last signed, or could not be.
    seen: HashMap<OrganizationId, u64>,
    /// Logs whose heads cannot be read. Each is logged once until it can be read again.
    unreadable: HashSet<OrganizationId>,
}

/// The signer file in a round, and its content as it will be written.
struct Memory {
    file: LockedFile,
    records: Records,
    is_changed: bool,
}

/// The results of a round that are not written yet.
#[derive(Default)]
struct Unwritten {
    /// The new checkpoints.
    organizations: Vec<OrganizationId>,
    sizes: Vec<i64>,
    notes: Vec<String>,
    /// Why logs are refused, or `None` for those that no longer are.
    flags: BTreeMap<OrganizationId, Option<String>>,
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
                        &notification.ok_or(TaskError::Closed)?, &self.seen, settings.checkpoint_events
                    ) {
                        // Another worker may have signed the log already. Then there is nothing to do until
                        // it has grown again.
                        self.seen.insert(organization, size);
                        self.sign(Some(organization)).await?;
                    }
                }
            }
        }
    }

    /// Compares all logs, or one, and signs those that have grown. If the signer file cannot be used, the
    /// partitions learn of it.
    async fn sign(&mut self, only: Option<OrganizationId>) -> Result<(), TaskError> {
        let signed = self.round(only).await;
        match &signed {
            // Another process is slow. What this one knows of the file still holds.
            Err(TaskError::SignerFile(SignerFileError::Locked(_))) => {}
            Err(TaskError::SignerFile(error)) => self.logs.fail(error),
            Ok(()) if only.is_none() => self.logs.reviewed(),
            _ => {}
        }
        signed
    }

    async fn round(&mut self, only: Option<OrganizationId>) -> Result<(), TaskError> {
        let mut memory = self.remember().await?;
        let (mut unwritten, mut present, mut after) = (Unwritten::default(), BTreeSet::new(), None);
        loop {
            let records = memory.as_ref().map(|memory| &memory.records);
            let page = review(&self.database, self.name, records, only, after).await?;
            let is_last = page.last.is_none();
            after = page.last;
            present.extend(page.logs.iter().map(|log| log.organization));
            present.extend(page.unreadable.iter().map(|(organization, _)| *organization));
            self.judge(page, memory.as_mut(), &mut unwritten)?;
            if is_last
                && only.is_none()
                && let Some(memory) = &mut memory
            {
                let logs = review_absent(self.name, &memory.records, &present);
                self.judge(Page { logs, ..Page::default() }, Some(memory), &mut unwritten)?;
            }
            if is_last || unwritten.notes.len() >= MAX_UNWRITTEN {
                self.write(memory.as_mut(), std::mem::take(&mut unwritten)).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Locks and reads the signer file. Creates it if nothing was ever signed.
    async fn remember(&self) -> Result<Option<Memory>, TaskError> {
        let Some(file) = self.file else { return Ok(None) };
        let file = file.lock().await?;
        let records = match tokio::task::block_in_place(|| file.read())? {
            Some(records) => records,
            None if self.has_checkpoints().await? => {
                return Err(SignerFileError::Missing(file.path().to_owned()).into());
            }
            None => {
                tracing::info!(path = %file.path().display(), "no checkpoint was signed yet; the signer file is created");
                tokio::task::block_in_place(|| file.write(&Records::new()))?;
                Records::new()
            }
        };
        self.logs.know(self.name, &records);
        Ok(Some(Memory { file, records, is_changed: false }))
    }

    async fn has_checkpoints(&self) -> Result<bool, TaskError> {
        let row = self.database.query_opt(HAS_CHECKPOINTS, &[]).await?;
        row.map_or(Ok(false), |row| Ok(row.try_get(0)?))
    }

    /// Signs the logs of a page that have grown, and refuses those that do not extend their last signed tree head.
    fn judge(
        &mut self,
        page: Page,
        mut memory: Option<&mut Memory>,
        unwritten: &mut Unwritten,
    ) -> Result<(), TaskError> {
        for (organization, error) in page.unreadable {
            if self.unreadable.insert(organization) {
                tracing::error!(%organization, %error, "the head of a log cannot be read; the log is not signed");
            }
        }
        for log in page.logs {
            self.unreadable.remove(&log.organization);
            self.seen.insert(log.organization, log.log.size());
            self.note_refusal(&log, unwritten);
            // Without a file, this signer cannot judge what another one has refused.
            let is_refused = log.refusal.is_some() || (memory.is_none() && log.is_flagged);
            if is_refused || log.log.size() == 0 {
                continue;
            }
            if log.checkpoint_size < log.log.size() {
                let checkpoint = Checkpoint::new(self.name, log.organization, log.log.size(), log.log.root());
                unwritten.organizations.push(log.organization);
                unwritten.sizes.push(seq_column(log.log.size()));
                unwritten.notes.push(self.keys.sign(&checkpoint)?);
            }
            if let Some(memory) = &mut memory {
                memory.advance(log);
            }
        }
        Ok(())
    }

    /// Tells the partitions and the database if the refusal of a log is new or gone.
    fn note_refusal(&self, log: &ReviewedLog, unwritten: &mut Unwritten) {
        let organization = log.organization;
        if self.logs.refuse(organization, log.refusal) {
            if let Some(refusal) = log.refusal {
                tracing::error!(
                    %organization, %refusal, "a log is refused: nothing is signed and nothing is appended"
                );
            } else {
                tracing::info!(%organization, "a log is no longer refused");
            }
        }
        if self.file.is_some() && (log.refusal.is_some() || log.is_flagged) {
            unwritten.flags.insert(organization, log.refusal.map(|refusal| refusal.to_string()));
        }
    }

    /// Writes the signer file, and only then lets the signatures out.
    async fn write(&self, memory: Option<&mut Memory>, unwritten: Unwritten) -> Result<(), TaskError> {
        if let Some(memory) = memory.filter(|memory| memory.is_changed) {
            tokio::task::block_in_place(|| memory.file.write(&memory.records))?;
            self.logs.know(self.name, &memory.records);
            memory.is_changed = false;
        }
        let Unwritten { organizations, sizes, notes, flags } = unwritten;
        let now = Timestamp::now();
        for ((organizations, sizes), notes) in
            organizations.chunks(PAGE).zip(sizes.chunks(PAGE)).zip(notes.chunks(PAGE))
        {
            self.database.execute(INSERT, &[&organizations, &sizes, &notes, &now]).await?;
        }
        flag(&self.database, &flags).await
    }
}

impl Memory {
    /// Remembers the head of a log, which this signer or another one has signed.
    fn advance(&mut self, log: ReviewedLog) {
        let head = log.log.head();
        match self.records.get_mut(&log.origin) {
            Some(record) if record.head == head => return,
            Some(record) => record.head = head,
            None => {
                self.records.insert(log.origin, Record { head, restored_from: None });
            }
        }
        self.is_changed = true;
    }
}

/// The organization and the size of its log, from a notification. `None` unless the log has grown by at least
/// `most` entries since its last checkpoint.
fn grown(notification: &str, seen: &HashMap<OrganizationId, u64>, most: u64) -> Option<(OrganizationId, u64)> {
    let (id, size) = notification.split_once(' ')?;
    let (id, size): (OrganizationId, u64) = (id.parse().ok()?, size.parse().ok()?);
    (size >= seen.get(&id).copied().unwrap_or_default() + most).then_some((id, size))
}
