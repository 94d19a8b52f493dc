//! Dead letters: tried again, or discarded.

use rollcall_events::DeadLetterId;
use rollcall_events::log::EventType;
use rollcall_events::request::{DeadLetterChange, Request};
use rollcall_scim::ScimError;
use serde_json::json;

use super::Interrupt;
use super::settings::Fact;
use super::state::State;

/// The name of a change in the log.
pub(super) fn operation(change: &DeadLetterChange) -> &'static str {
    match change {
        DeadLetterChange::Retry => "retry",
        DeadLetterChange::Discard { .. } => "discard",
    }
}

/// Decides what becomes of a dead letter. It happens once: then there is none with this id any more.
pub(super) fn attempt(state: &State, request: &Request, id: DeadLetterId, change: &DeadLetterChange) -> Result<Fact, Interrupt> {
    if !state.has_dead_letter(request.organization_id, id)? {
        return Err(ScimError::new(404, "there is no such dead letter, or no longer").into());
    }
    Ok(match change {
        DeadLetterChange::Retry => (EventType::DeadLetterRetried, json!({"operation": operation(change)})),
        DeadLetterChange::Discard { reason } => (EventType::DeadLetterDiscarded, json!({"operation": operation(change), "reason": reason})),
    })
}
