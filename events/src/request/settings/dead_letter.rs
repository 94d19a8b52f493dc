//! Requests about dead letters.

use serde::{Deserialize, Serialize};

use crate::DeadLetterId;
use crate::name::Reason;

/// Decides about a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecideDeadLetter {
    /// The dead letter.
    pub dead_letter_id: DeadLetterId,
    /// The decision about the dead letter.
    pub change: DeadLetterChange,
}

/// A decision about a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeadLetterChange {
    /// Tries the request again, unchanged.
    Retry,
    /// Discards the request.
    Discard {
        /// Why the operator discards it.
        reason: Reason,
    },
}
