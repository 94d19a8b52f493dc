//! Requests about recording the bodies of calls.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The longest time for which bodies can be recorded, in seconds: one week.
pub const MAX_RECORDING_SECONDS: u32 = 7 * 24 * 60 * 60;

/// Starts or stops the recording of request and response bodies in the call log. Administrators use it to
/// find out why calls fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRecording {
    /// When the recording ends; `None` to stop it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}
