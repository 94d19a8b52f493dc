//! Decisions about recording the bodies of calls.

use rollcall_events::Timestamp;
use rollcall_events::log::EventType;
use rollcall_events::request::{MAX_RECORDING_SECONDS, Request};
use rollcall_scim::ScimError;
use serde_json::json;

use super::shared::SettingFact;
use crate::pipeline::decide::Interrupt;

/// Records bodies until a time, or no longer.
pub(super) fn change(request: &Request, until: Option<Timestamp>) -> Result<SettingFact, Interrupt> {
    if until.is_some_and(|until| until > request.requested_at.after_seconds(MAX_RECORDING_SECONDS)) {
        return Err(ScimError::invalid_value("until: bodies can be recorded for a week at the most").into());
    }
    Ok((EventType::RecordingChanged, json!({"until": until})))
}
