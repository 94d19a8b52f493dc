//! Whether a log in the database extends the tree head that was signed last. Pure: the caller reads the nodes.

use rollcall_events::log::proof::{Node, Question, verify_consistency};
use rollcall_events::log::{CompactRange, Hash, TreeHead};
use std::collections::BTreeMap;

/// Why a log is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Signed entries are missing.
    #[error("{signed} entries were signed, and the database has {stored}: {} are missing", .signed - .stored)]
    Shorter {
        /// The signed size.
        signed: u64,
        /// The size in the database.
        stored: u64,
    },
    /// The signed entries are there in another form.
    #[error("{signed} entries were signed, and the first {signed} of the {stored} in the database are not those")]
    Differs {
        /// The signed size.
        signed: u64,
        /// The size in the database.
        stored: u64,
    },
    /// The tree in the database has holes, so nothing shows that the signed entries are there.
    #[error(
        "{signed} entries were signed, and the tree of the {stored} in the database has holes; `rollcall-worker \
         verify` says where"
    )]
    Unproved {
        /// The signed size.
        signed: u64,
        /// The size in the database.
        stored: u64,
    },
}

/// Compares what the head alone can show. If the log has grown, returns the proof that it needs: ask it for its
/// nodes, read them, and call [`check_growth`].
///
/// # Errors
/// If the log is shorter, or as long and another one.
pub(crate) fn compare(signed: TreeHead, log: &CompactRange) -> Result<Option<Question>, Refusal> {
    let stored = log.size();
    if stored < signed.size {
        return Err(Refusal::Shorter { signed: signed.size, stored });
    }
    if stored > signed.size {
        return Ok(Some(Question::Consistency { earlier: signed.size, size: stored }));
    }
    if log.root() == signed.root { Ok(None) } else { Err(Refusal::Differs { signed: signed.size, stored }) }
}

/// Checks that a log that has grown begins with the signed one.
///
/// # Errors
/// If it does not, or a node is missing.
pub(crate) fn check_growth(signed: TreeHead, log: &CompactRange, nodes: &BTreeMap<Node, Hash>) -> Result<(), Refusal> {
    let (stored, earlier) = (log.size(), signed.size);
    let proof = Question::Consistency { earlier, size: stored }
        .answer(nodes)
        .map_err(|_| Refusal::Unproved { signed: earlier, stored })?;
    verify_consistency((earlier, signed.root), (stored, log.root()), &proof)
        .map_err(|_| Refusal::Differs { signed: earlier, stored })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_events::log::tile::{NewTiles, Tile, WIDTH, node_in};

    /// A log as the database has it: its head, its leaves, and its tiles above them.
    #[derive(Default)]
    struct Stored {
        log: CompactRange,
        leaves: Vec<Hash>,
        tiles: NewTiles,
    }

    fn leaf(n: u64) -> Hash {
        Hash::from_bytes(blake3::hash(&n.to_be_bytes()).as_bytes()).unwrap()
    }

    /// A log whose entry at `changed`, counted from 0, is another one.
    fn stored(size: u64, changed: Option<u64>) -> Stored {
        let mut stored = Stored::default();
        for n in 0..size {
            let leaf = leaf(if changed == Some(n) { u64::MAX } else { n });
            stored.tiles.append(&mut stored.log, leaf);
            stored.leaves.push(leaf);
        }
        stored
    }

    impl Stored {
        fn node(&self, node: Node) -> Option<Hash> {
            let tile = Tile::of(node);
            if tile.level > 0 {
                return node_in(self.tiles.more.get(&tile)?, node);
            }
            let leaves = self.leaves.iter().skip(usize::try_from(tile.index * WIDTH).unwrap()).take(256);
            node_in(&leaves.flat_map(|leaf| leaf.as_bytes().to_vec()).collect::<Vec<_>>(), node)
        }

        fn extends(&self, signed: TreeHead) -> Result<(), Refusal> {
            let Some(question) = compare(signed, &self.log)? else { return Ok(()) };
            let nodes = question.nodes().unwrap();
            let nodes = nodes.into_iter().filter_map(|node| Some((node, self.node(node)?))).collect();
            check_growth(signed, &self.log, &nodes)
        }
    }

    #[test]
    fn a_log_that_was_only_appended_to_extends_each_earlier_one() {
        let sizes = [1, 2, 3, 255, 256, 257, 600, 65_536, 66_000];
        for (n, size) in sizes.into_iter().enumerate() {
            let log = stored(size, None);
            for earlier in &sizes[..=n] {
                assert_eq!(log.extends(stored(*earlier, None).log.head()), Ok(()), "{earlier} of {size}");
            }
        }
    }

    #[test]
    fn a_shorter_log_is_refused_with_both_sizes() {
        let signed = stored(12, None).log.head();
        for size in [0, 1, 11] {
            let refusal = stored(size, None).extends(signed).unwrap_err();
            assert_eq!(refusal, Refusal::Shorter { signed: 12, stored: size });
        }
        assert_eq!(
            Refusal::Shorter { signed: 12, stored: 8 }.to_string(),
            "12 entries were signed, and the database has 8: 4 are missing"
        );
    }

    /// The owner of the database changed an entry and computed every hash and every tile again.
    #[test]
    fn a_rewritten_log_is_refused_at_the_same_size_and_after_it_has_grown() {
        let signed = stored(600, None).log.head();
        for changed in [0, 299, 599] {
            for size in [600, 601, 700, 1000] {
                let refusal = stored(size, Some(changed)).extends(signed);
                assert_eq!(refusal, Err(Refusal::Differs { signed: 600, stored: size }), "{changed} {size}");
            }
        }
        assert_eq!(stored(700, Some(650)).extends(signed), Ok(()), "an entry that was not signed yet");
    }

    /// The head was replaced, and the tiles are those of the signed log; or the other way round.
    #[test]
    fn a_head_that_does_not_fit_its_tiles_is_refused() {
        let signed = stored(600, None).log.head();
        let (whole, other) = (stored(700, None), stored(700, Some(3)));
        let mixed = Stored { log: other.log.clone(), ..whole };
        assert_eq!(mixed.extends(signed), Err(Refusal::Differs { signed: 600, stored: 700 }));
        let mixed = Stored { log: stored(700, None).log, ..other };
        assert_eq!(mixed.extends(signed), Err(Refusal::Differs { signed: 600, stored: 700 }));
        let holes = Stored { leaves: Vec::new(), ..stored(700, None) };
        assert_eq!(holes.extends(signed), Err(Refusal::Unproved { signed: 600, stored: 700 }));
    }
}
