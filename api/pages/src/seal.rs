//! Seals: keyed hashes in cookies and forms, which show that Rollcall made the value.

use secrecy::{ExposeSecret, SecretString};

const KEY_CONTEXT: &str = "rollcall 2026 session key";

/// The key of the seals.
pub struct Seal([u8; 32]);

impl Seal {
    /// Derives the key from the setting `session_key`. If the setting is empty, the key is random and lasts
    /// as long as the process.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn new(setting: &SecretString) -> Result<Self, getrandom::Error> {
        if !setting.expose_secret().is_empty() {
            return Ok(Self(blake3::derive_key(KEY_CONTEXT, setting.expose_secret().as_bytes())));
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self(key))
    }

    /// The seal of a text for a purpose. The purpose is one word, so that no two purposes can share a seal.
    pub(super) fn on(&self, purpose: &str, text: &str) -> String {
        blake3::keyed_hash(&self.0, format!("{purpose} {text}").as_bytes()).to_hex().to_string()
    }
}
