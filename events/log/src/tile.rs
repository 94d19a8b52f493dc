//! Tiles: the stored form of a tree's inner nodes, 256 adjacent hashes each (after C2SP `tlog-tiles`).
//!
//! Tile `index` of `level` holds the subtrees of height `8 * level`, from number `256 * index` on. Level 0
//! holds leaves. Any complete subtree can be recomputed from one tile, so a proof reads one or two rows for
//! each factor of 256 in the size.

use std::collections::BTreeMap;

use super::node_hash::root_of;
use super::proof::Node;
use super::{CompactRange, Hash};

/// The number of tree levels in a tile.
const SPAN: u32 = 8;
/// The number of hashes in a full tile.
pub const WIDTH: u64 = 1 << SPAN;
const HASH_BYTES: usize = 32;

/// The coordinates of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// The height of the tile's hashes, divided by 8.
    pub level: u32,
    /// The number of the tile in its level, from the left and from 0.
    pub index: u64,
}

impl Tile {
    /// The tile from which a subtree can be recomputed.
    pub fn of(node: Node) -> Self {
        Self { level: node.height / SPAN, index: (node.index << (node.height % SPAN)) / WIDTH }
    }

    /// The seqs of the leaves in a full tile of level 0.
    pub fn seqs(self) -> std::ops::RangeInclusive<u64> {
        self.index * WIDTH + 1..=(self.index + 1) * WIDTH
    }
}

/// Computes a subtree's root from the hashes of its tile; `None` if the tile does not have all of them yet.
pub fn node_in(hashes: &[u8], node: Node) -> Option<Hash> {
    let count = 1_usize << (node.height % SPAN);
    let first = usize::try_from((node.index << (node.height % SPAN)) % WIDTH).ok()?;
    let entries = hashes.get(first * HASH_BYTES..(first + count) * HASH_BYTES)?;
    let mut level: Vec<Hash> = entries.chunks_exact(HASH_BYTES).filter_map(Hash::from_bytes).collect();
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| root_of(pair.iter().copied())).collect();
    }
    level.pop()
}

/// The additions that appended leaves make to the tiles of a log.
#[derive(Debug, Default)]
pub struct NewTiles {
    /// The tiles of level 0 that became full. Their leaves are in the log.
    pub full: Vec<u64>,
    /// The hashes to append to tiles of higher levels.
    pub more: BTreeMap<Tile, Vec<u8>>,
}

impl NewTiles {
    /// Appends a leaf to a log and records the additions to its tiles.
    pub fn append(&mut self, log: &mut CompactRange, leaf: Hash) {
        let size = log.size() + 1;
        log.append_with(leaf, |height, root| {
            if height.is_multiple_of(SPAN) {
                let node = Node { height, index: (size >> height) - 1 };
                self.more.entry(Tile::of(node)).or_default().extend(root.as_bytes());
            }
        });
        if size.is_multiple_of(WIDTH) {
            self.full.push(size / WIDTH - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::cover;

    fn leaf(n: u64) -> Hash {
        Hash(blake3::derive_key("rollcall 2026 test leaf", &n.to_be_bytes()))
    }

    #[test]
    fn any_subtree_is_found_in_its_tile() {
        let (mut log, mut new) = (CompactRange::default(), NewTiles::default());
        let size = 3 * 256 * 256 + 700;
        for n in 0..size {
            new.append(&mut log, leaf(n));
        }
        assert_eq!(new.full.len() as u64, size / WIDTH);
        let leaves = |index: u64| -> Vec<u8> {
            (index * WIDTH..(index + 1) * WIDTH).flat_map(|n| leaf(n).as_bytes().to_vec()).collect()
        };
        let stored = |node: Node| {
            let tile = Tile::of(node);
            if tile.level == 0 { node_in(&leaves(tile.index), node) } else { node_in(new.more.get(&tile)?, node) }
        };
        for size in [1, 2, 255, 256, 257, 1000, 65_536, 65_537, 131_072, 180_000, size] {
            let mut expected = CompactRange::default();
            (0..size).for_each(|n| expected.append(leaf(n)));
            let nodes: Option<Vec<_>> = cover(&(0..size)).into_iter().map(stored).collect();
            assert_eq!(root_of(nodes.unwrap().into_iter()), expected.root(), "size {size}");
        }
        assert_eq!(stored(Node { height: 8, index: size / WIDTH }), None, "what is not complete yet");
    }
}
