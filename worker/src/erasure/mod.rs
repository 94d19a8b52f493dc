//! Finds records that name an erased person, in the call log and among the dead letters, both stored and new
//! ones.
//!
//! The transaction of an erasure removes the names from the log (`erase_user`) and stores them in
//! `erased_users`. The worker then hashes them ([`complete`]) before it answers the erasure. From then on,
//! only keyed hashes of the casefolded names are stored (`erased_names`).
//!
//! No record escapes between an erasure and its hashes: a record is checked and stored under a shared lock
//! ([`BESIDE`]), and the hashes are written under the exclusive lock ([`ALONE`]). Records that were stored
//! before are swept afterwards. Records that are stored later are compared with the hashes.

mod forget;
mod known;
mod mentions;
mod sweep;

pub(crate) use forget::forget;
pub(crate) use known::{CUT_CHARS, CallTexts, RecordMentions, Verdict, judge, names_erased_person, newest_erasures};
pub(crate) use sweep::{complete, finish_erasures};

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::db::Store;
use crate::db::{Database, TaskError};

/// The shared lock for checking and storing records, until the end of the transaction.
pub(crate) const BESIDE: &str = "SELECT pg_advisory_xact_lock_shared(hashtext('rollcall_dead'))";
/// The exclusive lock for writing the hashes of names, until the end of the transaction.
const ALONE: &str = "SELECT pg_advisory_xact_lock(hashtext('rollcall_dead'))";

/// A connection that runs statements: that of a partition or of a background task.
pub(crate) trait Run: Sync {
    /// Runs a query.
    fn run(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<Vec<Row>, TaskError>> + Send;
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
