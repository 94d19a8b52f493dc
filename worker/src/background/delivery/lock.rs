//! The locks that make one worker deliver at a time.

use crate::db::{Database, TaskError};

/// An advisory lock ends with its connection, so another worker takes over when this one ends, however it
/// ends.
const LOCK: &str = "SELECT pg_try_advisory_lock(hashtext($1)) AS is_locked";

/// Tries to take a lock for as long as the connection lasts. Returns whether this connection has it.
///
/// # Errors
/// If Postgres fails.
pub(in crate::background) async fn try_lock(database: &Database, name: &str) -> Result<bool, TaskError> {
    let row = database.query_opt(LOCK, &[&name]).await?;
    Ok(row.map(|row| row.try_get("is_locked")).transpose()?.unwrap_or_default())
}
