//! Checkpoints: signed statements of the size and root of a log (C2SP `tlog-checkpoint`, Ed25519).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use signed_note::{Note, Signer, StandardSigner, StandardVerifier, Verifier, VerifierList};
use std::fmt;

use super::Hash;
use crate::OrganizationId;

/// The size and root of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log: the signer's name, a slash, and the organization's id, or the name of the service log.
    pub origin: String,
    /// The number of entries.
    pub size: u64,
    /// The root of the Merkle tree.
    pub root: Hash,
}

/// Why a checkpoint cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCheckpoint {
    /// The text is not a checkpoint.
    #[error("this is not a checkpoint: {0}")]
    Malformed(&'static str),
    /// No known key has signed the checkpoint, or a signature is wrong.
    #[error("the checkpoint's signature: {0}")]
    Signature(#[from] signed_note::NoteError),
}

/// The text is not a key.
#[derive(Debug, thiserror::Error)]
#[error("not a key: {0}")]
pub struct InvalidKey(pub(crate) String);

/// The keys that sign checkpoints. During a key rotation, the old and the new key both sign.
pub struct SigningKeys {
    keys: Vec<StandardSigner>,
}

/// The public keys that checkpoints are checked with.
pub struct VerifyingKeys(VerifierList);

/// Whether an origin names an organization's log, in the name of any signer.
pub fn is_origin_of(origin: &str, organization: OrganizationId) -> bool {
    origin.rsplit_once('/').is_some_and(|(_, id)| id == organization.to_string())
}

impl Checkpoint {
    /// A checkpoint in the name of a signer.
    pub fn new(signer: &str, organization: OrganizationId, size: u64, root: Hash) -> Self {
        Self { origin: format!("{signer}/{organization}"), size, root }
    }

    /// Whether this is a checkpoint of an organization's log.
    pub fn is_of(&self, organization: OrganizationId) -> bool {
        is_origin_of(&self.origin, organization)
    }

    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, root_line(self.root))
    }

    /// Parses a signed checkpoint and checks its signatures.
    ///
    /// # Errors
    /// If the note is not a checkpoint, or none of the keys has signed it.
    pub fn open(note: &[u8], keys: &VerifyingKeys) -> Result<Self, InvalidCheckpoint> {
        let note = Note::from_bytes(note)?;
        note.verify(&keys.0)?;
        Self::parse(note.text())
    }

    /// Parses the text of a checkpoint, or a whole note, without checking signatures.
    ///
    /// # Errors
    /// If the first three lines are not those of a checkpoint.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidCheckpoint> {
        let text = std::str::from_utf8(text).map_err(|_| InvalidCheckpoint::Malformed("it is not text"))?;
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(InvalidCheckpoint::Malformed("it has fewer than three lines"));
        };
        let parsed: u64 = size.parse().map_err(|_| InvalidCheckpoint::Malformed("its size is not a number"))?;
        if origin.is_empty() || parsed.to_string() != size {
            return Err(InvalidCheckpoint::Malformed("its origin or its size is malformed"));
        }
        Ok(Self { origin: origin.to_owned(), size: parsed, root: read_root_line(root)? })
    }
}

impl SigningKeys {
    /// Reads private keys. The signer's name is the name of the first key.
    ///
    /// # Errors
    /// If a text is not a private key. The error does not contain the text.
    pub fn read(keys: &[SecretString]) -> Result<Self, InvalidKey> {
        let read = |key: &SecretString| {
            StandardSigner::new(key.expose_secret().trim()).map_err(|error| InvalidKey(error.to_string()))
        };
        Ok(Self { keys: keys.iter().map(read).collect::<Result<_, _>>()? })
    }

    /// The signer's name, which comes before the organization in an origin; `None` if there is no key.
    pub fn name(&self) -> Option<&str> {
        self.keys.first().map(Signer::name)
    }

    /// Signs a checkpoint with every key.
    ///
    /// # Errors
    /// If signing fails.
    pub fn sign(&self, checkpoint: &Checkpoint) -> Result<String, InvalidCheckpoint> {
        let mut note = Note::new(checkpoint.text().as_bytes(), &[])?;
        note.add_sigs(&self.keys.iter().map(|key| key as &dyn Signer).collect::<Vec<_>>())?;
        String::from_utf8(note.to_bytes()).map_err(|_| InvalidCheckpoint::Malformed("it is not text"))
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(Signer::name)).finish()
    }
}

impl VerifyingKeys {
    /// Reads public keys, as `rollcall-worker key generate` prints them.
    ///
    /// # Errors
    /// If a text is not a public key. The error names it.
    pub fn read<T: AsRef<str>>(keys: &[T]) -> Result<Self, InvalidKey> {
        let read = |key: &T| {
            let key = key.as_ref().trim();
            StandardVerifier::new(key)
                .map(|key| Box::new(key) as Box<dyn Verifier>)
                .map_err(|error| InvalidKey(format!("{key}: {error}")))
        };
        Ok(Self(VerifierList::new(keys.iter().map(read).collect::<Result<_, _>>()?)))
    }
}

/// Writes a root as the third line of a checkpoint.
pub fn root_line(root: Hash) -> String {
    STANDARD.encode(root.as_bytes())
}

/// Reads the third line of a checkpoint.
///
/// # Errors
/// If it is not the root of a tree.
pub fn read_root_line(line: &str) -> Result<Hash, InvalidCheckpoint> {
    let root = STANDARD.decode(line).ok().and_then(|root| Hash::from_bytes(&root));
    root.ok_or(InvalidCheckpoint::Malformed("its root is not a hash"))
}

/// Generates a key pair in the name of a signer: the private key and the public key.
///
/// # Errors
/// If the name is not valid. A signer's name has no spaces and no plus signs.
pub fn generate_key(name: &str) -> Result<(SecretString, String), InvalidKey> {
    if !signed_note::is_key_name_valid(name) {
        return Err(InvalidKey("a signer's name is like log.example.com, without spaces and plus signs".to_owned()));
    }
    let (private, public) = signed_note::generate_key(&mut rand_core::OsRng, name);
    Ok((private.into(), public))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let root = Hash([7; 32]);
        Checkpoint::new("log.example.com", OrganizationId(uuid::Uuid::from_u128(7)), 42, root)
    }

    #[test]
    fn during_a_key_change_a_checkpoint_verifies_with_either_key() {
        let ((old, old_public), (new, new_public)) =
            (generate_key("log.example.com").unwrap(), generate_key("log.example.com").unwrap());
        let note = SigningKeys::read(&[new, old]).unwrap().sign(&checkpoint()).unwrap();
        assert!(note.starts_with("log.example.com/00000000-0000-0000-0000-000000000007\n42\n"), "{note}");
        for public in [&old_public, &new_public] {
            assert_eq!(
                Checkpoint::open(note.as_bytes(), &VerifyingKeys::read(&[public]).unwrap()).unwrap(),
                checkpoint()
            );
        }
    }

    #[test]
    fn a_changed_or_foreign_signature_is_refused() {
        let (private, public) = generate_key("log.example.com").unwrap();
        let (_, stranger) = generate_key("log.example.com").unwrap();
        let note = SigningKeys::read(&[private]).unwrap().sign(&checkpoint()).unwrap();
        let open = |note: &str, key: &str| Checkpoint::open(note.as_bytes(), &VerifyingKeys::read(&[key]).unwrap());
        assert!(open(&note.replace("\n42\n", "\n43\n"), &public).is_err());
        assert!(open(&note, &stranger).is_err());
        assert!(open("log.example.com/x\n42\n", &public).is_err());
        assert!(generate_key("log example").is_err());
    }
}
