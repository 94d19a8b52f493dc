//! A fact of the log, and how its payload is read.

use rollcall_events::log::EventType;
use rollcall_scim::resource::Attributes;
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;

/// The payload of a fact is malformed.
#[derive(Debug, thiserror::Error)]
#[error("the payload of {event_type} is malformed: {reason}")]
pub(crate) struct MalformedFact {
    event_type: EventType,
    reason: String,
}

/// The name of the member of a payload that holds the resource after the change.
pub(crate) const RESOURCE: &str = "resource";

/// Removes the resource from a payload and returns it.
pub(crate) fn resource_of(payload: &mut Value) -> Option<Arc<Attributes>> {
    match payload.get_mut(RESOURCE).map(Value::take) {
        Some(Value::Object(resource)) => Some(Arc::new(resource)),
        _ => None,
    }
}

/// A fact, recorded or about to be.
pub(crate) struct Fact {
    pub(crate) event_type: EventType,
    subject_id: Option<Uuid>,
    payload: Value,
    /// The resource, which is no longer in `payload`.
    pub(crate) resource: Option<Arc<Attributes>>,
}

impl Fact {
    pub(crate) fn new(event_type: EventType, subject_id: Option<Uuid>, mut payload: Value) -> Self {
        let resource = resource_of(&mut payload);
        Self { event_type, subject_id, payload, resource }
    }

    /// The resource of a fact that must have one.
    pub(crate) fn required_resource(&self) -> Result<Arc<Attributes>, MalformedFact> {
        self.resource.clone().ok_or_else(|| self.malformed(&"it has no resource"))
    }

    /// Whether the payload was erased.
    pub(crate) fn is_erased(&self) -> bool {
        self.payload.is_null()
    }

    /// Whether the payload has a member.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.payload.get(name).is_some()
    }

    /// Whether the request changed an attribute. A request that changed none is recorded, but changes no row.
    pub(crate) fn changes_attributes(&self) -> bool {
        self.payload["changed"].as_array().is_some_and(|changed| !changed.is_empty())
    }

    /// The id of the thing that the fact is about.
    pub(crate) fn subject(&self) -> Result<Uuid, MalformedFact> {
        self.subject_id.ok_or_else(|| self.malformed(&"it has no subject"))
    }

    /// Reads a member of the payload.
    pub(crate) fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, MalformedFact> {
        T::deserialize(&self.payload[name]).map_err(|error| self.malformed(&format_args!("{name}: {error}")))
    }

    /// The error for a payload that cannot be read.
    pub(crate) fn malformed(&self, reason: &dyn std::fmt::Display) -> MalformedFact {
        MalformedFact { event_type: self.event_type, reason: reason.to_string() }
    }
}
