//! The Merkle tree over the leaves of a log (RFC 6962 section 2.1).
//!
//! Only the compact range is stored: the roots of the complete subtrees, from the largest on the left to the
//! smallest on the right, one for each bit that is set in the size. An append costs one hash on average,
//! whatever the size.

use serde::{Deserialize, Serialize};

use super::Hash;
use super::node_hash::{parent, root_of};

/// The compact range of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompactRange {
    size: u64,
    peaks: Vec<Hash>,
}

/// The size of a log and the root of its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeHead {
    /// The root.
    pub root: Hash,
    /// The number of entries.
    pub size: u64,
}

/// The number of peaks does not fit the size, or a peak does not have 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a log of {size} entries cannot have {peaks} peaks of 32 bytes")]
pub struct InvalidRange {
    size: u64,
    peaks: usize,
}

impl CompactRange {
    /// Reads a range from its stored form.
    ///
    /// # Errors
    /// If the peaks do not fit the size.
    pub fn from_parts(size: u64, peaks: &[impl AsRef<[u8]>]) -> Result<Self, InvalidRange> {
        let read: Option<Vec<_>> = peaks.iter().map(|peak| Hash::from_bytes(peak.as_ref())).collect();
        match read {
            Some(read) if read.len() == size.count_ones() as usize => Ok(Self { size, peaks: read }),
            _ => Err(InvalidRange { size, peaks: peaks.len() }),
        }
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, from left to right.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends a leaf.
    pub fn append(&mut self, leaf: Hash) {
        self.append_with(leaf, |_, _| ());
    }

    /// Appends a leaf. Calls `on_complete` with the height and root of every subtree that the leaf completes,
    /// except the leaf itself.
    pub fn append_with(&mut self, leaf: Hash, mut on_complete: impl FnMut(u8, Hash)) {
        let merges = self.size.trailing_ones() as usize;
        let mut node = leaf;
        for (height, left) in (1..).zip(self.peaks.drain(self.peaks.len() - merges..).rev()) {
            node = parent(left, node);
            on_complete(height, node);
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The root of the tree. For the empty tree, the SHA-256 of no bytes.
    pub fn root(&self) -> Hash {
        root_of(self.peaks.iter().copied())
    }

    /// The size and the root.
    pub fn head(&self) -> TreeHead {
        TreeHead { root: self.root(), size: self.size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    fn leaf(n: u64) -> Hash {
        tlog_tiles::record_hash(&n.to_be_bytes()).into()
    }

    /// RFC 6962 section 2.1, word for word: splits at the largest power of two below the length. It shares
    /// nothing with the code under test but SHA-256.
    fn naive_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash(Sha256::digest([]).into()),
            [leaf] => *leaf,
            leaves => {
                let mut split = 1;
                while split * 2 < leaves.len() {
                    split *= 2;
                }
                let (left, right) = (naive_root(&leaves[..split]), naive_root(&leaves[split..]));
                Hash(Sha256::digest([&[1], left.as_bytes(), right.as_bytes()].concat()).into())
            }
        }
    }

    /// The roots of the first eight leaves of RFC 6962's own test data, as every Certificate Transparency log
    /// has them.
    #[test]
    fn the_tree_is_that_of_certificate_transparency() {
        let inputs: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let mut tree = CompactRange::default();
        for input in inputs {
            tree.append(tlog_tiles::record_hash(input).into());
        }
        assert_eq!(tree.root().to_string(), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    }

    #[test]
    fn the_compact_range_agrees_with_the_naive_tree_at_every_size() {
        let mut range = CompactRange::default();
        let mut leaves = Vec::new();
        for n in 0..300 {
            assert_eq!(range.root(), naive_root(&leaves), "size {n}");
            assert_eq!(
                CompactRange::from_parts(range.size(), &range.peaks().iter().map(Hash::as_bytes).collect::<Vec<_>>()),
                Ok(range.clone())
            );
            range.append(leaf(n));
            leaves.push(leaf(n));
        }
    }

    proptest! {
        #[test]
        fn any_leaves_give_the_naive_root_and_a_changed_leaf_another(
            seeds in proptest::collection::vec(any::<u64>(), 1..80), place: proptest::sample::Index
        ) {
            let mut leaves: Vec<_> = seeds.iter().copied().map(leaf).collect();
            let root = |leaves: &[Hash]| {
                let mut range = CompactRange::default();
                for &leaf in leaves {
                    range.append(leaf);
                }
                range.root()
            };
            prop_assert_eq!(root(&leaves), naive_root(&leaves));
            let before = root(&leaves);
            leaves[place.index(seeds.len())].0[0] ^= 1;
            prop_assert_ne!(root(&leaves), before);
        }
    }

    #[test]
    fn peaks_that_do_not_fit_the_size_are_refused() {
        assert!(CompactRange::from_parts(3, &[[0_u8; 32]]).is_err());
        assert!(CompactRange::from_parts(1, &[[0_u8; 31]]).is_err());
        assert!(CompactRange::from_parts(0, &[] as &[[u8; 32]]).is_ok());
    }
}
