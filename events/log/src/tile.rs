//! Tiles: the stored form of a tree's inner nodes, 256 adjacent hashes each (C2SP `tlog-tiles`).
//!
//! Tile `index` of `level` holds the subtrees of height `8 * level`, from number `256 * index` on. Level 0
//! holds leaves. Any complete subtree can be recomputed from one tile, so a proof reads one or two rows for
//! each factor of 256 in the size.

use std::collections::BTreeMap;
use tlog_tiles::{HASH_SIZE, stored_hash_index};

use super::proof::Node;
use super::{CompactRange, Hash};

/// The number of tree levels in a tile.
const SPAN: u8 = 8;
/// The number of hashes in a full tile.
pub const WIDTH: u64 = 1 << SPAN;

/// The coordinates of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// The height of the tile's hashes, divided by 8.
    pub level: u8,
    /// The number of the tile in its level, from the left and from 0.
    pub index: u64,
}

impl Tile {
    /// The tile from which a node can be recomputed.
    pub fn of(node: Node) -> Self {
        let tile = tlog_tiles::Tile::from_index(SPAN, node);
        Self { level: tile.level(), index: tile.level_index() }
    }

    /// The seqs of the leaves in a full tile of level 0.
    pub fn seqs(self) -> std::ops::RangeInclusive<u64> {
        self.index * WIDTH + 1..=(self.index + 1) * WIDTH
    }
}

/// Computes a node from the hashes of its tile; `None` if the tile does not have all of them yet.
pub fn node_in(hashes: &[u8], node: Node) -> Option<Hash> {
    let tile = tlog_tiles::Tile::from_index(SPAN, node);
    let needed = hashes.get(..usize::try_from(tile.width()).ok()? * HASH_SIZE)?;
    tile.hash_at_index(needed, node).ok().map(Hash::from)
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
                let node = stored_hash_index(height, (size >> height) - 1);
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
    use crate::proof::Question;

    fn leaf(n: u64) -> Hash {
        tlog_tiles::record_hash(&n.to_be_bytes()).into()
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
            let question = Question::Root { size };
            let nodes: Option<_> =
                question.nodes().unwrap().into_iter().map(|node| Some((node, stored(node)?))).collect();
            assert_eq!(question.answer(&nodes.unwrap()).unwrap(), [expected.root()], "size {size}");
        }
        assert_eq!(stored(stored_hash_index(8, size / WIDTH)), None, "a subtree that is not complete yet");
    }
}
