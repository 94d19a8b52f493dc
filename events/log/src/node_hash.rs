//! The hashes of the nodes of a log's tree (RFC 9162 section 2.1.1).

use super::Hash;

/// The BLAKE3 context of every node above the leaves.
const NODE_CONTEXT: &str = "rollcall 2026 node";

/// The root of the empty tree.
fn empty_root() -> Hash {
    Hash(blake3::derive_key(NODE_CONTEXT, &[]))
}

/// The hash of the node above two others.
pub(super) fn parent(left: Hash, right: Hash) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key(NODE_CONTEXT);
    hasher.update(&left.0).update(&right.0);
    Hash(hasher.finalize().into())
}

/// The root over adjacent complete subtrees, from the left. Without any, the root of the empty tree.
pub fn root_of(nodes: impl DoubleEndedIterator<Item = Hash>) -> Hash {
    nodes.rev().reduce(|right, left| parent(left, right)).unwrap_or_else(empty_root)
}
