//! A log entry in the export. It contains everything to check it without the database.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Hash, Header, NotCanonical, Part, Salt, canonical};

/// A log entry. A part and its salt are `None` if they were erased. The hashes still verify.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry<P = Value, A = Value> {
    /// The actor's details.
    pub actor: Option<A>,
    /// The salt of the commitment to the actor's details.
    pub actor_salt: Option<Salt>,
    /// The header, which is hashed into the leaf.
    pub header: Header,
    /// The leaf, as the log stores it.
    pub leaf: Hash,
    /// The facts.
    pub payload: Option<P>,
    /// The salt of the commitment to the payload.
    pub payload_salt: Option<Salt>,
}

/// Why an entry does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// A part does not match the commitment in the header.
    #[error("the {0} does not match its commitment")]
    Part(Part),
    /// The leaf does not match the header.
    #[error("the header does not match the leaf")]
    Leaf,
    /// The entry has a part without its salt, or a salt without its part.
    #[error("the {0} without its salt, or the salt without the {0}")]
    Half(Part),
}

impl<P, A> Entry<P, A> {
    /// The parts that are missing.
    pub fn missing(&self) -> impl Iterator<Item = Part> {
        let payload = self.payload.is_none().then_some(Part::Payload);
        payload.into_iter().chain(self.actor.is_none().then_some(Part::Actor))
    }
}

impl Entry {
    /// Recomputes commitments and leaf. Returns the leaf that the entry must have in the tree.
    ///
    /// A missing part passes this check. Whether an erasure was recorded for it, only the rest of the log
    /// shows: see [`Erasures`](crate::erasure::Erasures).
    ///
    /// # Errors
    /// If the entry cannot be hashed at all. `Ok(Err(_))` says what does not match.
    pub fn check(&self) -> Result<Result<Hash, Mismatch>, NotCanonical> {
        let parts = [
            (Part::Payload, &self.payload, self.payload_salt, self.header.payload_commitment),
            (Part::Actor, &self.actor, self.actor_salt, self.header.actor_commitment),
        ];
        for (part, value, salt, expected) in parts {
            match (value, salt) {
                (None, None) => {}
                (Some(value), Some(salt)) if part.commitment(salt, &canonical(value)?) == expected => {}
                (Some(_), Some(_)) => return Ok(Err(Mismatch::Part(part))),
                _ => return Ok(Err(Mismatch::Half(part))),
            }
        }
        let leaf = self.header.leaf()?;
        Ok(if leaf == self.leaf { Ok(leaf) } else { Err(Mismatch::Leaf) })
    }
}
