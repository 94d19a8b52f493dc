//! Proofs that a log contains an entry, and that it was only appended to (RFC 6962 sections 2.1.1 and 2.1.2).
//!
//! A proof is a list of hashes. To serve one, ask a [`Question`] which nodes of the tree it needs, read all
//! of them at once, and let it answer. The algorithms are those of the crate `tlog_tiles`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use tlog_tiles::{HashReader, check_record, check_tree, prove_record, prove_tree, sub_tree_index, tree_hash};

use super::Hash;

/// A complete subtree, by its stored hash index: the numbering of `tlog_tiles`.
pub type Node = u64;

/// Something to be proved or asked about a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// The root of the log with its first `size` entries. The answer is one hash.
    Root {
        /// The number of entries.
        size: u64,
    },
    /// The roots of the complete subtrees of the log with its first `size` entries, from the left.
    Peaks {
        /// The number of entries.
        size: u64,
    },
    /// Entry `seq` is in the log of `size` entries.
    Inclusion {
        /// The position of the entry, from 1.
        seq: u64,
        /// The number of entries.
        size: u64,
    },
    /// The log of `size` entries begins with the log of `earlier` entries.
    Consistency {
        /// The earlier number of entries.
        earlier: u64,
        /// The later number of entries.
        size: u64,
    },
}

/// Why a proof is not valid or cannot be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProof {
    /// The entry or the earlier size is 0 or larger than the size.
    #[error("a log of {size} entries has no such entry or earlier size")]
    OutOfRange {
        /// The size of the log.
        size: u64,
    },
    /// A node of the tree is missing.
    #[error("a node of the tree is missing")]
    MissingNode,
    /// The hashes are too few or too many, or lead to another root.
    #[error("the proof does not lead to the root")]
    WrongRoot,
}

impl Question {
    /// The nodes that the answer needs.
    ///
    /// # Errors
    /// If the log has no such entry or earlier size.
    pub fn nodes(self) -> Result<Vec<Node>, InvalidProof> {
        let recorder = Recorder(RefCell::default());
        self.prove(&recorder)?;
        Ok(recorder.0.into_inner())
    }

    /// The number of hashes of the answer. A proof with another number is for another size.
    ///
    /// # Errors
    /// If the log has no such entry or earlier size.
    pub fn answer_len(self) -> Result<usize, InvalidProof> {
        Ok(self.prove(&Recorder(RefCell::default()))?.len())
    }

    /// The hashes of the proof.
    ///
    /// # Errors
    /// If the log has no such entry or earlier size, or a node is missing.
    pub fn answer(self, nodes: &BTreeMap<Node, Hash>) -> Result<Vec<Hash>, InvalidProof> {
        self.prove(&Nodes(nodes))
    }

    fn prove(self, reader: &impl HashReader) -> Result<Vec<Hash>, InvalidProof> {
        let size = self.check()?;
        let hashes = match self {
            Self::Root { .. } => tree_hash(size, reader).map(|root| vec![root]),
            Self::Peaks { .. } => reader.read_hashes(&sub_tree_index(0, size, Vec::new())),
            Self::Inclusion { seq, .. } => prove_record(size, seq - 1, reader),
            Self::Consistency { earlier, .. } => prove_tree(size, earlier, reader),
        };
        // The numbers are in range, so only the reader can fail.
        Ok(hashes.map_err(|_| InvalidProof::MissingNode)?.into_iter().map(Hash::from).collect())
    }

    /// Checks the numbers. Returns the size.
    fn check(self) -> Result<u64, InvalidProof> {
        let (Self::Root { size }
        | Self::Peaks { size }
        | Self::Inclusion { size, .. }
        | Self::Consistency { size, .. }) = self;
        let position = match self {
            Self::Root { .. } | Self::Peaks { .. } => return Ok(size),
            Self::Inclusion { seq, .. } => seq,
            Self::Consistency { earlier, .. } => earlier,
        };
        if (1..=size).contains(&position) { Ok(size) } else { Err(InvalidProof::OutOfRange { size }) }
    }
}

/// Notes the nodes that are asked for.
struct Recorder(RefCell<Vec<Node>>);

impl HashReader for Recorder {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        self.0.borrow_mut().extend(indexes);
        Ok(vec![tlog_tiles::EMPTY_HASH; indexes.len()])
    }
}

/// The nodes that were read.
struct Nodes<'a>(&'a BTreeMap<Node, Hash>);

impl HashReader for Nodes<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let found: Option<Vec<_>> = indexes.iter().map(|index| self.0.get(index).map(|hash| (*hash).into())).collect();
        found.ok_or(tlog_tiles::Error::IndexesNotInTree)
    }
}

/// Checks that `leaf` is entry `seq` of the log with this size and root.
///
/// # Errors
/// If the proof does not show it.
pub fn verify_inclusion(leaf: Hash, seq: u64, size: u64, root: Hash, proof: &[Hash]) -> Result<(), InvalidProof> {
    Question::Inclusion { seq, size }.check()?;
    let proof: Vec<tlog_tiles::Hash> = proof.iter().map(|hash| (*hash).into()).collect();
    check_record(&proof, size, root.into(), seq - 1, leaf.into()).map_err(|_| InvalidProof::WrongRoot)
}

/// Checks that the log with the later size and root begins with the log with the earlier size and root.
///
/// # Errors
/// If the proof does not show it.
pub fn verify_consistency(earlier: (u64, Hash), later: (u64, Hash), proof: &[Hash]) -> Result<(), InvalidProof> {
    Question::Consistency { earlier: earlier.0, size: later.0 }.check()?;
    let proof: Vec<tlog_tiles::Hash> = proof.iter().map(|hash| (*hash).into()).collect();
    check_tree(&proof, later.0, later.1.into(), earlier.0, earlier.1.into()).map_err(|_| InvalidProof::WrongRoot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CompactRange;
    use proptest::prelude::*;

    fn leaf(n: u64) -> Hash {
        tlog_tiles::record_hash(&n.to_be_bytes()).into()
    }

    fn root(range: std::ops::Range<u64>) -> Hash {
        let mut tree = CompactRange::default();
        range.for_each(|n| tree.append(leaf(n)));
        tree.root()
    }

    /// Answers a question from a tree that is computed anew.
    fn answer(question: Question) -> Vec<Hash> {
        let node = |index: Node| {
            let (height, n) = tlog_tiles::split_stored_hash_index(index);
            root(n << height..(n + 1) << height)
        };
        let nodes = question.nodes().unwrap().into_iter().map(|index| (index, node(index))).collect();
        question.answer(&nodes).unwrap()
    }

    #[test]
    fn every_entry_and_every_earlier_size_can_be_proved_and_nothing_else() {
        for size in 1..=40 {
            assert_eq!(answer(Question::Root { size }), [root(0..size)]);
            let mut tree = CompactRange::default();
            (0..size).for_each(|n| tree.append(leaf(n)));
            assert_eq!(answer(Question::Peaks { size }), tree.peaks());
            for seq in 1..=size {
                let proof = answer(Question::Inclusion { seq, size });
                let verified = verify_inclusion(leaf(seq - 1), seq, size, root(0..size), &proof);
                assert_eq!(verified, Ok(()), "{seq} of {size}");
                assert!(verify_inclusion(leaf(seq), seq, size, root(0..size), &proof).is_err());
                let proof = answer(Question::Consistency { earlier: seq, size });
                let verified = verify_consistency((seq, root(0..seq)), (size, root(0..size)), &proof);
                assert_eq!(verified, Ok(()), "{seq} of {size}");
                assert!(verify_consistency((seq, root(1..seq + 1)), (size, root(0..size)), &proof).is_err());
            }
        }
        assert_eq!(answer(Question::Peaks { size: 0 }), []);
        assert_eq!(Question::Inclusion { seq: 3, size: 7 }.answer_len(), Ok(3));
        assert_eq!(Question::Inclusion { seq: 7, size: 7 }.answer_len(), Ok(2));
        for (position, size) in [(0, 3), (4, 3), (1, 0), (u64::MAX, 3)] {
            assert!(Question::Inclusion { seq: position, size }.nodes().is_err());
            assert!(Question::Consistency { earlier: position, size }.nodes().is_err());
            assert!(verify_inclusion(leaf(0), position, size, leaf(0), &[]).is_err());
        }
    }

    #[test]
    fn a_missing_node_is_an_error() {
        let question = Question::Inclusion { seq: 2, size: 7 };
        assert_eq!(question.answer(&BTreeMap::new()), Err(InvalidProof::MissingNode));
    }

    proptest! {
        #[test]
        fn no_proof_survives_a_change(
            size in 2_u64..300,
            at in any::<prop::sample::Index>(),
            hash in any::<prop::sample::Index>(),
            bit in 0_usize..256,
        ) {
            let seq = at.index(usize::try_from(size).unwrap()) as u64 + 1;
            let broken = |question| {
                let mut proof = answer(question);
                let at = if proof.is_empty() { return None } else { hash.index(proof.len()) };
                proof[at].0[bit / 8] ^= 1 << (bit % 8);
                Some(proof)
            };
            let proof = broken(Question::Inclusion { seq, size }).unwrap();
            let verified = verify_inclusion(leaf(seq - 1), seq, size, root(0..size), &proof);
            prop_assert_eq!(verified, Err(InvalidProof::WrongRoot));
            if let Some(proof) = broken(Question::Consistency { earlier: seq, size }) {
                let verified = verify_consistency((seq, root(0..seq)), (size, root(0..size)), &proof);
                prop_assert_eq!(verified, Err(InvalidProof::WrongRoot));
            }
        }
    }
}
