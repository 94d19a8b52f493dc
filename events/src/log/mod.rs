//! The hashes of the log: what is hashed, and how the hashes form a tree.
//!
//! The format cannot change once there is data, so tests fix all of it: canonical JSON (RFC 8785), a salted
//! commitment to the payload, a leaf over the header, and a tree in the shape of RFC 9162. Each kind of hash
//! has its own BLAKE3 context, so that a hash of one kind is never valid as another.

mod canonical;
pub mod checkpoint;
mod entry;
mod hash;
mod header;
mod node_hash;
pub mod proof;
pub mod tile;
mod tree;

pub use canonical::{NotCanonical, canonical};
pub use entry::{Entry, Mismatch};
pub use hash::{Hash, Salt, commitment};
pub use header::{EventType, Header, OutcomeKind, SubjectType};
pub use node_hash::root_of;
pub use tree::{CompactRange, InvalidRange};
