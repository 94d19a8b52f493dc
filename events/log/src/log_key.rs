//! A signer's key under the name of a log.
//!
//! C2SP `tlog-checkpoint` asks that a key has the name of the log's origin, and `tlog-policy` requires it. The
//! signer's keys have the signer's name. The service log is signed with the same keys under its own origin. A
//! key's name is not part of what it signs, but the origin is, so no signature fits two logs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use secrecy::{ExposeSecret, SecretString};
use signed_note::{is_key_name_valid, key_id, new_ed25519_verifier_key};

use crate::checkpoint::InvalidKey;

/// The signature type of a note's Ed25519 signatures (C2SP `signed-note`).
const ED25519: u8 = 1;

/// A key pair in the name of a log.
pub struct LogKey {
    /// The private key.
    pub private: SecretString,
    /// The public key (`vkey`), for witnesses and policies.
    pub public: String,
}

/// A private key in the name of a log, with its public key.
///
/// # Errors
/// If the text is not a private key, or the name cannot be a key's name. The error does not contain the key.
pub fn in_the_name_of(private: &SecretString, name: &str) -> Result<LogKey, InvalidKey> {
    let malformed = || InvalidKey("a private key is PRIVATE+KEY+name+id+key".to_owned());
    let text = private.expose_secret().trim();
    let encoded =
        text.strip_prefix("PRIVATE+KEY+").and_then(|rest| rest.splitn(3, '+').nth(2)).ok_or_else(malformed)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| malformed())?;
    let seed = bytes.strip_prefix(&[ED25519]).and_then(|seed| seed.try_into().ok()).ok_or_else(malformed)?;
    if !is_key_name_valid(name) {
        return Err(InvalidKey(format!("{name:?} cannot be the name of a key: it has spaces or plus signs")));
    }
    let public = SigningKey::from_bytes(seed).verifying_key();
    let id = key_id(name, &[&[ED25519], public.as_bytes().as_slice()].concat());
    let private = format!("PRIVATE+KEY+{name}+{id:08x}+{encoded}").into();
    Ok(LogKey { private, public: new_ed25519_verifier_key(name, &public) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hash;
    use crate::checkpoint::{Checkpoint, SigningKeys, VerifyingKeys, generate_key};

    #[test]
    fn a_renamed_key_signs_in_the_name_of_the_log_only() {
        let (private, public) = generate_key("log.example.com").unwrap();
        let renamed = in_the_name_of(&private, "log.example.com/log").unwrap();
        assert!(renamed.public.starts_with("log.example.com/log+"), "{}", renamed.public);
        let checkpoint = Checkpoint { origin: "log.example.com/log".to_owned(), size: 3, root: Hash([7; 32]) };
        let note = SigningKeys::read(&[renamed.private]).unwrap().sign(&checkpoint).unwrap();
        let open = |key: &str| Checkpoint::open(note.as_bytes(), &VerifyingKeys::read(&[key]).unwrap());
        assert_eq!(open(&renamed.public).unwrap(), checkpoint);
        assert!(open(&public).is_err(), "the key has another name");
        assert!(in_the_name_of(&private, "log example").is_err());
        assert!(in_the_name_of(&"PRIVATE+KEY+x+1+AQ==".into(), "log").is_err());
    }
}
