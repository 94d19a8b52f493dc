//! The log's hashes: what is hashed, and how the hashes make a tree.
//!
//! The format cannot change once there is data, so everything here is fixed by tests: canonical JSON (RFC 8785), a salted commitment
//! to the payload, a leaf over the header, and a tree in the shape of RFC 9162. Each kind of hash has a BLAKE3 context of its own, so that
//! no value can stand for another.

mod canonical;
pub mod checkpoint;
mod entry;
mod hash;
mod header;
pub mod proof;
pub mod tile;
mod tree;

pub use canonical::{NotCanonical, canonical};
pub use entry::{Entry, Mismatch};
pub use hash::{Hash, Salt, commitment};
pub use header::{EventType, Header, OutcomeKind, SubjectType};
pub use tree::{CompactRange, InvalidRange};
