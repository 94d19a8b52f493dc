//! Compares the service log with the tree head that was signed last, before anything is appended or signed.

use rollcall_events::log::CompactRange;
use rollcall_service::service_log::{TILES, nodes_in, tiles_of};

use crate::db::{Database, StoreError, TaskError};
use crate::log::signer::{LockedFile, Record, Records, Refusal, SignerFile, SignerFileError, check_growth, compare};

const HEAD: &str = "SELECT size, peaks FROM service_head";
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
        let Some(file) = self.file else { return Ok(Some(Permit { log: head(database).await?, file: None })) };
        let file = file.lock().await?;
        let records = tokio::task::block_in_place(|| file.read())?;
        // The signer of the organizations' logs creates the file, or reports that it is missing.
        let Some(records) = records else { return Ok(None) };
        let log = head(database).await?;
        let refusal = match records.get(self.origin) {
            Some(record) => refusal(database, record, &log).await?,
            None => None,
        };
        self.flag(database, refusal).await?;
        Ok(refusal.is_none().then_some(Permit { log, file: Some((file, records)) }))
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

    /// Remembers that the log is signed. Call it before the signature leaves the process.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(super) fn remember(self, origin: &str) -> Result<(), SignerFileError> {
        let Some((file, mut records)) = self.file else { return Ok(()) };
        records.insert(origin.to_owned(), Record { head: self.log.head(), restored_from: None });
        tokio::task::block_in_place(|| file.write(&records))
    }
}

/// Why the log does not extend what was signed, if it does not.
async fn refusal(database: &Database, record: &Record, log: &CompactRange) -> Result<Option<Refusal>, TaskError> {
    let question = match compare(record.head, log) {
        Ok(None) => return Ok(None),
        Ok(Some(question)) => question,
        Err(refusal) => return Ok(Some(refusal)),
    };
    let nodes = question.nodes().map_err(|error| TaskError::Unreadable(error.to_string()))?.into_iter().collect();
    let (levels, tiles) = tiles_of(&nodes);
    let rows = database.query(TILES, &[&levels, &tiles]).await?;
    let nodes = nodes_in(&rows, &nodes)?.unwrap_or_default();
    Ok(check_growth(record.head, log, &nodes).err())
}
