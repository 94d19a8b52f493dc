//! The id of an entry for receivers.

use rollcall_service::entries::StoredEntry;

/// Identifies an entry among those of all logs: the organization, the seq and the beginning of the leaf. After a
/// restore of the database, a new entry can have the seq of a lost one. Its leaf differs.
pub(super) fn entry_id(entry: &StoredEntry) -> String {
    format!("{}:{}:{}", entry.header.organization_id, entry.header.seq, entry.leaf.short())
}
