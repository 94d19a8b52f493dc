//! The format of the log: its entries, their hashes, and the tree of the hashes.
//!
//! `docs/log-format.md` defines every byte. The format cannot change once there is data, so tests fix all of
//! it: canonical JSON (RFC 8785), salted commitments to the payload and to the actor's details (BLAKE3), and
//! the tree of RFC 6962 (SHA-256) over the headers, which C2SP `tlog-checkpoint` and `tlog-tiles` require.
//!
//! The crate is pure: it needs neither the queue nor the database, so an offline verifier links neither. With
//! the feature `postgres`, ids and times can be parameters and columns of Postgres.

#![cfg_attr(test, allow(clippy::needless_pass_by_value, reason = "tests pass literals"))]

pub mod actor;
mod bundle;
mod canonical;
pub mod checkpoint;
mod entry;
pub mod erasure;
pub mod evidence;
#[cfg(test)]
mod example;
mod hash;
mod header;
pub mod ids;
pub mod log_key;
mod names;
mod node_hash;
pub mod proof;
mod restore;
pub mod service_log;
pub mod state;
pub mod tile;
pub mod tile_path;
pub mod time;
#[cfg(feature = "postgres")]
mod time_sql;
pub mod tlog_proof;
mod tree;
pub mod witness;

pub use bundle::{EntryTooLong, bundle};
pub use canonical::{NotCanonical, canonical};
pub use entry::{Entry, Mismatch};
pub use hash::{Hash, Part, Salt};
pub use header::{ErrorCode, EventType, Header, OutcomeKind, SubjectType};
pub use ids::{EventId, OrganizationId, SessionId, TokenId};
pub use restore::{InvalidRestore, Restore};
pub use time::Timestamp;
pub use tree::{CompactRange, InvalidRange, TreeHead};
