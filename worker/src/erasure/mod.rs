//! Recognizes what names an erased person in call logs and dead letters, whether it is kept already or arrives later.
//!
//! The log forgets the names of an erased user in the transaction of the erasure (`erase_user`). They wait in `erased_users` until the worker has hashed
//! them ([`settle`]), before the erasure is answered; from then on only keyed hashes of the folded names are kept (`erased_names`).
//!
//! No record slips through between an erasure and its hashes: records are checked and kept under a shared lock ([`BESIDE`]), and the hashes are written under
//! the same lock, alone ([`ALONE`]). Records that were kept before are swept after it; records that come after it meet the hashes.

mod known;
mod mentions;
mod sweep;

pub(crate) use known::{CUT_CHARS, CallTexts, Reading, Verdict, is_letter_named, judge, newest_erasures};
pub(crate) use sweep::{keep_settling, settle};

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::database::{Database, TaskError};
use crate::store::Store;

/// Taken by whoever checks records and keeps them, until the end of the transaction.
pub(crate) const BESIDE: &str = "SELECT pg_advisory_xact_lock_shared(hashtext('rollcall_dead'))";
/// Taken by whoever writes the hashes of names, until the end of the transaction.
const ALONE: &str = "SELECT pg_advisory_xact_lock(hashtext('rollcall_dead'))";

/// A connection that runs statements: that of a partition, or that of a background task.
pub(crate) trait Run: Sync {
    /// Runs a query.
    fn run(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> impl Future<Output = Result<Vec<Row>, TaskError>> + Send;
    /// Runs a statement without parameters.
    fn command(&self, sql: &str) -> impl Future<Output = Result<(), TaskError>> + Send;
}

impl Run for Store {
    async fn run(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, TaskError> {
        Ok(self.query_once(sql, parameters).await?)
    }

    async fn command(&self, sql: &str) -> Result<(), TaskError> {
        Ok(Self::command(self, sql).await?)
    }
}

impl Run for Database {
    async fn run(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, TaskError> {
        self.query(sql, parameters).await
    }

    async fn command(&self, sql: &str) -> Result<(), TaskError> {
        self.batch(sql).await
    }
}
