//! The signer file: the last signed tree head of each log, in a file outside the database. With it, the
//! worker refuses a database that was restored from an old backup, failed over to a lagging standby, truncated,
//! or rewritten.
//!
//! - [`file`] is the file: its format, its lock, and durable writes.
//! - [`compare`] decides whether a log extends the signed tree head. It knows logs by size and root only.
//! - [`review`] reads the logs of the organizations and compares them.
//! - [`signed_logs`] tells the partitions, so that they append to no refused log.
//!
//! The file names a log by its origin, so it can hold any log that a checkpoint can be signed for.

mod compare;
mod file;
mod format;
mod nodes;
mod review;
mod signed_logs;
mod signing;

pub(crate) use compare::{Refusal, check_growth, compare};
pub(crate) use file::{LockedFile, SignerFile, SignerFileError};
pub(crate) use format::{Record, Records};
pub(crate) use review::{Page, ReviewedLog, flag, review, review_absent};
pub(crate) use signed_logs::{Guard, SignedLogs};
pub(crate) use signing::Signing;
