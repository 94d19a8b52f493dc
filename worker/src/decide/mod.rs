//! The core: decides what one request does to the state it meets.
//!
//! Everything here is pure. Ids and defaults come in the request and the time of the record beside it, so that the same requests give the same log, anywhere. A decision
//! never takes what it does not know for absent: it reports the key ([`NotLoaded`]), and is made again once that is loaded.

mod assign;
mod batch;
mod by_name;
mod dead_letters;
mod entitlements;
mod entity;
mod fact;
mod groups;
mod keys;
mod layer;
mod members;
mod resource;
mod sessions;
mod settings;
mod state;
mod streams;
mod users;

pub(crate) use assign::keys as assigned_keys;
pub(crate) use batch::{Decided, Step, Undecided, decide_batch};
pub(crate) use entity::{
    AuditorToken, Before, Change, Entitlement, Group, Mapping, Session, SessionState, SignInLink, Stream, Token, TokenStatus, User,
    Workspace, is_active,
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

/// Why a decision ended before there was one.
#[derive(Debug)]
enum Interrupt {
    /// It needs to know something that is not loaded.
    NotLoaded(NotLoaded),
    /// The request is refused.
    Refused(Refusal),
}

/// Why a request is refused, and about whom: a name that is taken is somebody else's.
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

/// Decides one request; what it changes is recorded as of `at`.
///
/// # Errors
/// Where the state does not hold something that the decision depends on: the keys of it.
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
        // It changes nothing that the organization has, and is not decided.
        RequestBody::StreamAcknowledged(_) => rejected(ScimError::new(500, "an acknowledgement is not decided"), None, json!({})),
    };
    if let Some(fingerprint) = &request.fingerprint {
        decision.payload["fingerprint"] = json!(fingerprint);
    }
    Ok(decision)
}

/// A refusal, recorded as a fact of its own. `subject` is whoever the payload is about, so that erasing them reaches it.
fn rejected(error: ScimError, subject: Option<(SubjectType, Uuid)>, payload: Value) -> Decision {
    Decision { event_type: EventType::RequestRejected, subject, error: Some(error), payload }
}

#[cfg(test)]
mod prefetch_tests;
#[cfg(test)]
mod tests;
