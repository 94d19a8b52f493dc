//! Requests about erasing deleted users.

use serde::{Deserialize, Serialize};

use crate::UserId;

/// Erases everything that the log holds about a deleted user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EraseUser {
    /// The user.
    pub user_id: UserId,
}
