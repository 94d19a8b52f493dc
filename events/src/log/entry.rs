//! A log entry as it is exported: all that is needed to check it without the database that it came from.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Hash, Header, NotCanonical, Salt, canonical, commitment};

/// An entry. Payload and salt are missing once the person that they are about was erased; the hashes hold all the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry<P = Value> {
    /// What is hashed into the leaf.
    pub header: Header,
    /// The leaf, as the log has it.
    pub leaf: Hash,
    /// The facts.
    pub payload: Option<P>,
    /// What the payload's commitment is salted with.
    pub salt: Option<Salt>,
}

/// What of an entry does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The payload is not the one that the header commits to.
    #[error("the payload is not the one that was committed to")]
    Payload,
    /// The leaf is not that of the header.
    #[error("the header is not the one that was hashed into the leaf")]
    Leaf,
    /// Only one of payload and salt is there.
    #[error("a payload without its salt, or a salt without its payload")]
    Half,
}

impl Entry {
    /// Recomputes commitment and leaf; answers the leaf that the entry must have in the tree.
    ///
    /// # Errors
    /// Where something cannot be hashed at all; `Ok(Err)` says what does not hold.
    pub fn check(&self) -> Result<Result<Hash, Mismatch>, NotCanonical> {
        match (&self.payload, self.salt) {
            (None, None) => {}
            (Some(payload), Some(salt)) if commitment(salt, &canonical(payload)?) == self.header.commitment => {}
            (Some(_), Some(_)) => return Ok(Err(Mismatch::Payload)),
            _ => return Ok(Err(Mismatch::Half)),
        }
        let leaf = self.header.leaf()?;
        Ok(if leaf == self.leaf { Ok(leaf) } else { Err(Mismatch::Leaf) })
    }
}
