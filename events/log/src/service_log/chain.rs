//! The proof that a checkpoint of an organization's log is in the service log that witnesses follow.

use super::entry::Opening;
use crate::NotCanonical;
use crate::proof::{InvalidProof, verify_inclusion};
use crate::tlog_proof::{MalformedProof, TlogProof};
use crate::witness::{Policy, UntrustedCheckpoint, WitnessedCheckpoint};

/// A verified chain: from a checkpoint of an organization's log to a cosigned checkpoint of the service log.
#[derive(Debug)]
pub struct Chain {
    /// The organization's checkpoint, and the key of the entry.
    pub opening: Opening,
    /// The index of the entry in the service log, from 0.
    pub index: u64,
    /// The checkpoint of the service log.
    pub service: WitnessedCheckpoint,
}

/// Why a chain does not hold.
#[derive(Debug, thiserror::Error)]
pub enum InvalidChain {
    /// The file is not a C2SP `tlog-proof`.
    #[error(transparent)]
    File(#[from] MalformedProof),
    /// The extra data does not open an entry.
    #[error("the extra data of the proof do not open an entry of a service log: {0}")]
    Opening(String),
    /// The policy does not accept the checkpoint of the service log.
    #[error(transparent)]
    Checkpoint(#[from] UntrustedCheckpoint),
    /// The entry has no canonical form.
    #[error(transparent)]
    Entry(#[from] NotCanonical),
    /// The entry is not in the service log.
    #[error("the service log does not have this entry: {0}")]
    NotIncluded(#[from] InvalidProof),
}

impl Chain {
    /// Reads and verifies a chain file: a C2SP `tlog-proof` whose extra data are an [`Opening`].
    ///
    /// # Errors
    /// If the file is malformed, the policy does not accept the checkpoint of the service log, or the entry is not
    /// in that log.
    pub fn verify(file: &str, policy: &Policy) -> Result<Self, InvalidChain> {
        let proof: TlogProof = file.parse()?;
        let extra = proof.extra.as_deref().ok_or_else(|| InvalidChain::Opening("there are none".to_owned()))?;
        let opening: Opening =
            serde_json::from_slice(extra).map_err(|error| InvalidChain::Opening(error.to_string()))?;
        let service = policy.open(proof.checkpoint.as_bytes())?;
        let (size, root) = (service.checkpoint.size, service.checkpoint.root);
        let leaf = opening.entry()?.leaf()?;
        let seq = proof.index.checked_add(1).ok_or(InvalidProof::OutOfRange { size })?;
        verify_inclusion(leaf, seq, size, root, &proof.hashes)?;
        Ok(Self { opening, index: proof.index, service })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{Checkpoint, SigningKeys, generate_key};
    use crate::log_key::in_the_name_of;
    use crate::proof::Question;
    use crate::service_log::LogSecret;
    use crate::{CompactRange, Hash};
    use std::collections::BTreeMap;

    /// A service log of three entries, of which the second is the organization's, and a policy for it.
    fn chain() -> (TlogProof, Opening, Policy) {
        let (private, _) = generate_key("log.example.com").unwrap();
        let key = in_the_name_of(&private, "log.example.com/log").unwrap();
        let secret = LogSecret::from_bytes(&[1; 32]).unwrap();
        let of_organization = |size| Checkpoint { origin: "log.example.com/1".to_owned(), size, root: Hash([7; 32]) };
        let openings: Vec<_> = (0..3).map(|index| secret.open(index, &of_organization(index + 40))).collect();
        let (mut tree, mut nodes) = (CompactRange::default(), BTreeMap::new());
        for (index, opening) in (0..).zip(&openings) {
            let leaf = opening.entry().unwrap().leaf().unwrap();
            nodes.insert(tlog_tiles::stored_hash_index(0, index), leaf);
            tree.append(leaf);
        }
        let hashes = Question::Inclusion { seq: 2, size: 3 }.answer(&nodes).unwrap();
        let signed = Checkpoint { origin: "log.example.com/log".to_owned(), size: 3, root: tree.root() };
        let checkpoint = SigningKeys::read(&[key.private]).unwrap().sign(&signed).unwrap();
        let policy = Policy::parse(format!("log {}\nquorum none\n", key.public).as_bytes()).unwrap();
        let opening = openings[1].clone();
        let extra = Some(serde_json::to_vec(&opening).unwrap());
        (TlogProof { extra, index: 1, hashes, checkpoint }, opening, policy)
    }

    #[test]
    fn a_chain_leads_from_the_organizations_checkpoint_to_the_service_checkpoint() {
        let (file, opening, policy) = chain();
        let chain = Chain::verify(&file.to_string(), &policy).unwrap();
        assert_eq!((chain.index, chain.service.checkpoint.size), (1, 3));
        assert_eq!(chain.opening, opening);
        assert_eq!(chain.opening.checkpoint().size, 41);
    }

    #[test]
    fn a_chain_with_any_other_value_is_refused() {
        let (file, opening, policy) = chain();
        let with = |opening: Opening| TlogProof { extra: serde_json::to_vec(&opening).ok(), ..file.clone() };
        let mut hashes = file.hashes.clone();
        hashes.swap(0, 1);
        let wrong = [
            with(Opening { size: 42, ..opening.clone() }),
            with(Opening { root: Hash([8; 32]), ..opening.clone() }),
            with(Opening { key: Hash([8; 32]), ..opening.clone() }),
            with(Opening { secret_hash: Hash([8; 32]), ..opening.clone() }),
            with(Opening { origin: "log.example.com/2".to_owned(), ..opening }),
            TlogProof { index: 0, ..file.clone() },
            TlogProof { index: u64::MAX, ..file.clone() },
            TlogProof { hashes, ..file.clone() },
            TlogProof { hashes: file.hashes[..1].to_vec(), ..file.clone() },
            TlogProof { extra: None, ..file.clone() },
            TlogProof { extra: Some(b"{}".to_vec()), ..file.clone() },
            TlogProof { checkpoint: file.checkpoint.replace("\n3\n", "\n4\n"), ..file.clone() },
        ];
        for wrong in wrong {
            assert!(Chain::verify(&wrong.to_string(), &policy).is_err(), "{wrong:?}");
        }
        let (_, _, of_another) = chain();
        assert!(matches!(Chain::verify(&file.to_string(), &of_another), Err(InvalidChain::Checkpoint(_))));
    }
}
