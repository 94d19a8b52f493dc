//! Requests about event streams.

use serde::{Deserialize, Serialize};

use crate::StreamId;
use crate::stream::StreamSettings;

/// Changes an event stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeStream {
    /// The stream.
    pub stream_id: StreamId,
    /// The change of the stream.
    pub change: StreamChange,
}

/// A change of an event stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StreamChange {
    /// Creates the stream.
    Create(StreamSettings),
    /// Pauses delivery until it is resumed, because the receiver could not be reached.
    Pause {
        /// The last error.
        reason: String,
    },
    /// Resumes delivery at the stream's position.
    Resume,
    /// Deletes the stream.
    Delete,
}
