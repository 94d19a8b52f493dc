//! An entry of the service log, and what opens it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::checkpoint::Checkpoint;
use crate::{Hash, NotCanonical, canonical};

/// The BLAKE3 context of labels.
const LABEL: &str = "rollcall 2026 service label";
/// The BLAKE3 context of commitments to checkpoints.
const CHECKPOINT: &str = "rollcall 2026 checkpoint";
/// The version of the entry's format.
const VERSION: u8 = 1;

/// An entry of the service log. Anybody may read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceEntry {
    /// The commitment to a checkpoint of an organization's log.
    pub commitment: Hash,
    /// The label by which the organization's auditors find the entry.
    pub label: Hash,
    /// The version of the format: 1.
    pub version: u8,
}

/// What opens one entry of the service log: the checkpoint, and the entry's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The key of the entry.
    pub key: Hash,
    /// The origin of the organization's log.
    pub origin: String,
    /// Its root.
    pub root: Hash,
    /// The hash of the log's secret.
    pub secret_hash: Hash,
    /// Its size.
    pub size: u64,
}

impl ServiceEntry {
    /// The bytes that the tree hashes: the canonical JSON of the entry (RFC 8785).
    ///
    /// # Errors
    /// If the entry cannot be written as JSON.
    pub fn canonical(&self) -> Result<Vec<u8>, NotCanonical> {
        canonical(&serde_json::to_value(self)?)
    }

    /// The leaf in the tree of the service log (RFC 6962).
    ///
    /// # Errors
    /// As [`ServiceEntry::canonical`].
    pub fn leaf(&self) -> Result<Hash, NotCanonical> {
        Ok(tlog_tiles::record_hash(&self.canonical()?).into())
    }

    /// The label of the entry with this key: `BLAKE3 derive_key("rollcall 2026 service label", key)`.
    pub fn label_of(key: Hash) -> Hash {
        Hash(blake3::derive_key(LABEL, &key.0))
    }
}

impl Opening {
    /// The entry that this opens. Its commitment is
    /// `BLAKE3 derive_key("rollcall 2026 checkpoint", key ‖ JCS({origin, root, secret_hash, size}))`.
    ///
    /// # Errors
    /// If the checkpoint cannot be written as JSON.
    pub fn entry(&self) -> Result<ServiceEntry, NotCanonical> {
        let Self { key, origin, root, secret_hash, size } = self;
        let opened = json!({"origin": origin, "root": root, "secret_hash": secret_hash, "size": size});
        let mut hasher = blake3::Hasher::new_derive_key(CHECKPOINT);
        hasher.update(&key.0).update(&canonical(&opened)?);
        let commitment = Hash(hasher.finalize().into());
        Ok(ServiceEntry { commitment, label: ServiceEntry::label_of(*key), version: VERSION })
    }

    /// The checkpoint of the organization's log.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { origin: self.origin.clone(), size: self.size, root: self.root }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service_log::LogSecret;

    fn checkpoint(size: u64) -> Checkpoint {
        let origin = "log.example.com/00000000-0000-0000-0000-000000000001".to_owned();
        Checkpoint { origin, size, root: Hash([7; 32]) }
    }

    /// The example of `docs/log-format.md`, computed by another program.
    #[test]
    fn the_format_of_the_service_log_does_not_change() {
        let root = "4fc881f3dba0d5b577b4d57421089507aada4f2ab96249e93c4fde13aab5565e".to_owned();
        let root = Hash::try_from(root).unwrap();
        let opening = LogSecret::from_bytes(&[7; 32]).unwrap().open(5, &Checkpoint { root, ..checkpoint(1) });
        assert_eq!(opening.key.to_string(), "1c56d1d923581356d1f415fbbcb21b6c7db6dc329f8f432f6e00275a65ead639");
        assert_eq!(opening.secret_hash.to_string(), "4df845ccba03cac764da6b282271200e55ebee098bc0b7c9a28d8937575dcf8b");
        let entry = opening.entry().unwrap();
        assert_eq!(
            String::from_utf8(entry.canonical().unwrap()).unwrap(),
            "{\"commitment\":\"09e618e8567375be5ff8345b4c3dd07a923c98c1ea12b7f9f56013a5b629b699\",\
            \"label\":\"7d4335f05ead3fdef1e11eee0366d5b998ba64a5acb5875635dc7f2bcd6e18a3\",\"version\":1}"
        );
        let leaf = "1b43c26f59c5d7f4e90010686e73e842ec6563398b84c8a0f32f87ba47968943";
        assert_eq!(entry.leaf().unwrap().to_string(), leaf);
    }

    #[test]
    fn an_entry_is_opened_by_its_own_key_and_checkpoint_only() {
        let (secret, other) = (LogSecret::from_bytes(&[1; 32]).unwrap(), LogSecret::from_bytes(&[2; 32]).unwrap());
        let entry = secret.open(5, &checkpoint(42)).entry().unwrap();
        assert_eq!(entry, secret.open(5, &checkpoint(42)).entry().unwrap());
        for wrong in [secret.open(6, &checkpoint(42)), secret.open(5, &checkpoint(43)), other.open(5, &checkpoint(42))]
        {
            assert_ne!(wrong.entry().unwrap().commitment, entry.commitment);
        }
        let swapped = Opening { secret_hash: other.hash(), ..secret.open(5, &checkpoint(42)) };
        assert_ne!(swapped.entry().unwrap().commitment, entry.commitment, "an entry is bound to one secret");
    }

    #[test]
    fn nothing_in_two_entries_of_one_organization_is_equal() {
        let secret = LogSecret::from_bytes(&[1; 32]).unwrap();
        let (one, next) = (secret.open(5, &checkpoint(42)), secret.open(6, &checkpoint(42)));
        let (one, next) = (one.entry().unwrap(), next.entry().unwrap());
        assert!(one.label != next.label && one.commitment != next.commitment);
        assert_ne!(one.label, one.commitment);
    }
}
