//! The secret of an organization's log, from which the keys of its entries in the service log are derived.

use std::fmt;

use super::entry::Opening;
use crate::Hash;
use crate::checkpoint::Checkpoint;

/// The BLAKE3 context of a secret's hash.
const HASH: &str = "rollcall 2026 log secret";

/// The 32 random bytes that keep outsiders from linking the entries of an organization. Its auditors may know
/// them.
#[derive(Clone, PartialEq, Eq)]
pub struct LogSecret([u8; 32]);

impl LogSecret {
    /// Generates a secret from the operating system's randomness.
    ///
    /// # Errors
    /// If the operating system's randomness fails.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes, as the database stores them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads the bytes back; `None` if there are not exactly 32.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().map(Self).ok()
    }

    /// The secret in lower-case hexadecimal, for auditors of the organization.
    pub fn reveal(&self) -> String {
        Hash(self.0).to_string()
    }

    /// Reads 64 hexadecimal digits back.
    pub fn from_hex(text: &str) -> Option<Self> {
        Hash::try_from(text.to_owned()).ok().map(|hash| Self(hash.0))
    }

    /// The hash of the secret. Every opened entry names it, so two secrets for one log cannot be hidden from
    /// people who compare their proofs.
    pub fn hash(&self) -> Hash {
        Hash(blake3::derive_key(HASH, &self.0))
    }

    /// The key of entry `index`. It says nothing about the secret or about other entries.
    pub fn entry_key(&self, index: u64) -> Hash {
        Hash(blake3::keyed_hash(&self.0, &index.to_be_bytes()).into())
    }

    /// Opens entry `index`: it is the commitment to this checkpoint.
    pub fn open(&self, index: u64, checkpoint: &Checkpoint) -> Opening {
        let Checkpoint { origin, root, size } = checkpoint.clone();
        Opening { key: self.entry_key(index), origin, root, secret_hash: self.hash(), size }
    }
}

/// Hides the secret.
impl fmt::Debug for LogSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogSecret")
    }
}
