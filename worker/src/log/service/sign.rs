//! Signs checkpoints of the service log.

use rollcall_events::Timestamp;
use rollcall_events::log::checkpoint::{Checkpoint, SigningKeys};

use super::guard::Guard;
use crate::db::{Database, TaskError, seq_column};

const SIGNED_SIZE: &str = "SELECT COALESCE(max(size), 0) AS size FROM service_checkpoints";
/// Deletes the checkpoints of logs with another origin than $1, and their cosignatures.
const DELETE_OTHERS: &str = "DELETE FROM service_checkpoints WHERE split_part(note, E'\\n', 1) <> $1";
const FORGET_COSIGNED: &str = "UPDATE service_witnesses SET size = 0";
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

/// Deletes checkpoints from before the log got its present name. They would be taken for checkpoints of this log.
pub(super) async fn forget_other_names(database: &Database, origin: &str) -> Result<(), TaskError> {
    let deleted = database.execute(DELETE_OTHERS, &[&origin]).await?;
    if deleted > 0 {
        tracing::warn!(
            origin,
            deleted,
            "the service log has a new name; the checkpoints under the old one are deleted"
        );
        database.execute(FORGET_COSIGNED, &[]).await?;
    }
    Ok(())
}

/// Signs the log if it has grown. Only entries that are committed are signed, so a failed transaction leaves no
/// signature behind; and the signer file knows of a signature before anybody can see it.
pub(super) async fn sign(
    database: &Database,
    origin: &str,
    keys: &SigningKeys,
    guard: &Guard<'_>,
) -> Result<(), TaskError> {
    let Some(permit) = guard.permit(database).await? else { return Ok(()) };
    let signed = database.query_opt(SIGNED_SIZE, &[]).await?.map(|row| row.try_get::<_, i64>("size")).transpose()?;
    let size = permit.log().size();
    if size <= signed.unwrap_or_default().unsigned_abs() {
        return if size == 0 { Ok(()) } else { Ok(permit.remember(origin)?) };
    }
    let checkpoint = Checkpoint { origin: origin.to_owned(), size, root: permit.log().root() };
    let note = keys.sign(&checkpoint)?;
    permit.remember(origin)?;
    database.execute(INSERT, &[&seq_column(size), &Timestamp::now(), &note]).await?;
    Ok(())
}

/// The newest checkpoint, if there is one.
pub(super) async fn newest(database: &Database) -> Result<Option<SignedCheckpoint>, TaskError> {
    let Some(row) = database.query_opt(NEWEST, &[]).await? else { return Ok(None) };
    let note: String = row.try_get("note")?;
    let checkpoint = Checkpoint::parse(note.as_bytes())?;
    Ok(Some(SignedCheckpoint { checkpoint, note }))
}
