//! Compares the service log with the tree head that was signed last, before anything is appended or signed.

use rollcall_events::log::checkpoint::Checkpoint;
use rollcall_events::log::{CompactRange, TreeHead};
use rollcall_service::service_log::{TILES, nodes_in, tiles_of};

use crate::db::{Database, StoreError, TaskError};
use crate::log::signer::{LockedFile, Record, Records, Refusal, SignerFile, SignerFileError, check_growth, compare};

const HEAD: &str = "SELECT size, peaks FROM service_head";
const NEWEST: &str = "SELECT note FROM service_checkpoints ORDER BY size DESC LIMIT 1";
const FLAG: &str = "UPDATE service_head SET refused = $1 WHERE refused IS DISTINCT FROM $1";

/// Reads the head of the service log.
pub(super) async fn head(database: &Database) -> Result<CompactRange, TaskError> {
    let row = database.query_opt(HEAD, &[]).await?;
    let row = row.ok_or_else(|| TaskError::Unreadable("the service log has no head".to_owned()))?;
    let (size, peaks): (i64, Vec<Vec<u8>>) = (row.try_get("size")?, row.try_get("peaks")?);
    Ok(CompactRange::from_parts(size.unsigned_abs(), &peaks).map_err(StoreError::from)?)
}

/// The guard of the service log.
pub(super) struct Guard<'a> {
    /// The signer file; `None` if the operator decided to sign without one.
    file: Option<&'a SignerFile>,
    origin: &'a str,
}

/// The permission to sign one state of the log.
pub(super) struct Permit {
    log: CompactRange,
    /// Whether the file has this state.
    is_remembered: bool,
    file: Option<(LockedFile, Records)>,
}

impl<'a> Guard<'a> {
    pub(super) fn new(file: Option<&'a SignerFile>, origin: &'a str) -> Self {
        Self { file, origin }
    }

    /// Permits to sign the log as it is now, and to append to it. `None` if it is refused: then the head in the
    /// database says why, so that operators see it.
    ///
    /// # Errors
    /// If the signer file cannot be used, or Postgres fails.
    pub(super) async fn permit(&self, database: &Database) -> Result<Option<Permit>, TaskError> {
        let Some(file) = self.file else {
            return Ok(Some(Permit { log: head(database).await?, is_remembered: false, file: None }));
        };
        let file = file.lock().await?;
        let records = tokio::task::block_in_place(|| file.read())?;
        // The signer of the organizations' logs creates the file, or reports that it is missing.
        let Some(records) = records else { return Ok(None) };
        let log = head(database).await?;
        let remembered = records.get(self.origin).map(|record| record.head);
        let signed = match remembered {
            Some(head) => Some(head),
            None => newest(database, self.origin).await?,
        };
        let refusal = match signed {
            Some(signed) => refusal(database, signed, &log).await?,
            None => None,
        };
        self.flag(database, refusal).await?;
        let is_remembered = remembered == Some(log.head());
        Ok(refusal.is_none().then_some(Permit { log, is_remembered, file: Some((file, records)) }))
    }

    /// Writes into the head whether the log is refused. A change is logged.
    async fn flag(&self, database: &Database, refusal: Option<Refusal>) -> Result<(), TaskError> {
        let reason = refusal.map(|refusal| refusal.to_string());
        let is_changed = database.execute(FLAG, &[&reason]).await? > 0;
        match refusal {
            Some(refusal) if is_changed => tracing::error!(
                origin = self.origin, %refusal, "the service log is refused: nothing is entered and nothing is signed"
            ),
            None if is_changed => tracing::info!(origin = self.origin, "the service log is no longer refused"),
            _ => {}
        }
        Ok(())
    }
}

impl Permit {
    /// The log that may be signed.
    pub(super) fn log(&self) -> &CompactRange {
        &self.log
    }

    /// Remembers that the log is signed. Call it before the signature leaves the process, and also for a log that
    /// another worker has signed: the file of this worker may be another one.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(super) fn remember(self, origin: &str) -> Result<(), SignerFileError> {
        let Some((file, mut records)) = self.file.filter(|_| !self.is_remembered) else { return Ok(()) };
        records.insert(origin.to_owned(), Record { head: self.log.head(), restored_from: None });
        tokio::task::block_in_place(|| file.write(&records))
    }
}

/// What the newest checkpoint in the database signs, if it is one of this log.
async fn newest(database: &Database, origin: &str) -> Result<Option<TreeHead>, TaskError> {
    let Some(row) = database.query_opt(NEWEST, &[]).await? else { return Ok(None) };
    let checkpoint = Checkpoint::parse(row.try_get::<_, &str>("note")?.as_bytes())?;
    let head = TreeHead { root: checkpoint.root, size: checkpoint.size };
    Ok((checkpoint.origin == origin).then_some(head))
}

/// Why the log does not extend the signed tree head, if it does not.
async fn refusal(database: &Database, signed: TreeHead, log: &CompactRange) -> Result<Option<Refusal>, TaskError> {
    let question = match compare(signed, log) {
        Ok(None) => return Ok(None),
        Ok(Some(question)) => question,
        Err(refusal) => return Ok(Some(refusal)),
    };
    let nodes = question.nodes().map_err(|error| TaskError::Unreadable(error.to_string()))?.into_iter().collect();
    let (levels, tiles) = tiles_of(&nodes);
    let rows = database.query(TILES, &[&levels, &tiles]).await?;
    let nodes = nodes_in(&rows, &nodes)?.unwrap_or_default();
    Ok(check_growth(signed, log, &nodes).err())
}
