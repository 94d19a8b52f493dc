//! The format of the log: its entries, their hashes, and the tree of the hashes.
//!
//! The format cannot change once there is data, so tests fix all of it: canonical JSON (RFC 8785), a salted
//! commitment to the payload, a leaf over the header, and a tree in the shape of RFC 9162. Each kind of hash
//! has its own BLAKE3 context, so that a hash of one kind is never valid as another.
//!
//! The crate is pure: it needs neither the queue nor the database, so an offline verifier links neither. With
//! the feature `postgres`, ids and times can be parameters and columns of Postgres.

#![cfg_attr(test, allow(clippy::needless_pass_by_value, reason = "tests pass literals"))]

pub mod actor;
mod canonical;
pub mod checkpoint;
mod entry;
mod hash;
mod header;
pub mod ids;
mod node_hash;
pub mod proof;
pub mod tile;
pub mod time;
#[cfg(feature = "postgres")]
mod time_sql;
mod tree;

pub use canonical::{NotCanonical, canonical};
pub use entry::{Entry, Mismatch};
pub use hash::{Hash, Salt, commitment};
pub use header::{EventType, Header, OutcomeKind, SubjectType};
pub use ids::{EventId, OrganizationId, TokenId};
pub use node_hash::root_of;
pub use time::Timestamp;
pub use tree::{CompactRange, InvalidRange};
