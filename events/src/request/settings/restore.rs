//! Requests about restores of the database.

use serde::{Deserialize, Serialize};

use crate::log::TreeHead;
use crate::name::Reason;

/// Records that a log goes on although the database has lost entries that were signed. `rollcall-worker log
/// accept-restore` makes this request itself and does not send it through the queue, because the partition of
/// a refused log is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptRestore {
    /// The last signed tree head of the log.
    pub signed: TreeHead,
    /// The tree head of the log in the database.
    pub restored: TreeHead,
    /// Why the operator accepts it.
    pub reason: Reason,
}
