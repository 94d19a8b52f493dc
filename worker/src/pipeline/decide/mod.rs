//! The core: decides a request on the state.
//!
//! Everything here is pure. Ids and defaults are part of the request, and the time is a parameter, so the
//! same requests always give the same log. A decision never treats an unknown key as absent. It reports the
//! key ([`NotLoaded`]), and the request is decided again once the key is loaded.

mod assign;
mod batch;
mod by_name;
mod entity;
mod fact;
mod groups;
mod keys;
mod layer;
mod members;
mod resource;
mod settings;
mod state;
mod users;

pub(crate) use assign::keys as assigned_keys;
pub(crate) use batch::{DecideError, Decided, Step, decide_batch};
pub(crate) use entity::{
    AuditorToken, Before, Change, Entitlement, Group, Mapping, Session, SessionState, SignInLink, Stream, Token,
    TokenStatus, User, Workspace, is_active,
};
pub(crate) use fact::{Fact, MalformedFact, resource_of};
pub(crate) use keys::{Key, Keys, NotLoaded};
pub(crate) use state::State;

use rollcall_events::Timestamp;
use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::request::{Request, RequestBody};
use rollcall_scim::ScimError;
use serde_json::{Value, json};
use uuid::Uuid;

/// A decision: the fact that goes into the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decision {
    /// The type of the log entry.
    pub(crate) event_type: EventType,
    /// The thing that the entry is about.
    pub(crate) subject: Option<(SubjectType, Uuid)>,
    /// Why the request was rejected, if it was. It must not contain personal data, because it is part of the
    /// header, which is never erased.
    pub(crate) error: Option<ScimError>,
    /// The facts.
    pub(crate) payload: Value,
}

/// Why a decision stopped.
#[derive(Debug)]
enum Interrupt {
    /// It needs keys that are not loaded.
    NotLoaded(NotLoaded),
    /// The request is rejected.
    Refused(Refusal),
}

/// Why a request is rejected. If a name is taken, `about` is the user or group that has it.
#[derive(Debug)]
struct Refusal {
    error: ScimError,
    about: Option<Uuid>,
    user_name: Option<String>,
}

impl From<NotLoaded> for Interrupt {
    fn from(missing: NotLoaded) -> Self {
        Self::NotLoaded(missing)
    }
}

impl From<Refusal> for Interrupt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ScimError> for Interrupt {
    fn from(error: ScimError) -> Self {
        Self::Refused(Refusal { error, about: None, user_name: None })
    }
}

/// Decides one request. Its changes are recorded with the time `at`.
///
/// # Errors
/// If the decision depends on keys that are not loaded.
pub(crate) fn decide(state: &State, request: &Request, at: Timestamp) -> Result<Decision, NotLoaded> {
    let mut decision = match &request.body {
        RequestBody::UserRequested(user) => users::decide(state, request, user, at)?,
        RequestBody::GroupRequested(group) => groups::decide(state, request, group, at)?,
        RequestBody::SettingsRequested(settings) => settings::decide(state, request, settings)?,
        RequestBody::AccessDenied(denied) => Decision {
            event_type: EventType::AccessDenied,
            subject: request.actor.token_id.map(|token| (SubjectType::Token, token.0)),
            error: None,
            payload: json!(denied),
        },
        // It changes nothing that the organization has, so it is not decided.
        RequestBody::StreamAcknowledged(_) => {
            rejected(ScimError::new(500, "an acknowledgement is not decided"), None, json!({}))
        }
    };
    if let Some(fingerprint) = &request.fingerprint {
        decision.payload["fingerprint"] = json!(fingerprint);
    }
    Ok(decision)
}

/// A rejection, which is recorded like a fact. `subject` is the person or thing that the payload is about, so
/// that an erasure of that person finds it.
fn rejected(error: ScimError, subject: Option<(SubjectType, Uuid)>, payload: Value) -> Decision {
    Decision { event_type: EventType::RequestRejected, subject, error: Some(error), payload }
}

#[cfg(test)]
mod prefetch_tests;
#[cfg(test)]
mod tests;
