//! Proofs that a log contains an entry, and that it was only appended to (RFC 9162 sections 2.1.3 and 2.1.4).
//!
//! A proof is a list of subtree roots. Numbers alone decide which subtrees. To serve a proof, compute the
//! nodes it needs, read all of them at once, and then assemble the proof.

use std::ops::Range;

use super::Hash;
use super::node_hash::parent;

/// A complete subtree: number `index`, from the left and from 0, of those with `2^height` leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// The number of levels above the leaves.
    pub height: u32,
    /// The number of the subtree among those of its height, from the left and from 0.
    pub index: u64,
}

/// Why a proof is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProof {
    /// The entry or the earlier size is 0 or larger than the size.
    #[error("a log of {size} entries has no such entry or earlier size")]
    OutOfRange {
        /// The size of the log.
        size: u64,
    },
    /// The proof has too few or too many hashes.
    #[error("the proof does not have the number of hashes that it must have")]
    WrongLength,
    /// The hashes lead to another root.
    #[error("the proof does not lead to the root")]
    WrongRoot,
}

/// The subtrees whose roots prove that entry `seq` is in a log of `size` entries, from the lowest. Each is a
/// range of leaves counted from 0.
pub fn inclusion(seq: u64, size: u64) -> Result<Vec<Range<u64>>, InvalidProof> {
    if seq == 0 || seq > size {
        return Err(InvalidProof::OutOfRange { size });
    }
    let (mut start, mut end, leaf) = (0, size, seq - 1);
    let mut path = Vec::new();
    while end - start > 1 {
        let split = start + largest_power_below(end - start);
        if leaf < split {
            path.push(split..end);
            end = split;
        } else {
            path.push(start..split);
            start = split;
        }
    }
    path.reverse();
    Ok(path)
}

/// The subtrees whose roots prove that a log of `size` entries begins with its first `earlier` entries.
pub fn consistency(earlier: u64, size: u64) -> Result<Vec<Range<u64>>, InvalidProof> {
    if earlier == 0 || earlier > size {
        return Err(InvalidProof::OutOfRange { size });
    }
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while end != earlier {
        let split = start + largest_power_below(end - start);
        if earlier <= split {
            path.push(split..end);
            end = split;
        } else {
            path.push(start..split);
            start = split;
        }
    }
    // The verifier has the root of the earlier tree, so a proof does not contain it.
    if start != 0 {
        path.push(start..end);
    }
    path.reverse();
    Ok(path)
}

/// The complete subtrees that form a range of leaves, from the left. The range must come from a proof or
/// begin at 0.
pub fn cover(range: &Range<u64>) -> Vec<Node> {
    let (mut start, mut nodes) = (range.start, Vec::new());
    while start < range.end {
        let height = (range.end - start).ilog2();
        nodes.push(Node { height, index: start >> height });
        start += 1 << height;
    }
    nodes
}

/// Checks that `leaf` is entry `seq` of the log with this size and root.
///
/// # Errors
/// If the proof does not show it.
pub fn verify_inclusion(leaf: Hash, seq: u64, size: u64, root: Hash, proof: &[Hash]) -> Result<(), InvalidProof> {
    let path = inclusion(seq, size)?;
    if path.len() != proof.len() {
        return Err(InvalidProof::WrongLength);
    }
    let found = path
        .iter()
        .zip(proof)
        .fold(leaf, |node, (range, hash)| if range.start >= seq { parent(node, *hash) } else { parent(*hash, node) });
    if found == root { Ok(()) } else { Err(InvalidProof::WrongRoot) }
}

/// Checks that the log with the later size and root begins with the log with the earlier size and root.
///
/// # Errors
/// If the proof does not show it.
pub fn verify_consistency(earlier: (u64, Hash), later: (u64, Hash), proof: &[Hash]) -> Result<(), InvalidProof> {
    let path = consistency(earlier.0, later.0)?;
    if path.len() != proof.len() {
        return Err(InvalidProof::WrongLength);
    }
    // First the part that both trees share on the left, then the part that only the later tree has.
    let mut steps = path.iter().zip(proof.iter().copied()).peekable();
    let mut both = match steps.next_if(|(range, _)| range.end == earlier.0) {
        Some((_, hash)) => (hash, hash),
        None => (earlier.1, earlier.1),
    };
    for (range, hash) in steps {
        both = if range.start >= earlier.0 {
            (both.0, parent(both.1, hash))
        } else {
            (parent(hash, both.0), parent(hash, both.1))
        };
    }
    if both == (earlier.1, later.1) { Ok(()) } else { Err(InvalidProof::WrongRoot) }
}

/// The largest power of two that is smaller than a number above 1 (RFC 9162 section 2.1.1).
fn largest_power_below(number: u64) -> u64 {
    1 << (number - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CompactRange, root_of};
    use proptest::prelude::*;

    fn leaf(n: u64) -> Hash {
        Hash(blake3::derive_key("rollcall 2026 test leaf", &n.to_be_bytes()))
    }

    fn root(range: Range<u64>) -> Hash {
        let mut tree = CompactRange::default();
        range.for_each(|n| tree.append(leaf(n)));
        tree.root()
    }

    fn hashes(path: &[Range<u64>]) -> Vec<Hash> {
        path.iter()
            .map(|range| {
                root_of(
                    cover(range)
                        .into_iter()
                        .map(|node| root(node.index << node.height..(node.index + 1) << node.height)),
                )
            })
            .collect()
    }

    /// The examples of RFC 9162 section 2.1.5: a tree of seven leaves.
    #[test]
    fn the_proofs_are_those_of_the_rfc() {
        assert_eq!(inclusion(1, 7).unwrap(), [1..2, 2..4, 4..7]);
        assert_eq!(inclusion(4, 7).unwrap(), [2..3, 0..2, 4..7]);
        assert_eq!(inclusion(5, 7).unwrap(), [5..6, 6..7, 0..4]);
        assert_eq!(inclusion(7, 7).unwrap(), [4..6, 0..4]);
        assert_eq!(consistency(3, 7).unwrap(), [2..3, 3..4, 0..2, 4..7]);
        assert_eq!(consistency(4, 7).unwrap(), vec![4..7; 1]);
        assert_eq!(consistency(6, 7).unwrap(), [4..6, 6..7, 0..4]);
        assert_eq!(consistency(7, 7).unwrap(), []);
    }

    #[test]
    fn every_entry_and_every_earlier_size_can_be_proved_and_nothing_else() {
        for size in 1..=40 {
            for seq in 1..=size {
                let proof = hashes(&inclusion(seq, size).unwrap());
                assert_eq!(
                    verify_inclusion(leaf(seq - 1), seq, size, root(0..size), &proof),
                    Ok(()),
                    "{seq} of {size}"
                );
                assert!(verify_inclusion(leaf(seq), seq, size, root(0..size), &proof).is_err());
                let proof = hashes(&consistency(seq, size).unwrap());
                assert_eq!(
                    verify_consistency((seq, root(0..seq)), (size, root(0..size)), &proof),
                    Ok(()),
                    "{seq} of {size}"
                );
                assert!(verify_consistency((seq, root(1..seq + 1)), (size, root(0..size)), &proof).is_err());
            }
        }
        assert!(
            inclusion(0, 3).is_err()
                && inclusion(4, 3).is_err()
                && consistency(0, 3).is_err()
                && consistency(4, 3).is_err()
        );
    }

    proptest! {
        #[test]
        fn no_proof_survives_a_change(
            size in 2_u64..300, at in any::<prop::sample::Index>(), hash in any::<prop::sample::Index>(),
            bit in 0_usize..256
        ) {
            let seq = at.index(usize::try_from(size).unwrap()) as u64 + 1;
            let broken = |path: Vec<Range<u64>>| {
                let mut proof = hashes(&path);
                let at = if proof.is_empty() { return None } else { hash.index(proof.len()) };
                proof[at].0[bit / 8] ^= 1 << (bit % 8);
                Some(proof)
            };
            let proof = broken(inclusion(seq, size).unwrap()).unwrap();
            prop_assert_eq!(
                verify_inclusion(leaf(seq - 1), seq, size, root(0..size), &proof), Err(InvalidProof::WrongRoot)
            );
            if let Some(proof) = broken(consistency(seq, size).unwrap()) {
                prop_assert_eq!(
                    verify_consistency((seq, root(0..seq)), (size, root(0..size)), &proof), Err(InvalidProof::WrongRoot)
                );
            }
        }
    }
}
