//! Decisions about event streams.

use rollcall_events::StreamId;
use rollcall_events::log::EventType;
use rollcall_events::request::{Request, StreamChange};
use rollcall_scim::ScimError;
use serde_json::json;

use super::shared::{SettingFact, no_workspace};
use crate::pipeline::decide::Interrupt;
use crate::pipeline::decide::entity::Stream;
use crate::pipeline::decide::keys::look_up_all;
use crate::pipeline::decide::state::State;

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
pub(super) fn attempt(
    state: &State,
    request: &Request,
    id: StreamId,
    change: &StreamChange,
) -> Result<SettingFact, Interrupt> {
    let (organization, at) = (request.organization_id, request.requested_at);
    match (change, state.stream(organization, id)?) {
        (StreamChange::Create(_), Some(_)) => {
            Err(ScimError::uniqueness("there is an event stream with this id already").into())
        }
        (StreamChange::Create(settings), None) => {
            let named = look_up_all(&settings.workspaces, |id| state.workspace(organization, **id))?;
            if let Some((unknown, _)) = named.iter().find(|(_, workspace)| workspace.is_none()) {
                return Err(no_workspace(**unknown).into());
            }
            let stream = Stream { id, settings: settings.clone(), created_at: at };
            Ok((EventType::StreamCreated, json!({"stream": stream})))
        }
        (_, None) => Err(ScimError::new(404, "there is no such event stream").into()),
        (StreamChange::Pause { reason }, Some(true)) => {
            Ok((EventType::StreamPaused, json!({"at": at, "reason": reason})))
        }
        (StreamChange::Pause { .. }, Some(false)) => {
            Err(ScimError::new(409, "the event stream is paused already").into())
        }
        (StreamChange::Resume, Some(false)) => Ok((EventType::StreamResumed, json!({"at": at}))),
        (StreamChange::Resume, Some(true)) => Err(ScimError::new(409, "the event stream is not paused").into()),
        (StreamChange::Delete, Some(_)) => Ok((EventType::StreamDeleted, json!({"operation": "deleteStream"}))),
    }
}
