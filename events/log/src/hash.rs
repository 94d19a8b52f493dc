//! Hashes, and the commitments that hide a payload behind a salt.

use serde::{Deserialize, Serialize};
use std::fmt;

const PAYLOAD_CONTEXT: &str = "rollcall 2026 payload";

/// A BLAKE3 hash of 32 bytes, written in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Hash(pub(super) [u8; 32]);

/// The 16 random bytes that keep a payload from being guessed from its commitment. They are erased together
/// with the payload. Written in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Salt([u8; 16]);

impl Hash {
    /// The bytes, as the database stores them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads the bytes back; `None` if there are not exactly 32.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().map(Self).ok()
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

/// The commitment to a payload: `H("rollcall 2026 payload", salt ‖ JCS(payload))`. The payload is given in
/// canonical form (RFC 8785).
pub fn commitment(salt: Salt, canonical_payload: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key(PAYLOAD_CONTEXT);
    hasher.update(&salt.0).update(canonical_payload);
    Hash(hasher.finalize().into())
}

/// Hides the salt, because it is as secret as the payload.
impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt")
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
