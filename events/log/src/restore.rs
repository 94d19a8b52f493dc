//! Restores: a log goes on although signed entries are lost, and an entry says so.
//!
//! The entry has the type `LogRestored`. Its payload states the last signed tree head and the tree head after
//! which the log goes on. The entry is the first one after the latter.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

use super::{CompactRange, Hash, TreeHead};

/// What a `LogRestored` entry states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// The last tree head that was signed before the restore.
    pub signed: TreeHead,
    /// The tree head of the restored database.
    pub restored: TreeHead,
    /// Why the operator went on.
    pub reason: String,
}

/// Why a `LogRestored` entry does not belong to its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRestore {
    /// The payload does not state a restore.
    #[error("its payload does not say what was restored")]
    Malformed,
    /// The entries before it are not those that it states.
    #[error("it was written after {0} entries with another root")]
    Elsewhere(u64),
}

impl Restore {
    /// Reads the payload of a `LogRestored` entry.
    ///
    /// # Errors
    /// If it does not state a restore.
    pub fn read(payload: Option<&Value>) -> Result<Self, InvalidRestore> {
        payload.and_then(|payload| Self::deserialize(payload).ok()).ok_or(InvalidRestore::Malformed)
    }

    /// Checks that the entry follows the entries that it states.
    ///
    /// # Errors
    /// If the entries before it are others.
    pub fn follows(&self, before: &CompactRange) -> Result<(), InvalidRestore> {
        let Self { restored: TreeHead { size, root }, .. } = *self;
        if (size, root) == (before.size(), before.root()) { Ok(()) } else { Err(InvalidRestore::Elsewhere(size)) }
    }

    /// Whether a checkpoint of this size and root may be of the entries that were lost.
    pub fn explains(&self, size: u64, root: Hash) -> bool {
        self.signed == TreeHead { root, size } || (self.restored.size < size && size <= self.signed.size)
    }
}

/// For people. The reason is quoted, so that it cannot imitate other output.
impl fmt::Display for Restore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signed, restored, reason } = self;
        write!(
            f,
            "a restore of the database: {} entries were signed with the root {}, and the log goes on after entry {} \
             of the restored database (root {}). Reason: {reason:?}",
            signed.size, signed.root, restored.size, restored.root
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tree(entries: u64) -> CompactRange {
        let mut tree = CompactRange::default();
        (0..entries).for_each(|n| tree.append(tlog_tiles::record_hash(&n.to_be_bytes()).into()));
        tree
    }

    #[test]
    fn a_restore_belongs_after_the_entries_that_it_states() {
        let (signed, restored) = (tree(12), tree(8));
        let payload = json!({
            "operation": "acceptRestore", "reason": "disk\nfailure", "restored": restored.head(), "signed": signed.head()
        });
        let restore = Restore::read(Some(&payload)).unwrap();
        assert_eq!(restore.follows(&restored), Ok(()));
        assert_eq!(restore.follows(&tree(9)), Err(InvalidRestore::Elsewhere(8)));
        assert!(restore.to_string().contains("12 entries were signed"));
        assert!(restore.to_string().ends_with(r#"Reason: "disk\nfailure""#), "{restore}");
        let explained: Vec<_> = (1..=20).filter(|size| restore.explains(*size, tree(*size).root())).collect();
        assert_eq!(explained, [9, 10, 11, 12]);
    }

    #[test]
    fn another_payload_is_no_restore() {
        for payload in [None, Some(json!({"operation": "acceptRestore"})), Some(json!({"signed": {"size": 1}}))] {
            assert_eq!(Restore::read(payload.as_ref()), Err(InvalidRestore::Malformed));
        }
    }
}
