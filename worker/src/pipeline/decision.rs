//! A decision, and why one stops.

use rollcall_events::log::{EventType, SubjectType};
use rollcall_scim::ScimError;
use serde_json::{Value, json};
use uuid::Uuid;

use super::state::NotLoaded;

/// A decision: the fact that goes into the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decision {
    /// The type of the log entry.
    pub(crate) event_type: EventType,
    /// The thing that the entry is about.
    pub(crate) subject: Option<(SubjectType, Uuid)>,
    /// Why the request was rejected, if it was. The header gets its code, and the payload its detail, which
    /// can be erased.
    pub(crate) error: Option<ScimError>,
    /// The facts.
    pub(crate) payload: Value,
}

impl Decision {
    /// A rejection, which is recorded like a fact. `subject` is the person or thing that the payload is
    /// about, so that an erasure of that person finds it.
    pub(super) fn rejected(error: ScimError, subject: Option<(SubjectType, Uuid)>, mut payload: Value) -> Self {
        payload["detail"] = json!(error.detail);
        Self { event_type: EventType::RequestRejected, subject, error: Some(error), payload }
    }
}

/// Why a decision stopped.
#[derive(Debug)]
pub(super) enum Interrupt {
    /// It needs keys that are not loaded.
    NotLoaded(NotLoaded),
    /// The request is rejected.
    Rejected(Rejection),
}

/// Why a request is rejected. If a name is taken, `about` is the user or group that has it.
#[derive(Debug)]
pub(super) struct Rejection {
    pub(super) error: ScimError,
    pub(super) about: Option<Uuid>,
    pub(super) user_name: Option<String>,
}

impl Rejection {
    /// The decision about a request for the resource `id`, which does not exist yet if it `is_new`. If a name is
    /// taken, the entry is about the holder of the name, so that the holder's erasure removes the name, and `target`
    /// is the resource that was to get it.
    pub(super) fn decision(self, kind: SubjectType, id: Uuid, is_new: bool, operation: &str) -> Decision {
        let mut payload = json!({"operation": operation});
        if let Some(user_name) = self.user_name {
            payload["userName"] = json!(user_name);
        }
        let about = self.about.unwrap_or(id);
        if about != id && !is_new {
            payload["target"] = json!(id);
        }
        Decision::rejected(self.error, Some((kind, about)), payload)
    }
}

impl From<NotLoaded> for Interrupt {
    fn from(missing: NotLoaded) -> Self {
        Self::NotLoaded(missing)
    }
}

impl From<Rejection> for Interrupt {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<ScimError> for Interrupt {
    fn from(error: ScimError) -> Self {
        Self::Rejected(Rejection { error, about: None, user_name: None })
    }
}
