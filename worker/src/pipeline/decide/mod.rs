//! The core: decides a request on the state.
//!
//! Everything here is pure. Ids and defaults are part of the request, and the time is a parameter, so the
//! same requests always give the same log. A decision never treats an unknown key as absent. It reports the
//! key ([`NotLoaded`]), and the request is decided again once the key is loaded.

mod assign;
mod batch;
mod by_name;
mod change;
mod groups;
mod resource;
mod users;

pub(crate) use batch::{DecideError, Decided, Step, decide_batch, held_names};
pub(crate) use change::Change;

use rollcall_events::Timestamp;
use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::request::{Request, RequestBody};
use rollcall_scim::ScimError;
use serde_json::json;

use super::decision::Decision;
use super::settings;
use super::state::{NotLoaded, State};

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
            subject: request.actor.token_id().map(|token| (SubjectType::Token, token.0)),
            error: None,
            payload: json!(denied),
        },
        // It changes nothing that the organization has, so it is not decided.
        RequestBody::StreamAcknowledged(_) => {
            Decision::rejected(ScimError::new(500, "an acknowledgement is not decided"), None, json!({}))
        }
    };
    if let Some(fingerprint) = &request.fingerprint {
        decision.payload["fingerprint"] = json!(fingerprint);
    }
    Ok(decision)
}

#[cfg(test)]
mod prefetch_tests;
#[cfg(test)]
mod tests;
