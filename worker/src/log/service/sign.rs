//! Signs checkpoints of the service log.

use rollcall_events::Timestamp;
use rollcall_events::log::CompactRange;
use rollcall_events::log::checkpoint::{Checkpoint, SigningKeys};

use crate::db::{Database, StoreError, TaskError, seq_column};

/// The head, if it is larger than the last checkpoint.
const UNSIGNED: &str = "
    SELECT size, peaks FROM service_head
    WHERE size > COALESCE((SELECT max(size) FROM service_checkpoints), 0)";
const INSERT: &str = "
    INSERT INTO service_checkpoints (size, signed_at, note) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
const NEWEST: &str = "SELECT note FROM service_checkpoints ORDER BY size DESC LIMIT 1";

/// A signed checkpoint of the service log.
#[derive(Debug, Clone)]
pub(super) struct SignedCheckpoint {
    pub(super) checkpoint: Checkpoint,
    /// The note, without cosignatures.
    pub(super) note: String,
}

/// Signs the log if it has grown, and returns its newest checkpoint. Only entries that are committed are signed, so
/// a failed transaction leaves no signature behind.
pub(super) async fn newest(
    database: &Database,
    origin: &str,
    keys: &SigningKeys,
) -> Result<Option<SignedCheckpoint>, TaskError> {
    if let Some(head) = database.query_opt(UNSIGNED, &[]).await? {
        let (size, peaks): (i64, Vec<Vec<u8>>) = (head.try_get("size")?, head.try_get("peaks")?);
        let log = CompactRange::from_parts(size.unsigned_abs(), &peaks).map_err(StoreError::from)?;
        let checkpoint = Checkpoint { origin: origin.to_owned(), size: log.size(), root: log.root() };
        let note = keys.sign(&checkpoint)?;
        database.execute(INSERT, &[&seq_column(log.size()), &Timestamp::now(), &note]).await?;
    }
    let Some(row) = database.query_opt(NEWEST, &[]).await? else { return Ok(None) };
    let note: String = row.try_get("note")?;
    let checkpoint = Checkpoint::parse(note.as_bytes())?;
    Ok(Some(SignedCheckpoint { checkpoint, note }))
}
