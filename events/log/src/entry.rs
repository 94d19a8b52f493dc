//! A log entry in the export. It contains everything to check it without the database.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Hash, Header, NotCanonical, Salt, canonical, commitment};

/// A log entry. Payload and salt are missing if the person that they are about was erased. The hashes still
/// verify.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry<P = Value> {
    /// The header, which is hashed into the leaf.
    pub header: Header,
    /// The leaf, as the log stores it.
    pub leaf: Hash,
    /// The facts; `None` if they were erased.
    pub payload: Option<P>,
    /// The salt of the payload's commitment; `None` if it was erased.
    pub salt: Option<Salt>,
}

/// Why an entry does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The payload does not match the commitment in the header.
    #[error("the payload is not the one that was committed to")]
    Payload,
    /// The leaf does not match the header.
    #[error("the header is not the one that was hashed into the leaf")]
    Leaf,
    /// The entry has a payload without a salt, or a salt without a payload.
    #[error("a payload without its salt, or a salt without its payload")]
    Half,
}

impl Entry {
    /// Recomputes commitment and leaf. Returns the leaf that the entry must have in the tree.
    ///
    /// # Errors
    /// If the entry cannot be hashed at all. `Ok(Err(_))` says what does not match.
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
