//! The core: decides what one request does to the state it meets.
//!
//! Everything here is pure. Time, ids and defaults come in the request, so that the same requests give the same log, anywhere.

mod entity;
mod fact;
mod groups;
mod letters;
mod resource;
mod sessions;
mod settings;
mod state;
mod streams;
mod users;

pub(crate) use entity::{
    AuditorToken, Before, Change, Group, Mapping, Session, SessionState, SignInLink, Stream, Token, User, Workspace, is_active,
};
pub(crate) use fact::{Fact, MalformedFact, resource_of};
pub(crate) use state::State;

use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::request::{Request, RequestBody};
use rollcall_scim::ScimError;
use serde_json::{Value, json};
use uuid::Uuid;

/// What was decided: the fact that goes into the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decision {
    /// What happened.
    pub(crate) event_type: EventType,
    /// What it happened to.
    pub(crate) subject: Option<(SubjectType, Uuid)>,
    /// Why it was refused, if it was. Without personal data: the header that it goes into is never erased.
    pub(crate) error: Option<ScimError>,
    /// The facts.
    pub(crate) payload: Value,
}

/// Decides one request.
pub(crate) fn decide(state: &State, request: &Request) -> Decision {
    let mut decision = match &request.body {
        RequestBody::UserRequested(user) => users::decide(state, request, user),
        RequestBody::GroupRequested(group) => groups::decide(state, request, group),
        RequestBody::SettingsRequested(settings) => settings::decide(state, request, settings),
        RequestBody::AccessDenied(denied) => Decision {
            event_type: EventType::AccessDenied,
            subject: request.actor.token_id.map(|token| (SubjectType::Token, token.0)),
            error: None,
            payload: json!(denied),
        },
        // It is not for this room: it changes nothing that the organisation has.
        RequestBody::StreamAcknowledged(_) => rejected(ScimError::new(500, "an acknowledgement is not decided"), None, json!({})),
    };
    if let Some(fingerprint) = &request.fingerprint {
        decision.payload["fingerprint"] = json!(fingerprint);
    }
    decision
}

/// A refusal, recorded as a fact of its own. `subject` is whoever the payload is about, so that erasing them reaches it.
fn rejected(error: ScimError, subject: Option<(SubjectType, Uuid)>, payload: Value) -> Decision {
    Decision { event_type: EventType::RequestRejected, subject, error: Some(error), payload }
}

#[cfg(test)]
mod tests;
