//! Hashes, and the commitments that hide a part of an entry behind a salt.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A hash of 32 bytes, written in lower-case hexadecimal: SHA-256 in the tree, BLAKE3 in a commitment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Hash(pub(super) [u8; 32]);

/// The 16 random bytes that keep a part from being guessed from its commitment. They are erased together with
/// the part. Written in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Salt([u8; 16]);

impl Hash {
    /// The leaf of an entry in the tree: `SHA-256(0x00 ‖ entry)` (RFC 6962 section 2.1).
    pub fn of_entry(entry: &[u8]) -> Self {
        tlog_tiles::record_hash(entry).into()
    }

    /// The bytes, as the database stores them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads the bytes back; `None` if there are not exactly 32.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().map(Self).ok()
    }

    /// The first 16 hexadecimal digits. They tell the leaf of an entry from that of a lost entry with the same seq.
    pub fn short(&self) -> String {
        format!("{:.16}", self.to_string())
    }
}

impl Salt {
    /// Generates `count` salts from the operating system's randomness, in one call.
    ///
    /// # Errors
    /// If the operating system's randomness fails.
    pub fn generate(count: usize) -> Result<Vec<Self>, getrandom::Error> {
        let mut salts = vec![[0; 16]; count];
        getrandom::fill(salts.as_flattened_mut())?;
        Ok(salts.into_iter().map(Self).collect())
    }

    /// The bytes, as the database stores them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads the bytes back; `None` if there are not exactly 16.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().map(Self).ok()
    }
}

/// A part of an entry that the header only commits to, so that it can be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The facts.
    Payload,
    /// The details of the actor.
    Actor,
}

impl Part {
    /// The BLAKE3 context of commitments to this part.
    fn context(self) -> &'static str {
        match self {
            Self::Payload => "rollcall 2026 payload",
            Self::Actor => "rollcall 2026 actor",
        }
    }

    /// The commitment to a value of this part: `BLAKE3 derive_key(context, salt ‖ JCS(value))`. The value is
    /// given in canonical form (RFC 8785).
    pub fn commitment(self, salt: Salt, canonical: &[u8]) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key(self.context());
        hasher.update(&salt.0).update(canonical);
        Hash(hasher.finalize().into())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Payload => "payload",
            Self::Actor => "actor",
        })
    }
}

/// Hides the salt, because it is as secret as the part.
impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt")
    }
}

impl From<Hash> for tlog_tiles::Hash {
    fn from(hash: Hash) -> Self {
        Self(hash.0)
    }
}

impl From<tlog_tiles::Hash> for Hash {
    fn from(hash: tlog_tiles::Hash) -> Self {
        Self(hash.0)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        blake3::Hash::from_bytes(self.0).to_hex().fmt(f)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Salt> for String {
    fn from(salt: Salt) -> Self {
        format!("{:032x}", u128::from_be_bytes(salt.0))
    }
}

impl TryFrom<String> for Salt {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let is_salt = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = u128::from_str_radix(&text, 16).ok().filter(|_| is_salt);
        number.map(|number| Self(number.to_be_bytes())).ok_or("a salt is 32 hexadecimal digits")
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for Hash {
    type Error = blake3::HexError;

    fn try_from(text: String) -> Result<Self, blake3::HexError> {
        blake3::Hash::from_hex(text).map(|hash| Self(hash.into()))
    }
}
