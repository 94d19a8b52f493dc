//! Cosignatures: statements of witnesses that a checkpoint continues the log that they know (C2SP
//! `tlog-cosignature`, Ed25519).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use signed_note::{Verifier, is_key_name_valid, key_id};

/// The signature type of Ed25519 cosignatures.
const ED25519: u8 = 4;
/// The signature type of ML-DSA-44 cosignatures.
const ML_DSA_44: u8 = 6;
/// The largest timestamp: 2^63 - 1.
const MAX_TIME: u64 = i64::MAX.unsigned_abs();

/// The public key of a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessKey {
    name: String,
    id: u32,
    key: VerifyingKey,
}

/// Why a text is not the public key of a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWitnessKey {
    /// The text is not a `vkey` (C2SP `signed-note`), or its key id is wrong.
    #[error("it is not a public key (vkey), or its id is wrong")]
    Malformed,
    /// The key is for ML-DSA-44 cosignatures.
    #[error("ML-DSA-44 keys are not supported yet; use the witness's Ed25519 key")]
    Unsupported,
    /// The key is for other signatures, such as those of logs.
    #[error("it is not for cosignatures (its type is {0:#04x}, not 0x04)")]
    OtherType(u8),
}

/// A verified cosignature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// The line in the note, with its newline.
    pub line: String,
    /// When the witness made it, in seconds since 1970 in UTC.
    pub time: u64,
}

/// Splits a `vkey` into its name, its id, its signature type and its key.
pub(super) fn vkey(text: &str) -> Option<(&str, u32, u8, Vec<u8>)> {
    let (name, rest) = text.split_once('+')?;
    let (id, encoded) = rest.split_once('+')?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let is_hexadecimal = id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = u32::from_str_radix(id, 16).ok().filter(|_| is_hexadecimal)?;
    let (&kind, key) = bytes.split_first()?;
    (is_key_name_valid(name) && id == key_id(name, &bytes)).then(|| (name, id, kind, key.to_vec()))
}

impl WitnessKey {
    /// Reads a `vkey` of type 0x04.
    ///
    /// # Errors
    /// If the text is not such a key.
    pub fn read(text: &str) -> Result<Self, InvalidWitnessKey> {
        let (name, id, kind, key) = vkey(text).ok_or(InvalidWitnessKey::Malformed)?;
        match kind {
            ED25519 => {}
            ML_DSA_44 => return Err(InvalidWitnessKey::Unsupported),
            other => return Err(InvalidWitnessKey::OtherType(other)),
        }
        let key: [u8; 32] = key.try_into().map_err(|_| InvalidWitnessKey::Malformed)?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| InvalidWitnessKey::Malformed)?;
        Ok(Self { name: name.to_owned(), id, key })
    }

    /// The name of the witness in its signature lines.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the key in its signature lines.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The bytes of the public key.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Verifies a cosignature of a checkpoint's text: a timestamp of 8 bytes and an Ed25519 signature. Returns the
    /// timestamp; `None` if the cosignature is not valid. A cosignature of a checkpoint must have a timestamp.
    pub fn time_of(&self, text: &[u8], cosignature: &[u8]) -> Option<u64> {
        let (time, signature) = cosignature.split_first_chunk::<8>()?;
        let (time, signature) = (u64::from_be_bytes(*time), Signature::from_slice(signature).ok()?);
        let mut message = format!("cosignature/v1\ntime {time}\n").into_bytes();
        message.extend(text);
        let is_valid = (1..=MAX_TIME).contains(&time) && self.key.verify_strict(&message, &signature).is_ok();
        is_valid.then_some(time)
    }
}

impl Verifier for WitnessKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, text: &[u8], cosignature: &[u8]) -> bool {
        self.time_of(text, cosignature).is_some()
    }
}
