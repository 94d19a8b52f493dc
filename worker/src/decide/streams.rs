//! Event streams.

use rollcall_events::StreamId;
use rollcall_events::log::EventType;
use rollcall_events::request::{Request, StreamChange};
use rollcall_scim::ScimError;
use serde_json::json;

use super::entity::Stream;
use super::settings::Fact;
use super::state::State;

/// The name of a change in the log.
pub(super) fn operation(change: &StreamChange) -> &'static str {
    match change {
        StreamChange::Create(_) => "createStream",
        StreamChange::Pause { .. } => "pauseStream",
        StreamChange::Resume => "resumeStream",
        StreamChange::Delete => "deleteStream",
    }
}

/// Decides a change of an event stream.
pub(super) fn attempt(state: &State, request: &Request, id: StreamId, change: &StreamChange) -> Result<Fact, ScimError> {
    let (organization, at) = (request.organization_id, request.requested_at);
    match (change, state.stream(organization, id)) {
        (StreamChange::Create(_), Some(_)) => Err(ScimError::uniqueness("there is an event stream with this id already")),
        (StreamChange::Create(settings), None) => {
            if let Some(unknown) = settings.workspaces.iter().find(|id| state.workspace(organization, **id).is_none()) {
                return Err(ScimError::invalid_value(format!("workspaces: there is no workspace {unknown} in the organization")));
            }
            let stream = Stream { id, settings: settings.clone(), created_at: at };
            Ok((EventType::StreamCreated, json!({"stream": stream})))
        }
        (_, None) => Err(ScimError::new(404, "there is no such event stream")),
        (StreamChange::Pause { reason }, Some(true)) => Ok((EventType::StreamPaused, json!({"at": at, "reason": reason}))),
        (StreamChange::Pause { .. }, Some(false)) => Err(ScimError::new(409, "the event stream is paused already")),
        (StreamChange::Resume, Some(false)) => Ok((EventType::StreamResumed, json!({"at": at}))),
        (StreamChange::Resume, Some(true)) => Err(ScimError::new(409, "the event stream is not paused")),
        (StreamChange::Delete, Some(_)) => Ok((EventType::StreamDeleted, json!({"operation": "deleteStream"}))),
    }
}
