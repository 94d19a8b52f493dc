//! The hashes of the nodes of a log's tree (RFC 6962 section 2.1).

use super::Hash;

/// The hash of the node above two others: `SHA-256(0x01 ‖ left ‖ right)`.
pub(super) fn parent(left: Hash, right: Hash) -> Hash {
    tlog_tiles::node_hash(left.into(), right.into()).into()
}

/// The root over adjacent complete subtrees, from the left. Without any, the root of the empty tree.
pub(super) fn root_of(nodes: impl DoubleEndedIterator<Item = Hash>) -> Hash {
    nodes.rev().reduce(|right, left| parent(left, right)).unwrap_or_else(|| tlog_tiles::EMPTY_HASH.into())
}
