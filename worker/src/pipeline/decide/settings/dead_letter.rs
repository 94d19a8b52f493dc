//! Decisions about dead letters: retry or discard.

use rollcall_events::DeadLetterId;
use rollcall_events::log::EventType;
use rollcall_events::request::{DeadLetterChange, Request};
use rollcall_scim::ScimError;
use serde_json::json;

use super::shared::SettingFact;
use crate::pipeline::decide::Interrupt;
use crate::pipeline::decide::state::State;

/// The name of a change in the log.
pub(super) fn operation(change: &DeadLetterChange) -> &'static str {
    match change {
        DeadLetterChange::Retry => "retry",
        DeadLetterChange::Discard { .. } => "discard",
    }
}

/// Decides whether a dead letter is retried or discarded. This happens once: afterwards, there is no dead
/// letter with this id.
pub(super) fn attempt(
    state: &State,
    request: &Request,
    id: DeadLetterId,
    change: &DeadLetterChange,
) -> Result<SettingFact, Interrupt> {
    if !state.has_dead_letter(request.organization_id, id)? {
        return Err(ScimError::new(404, "there is no such dead letter, or no longer").into());
    }
    Ok(match change {
        DeadLetterChange::Retry => (EventType::DeadLetterRetried, json!({"operation": operation(change)})),
        DeadLetterChange::Discard { reason } => {
            (EventType::DeadLetterDiscarded, json!({"operation": operation(change), "reason": reason}))
        }
    })
}
