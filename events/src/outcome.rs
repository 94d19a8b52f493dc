//! Outcomes: the worker's replies to the api.

use rollcall_scim::ScimError;
use rollcall_scim::resource::Attributes;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use std::sync::Arc;

use crate::CorrelationId;

/// The outcome of one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The request is committed.
    Applied {
        /// The resource as it was committed. `None` if there is no resource.
        resource: Option<CommittedResource>,
    },
    /// The request is recorded as rejected.
    Rejected(ScimError),
    /// The request could not be processed. It is a dead letter, and an operator decides what to do with it.
    Failed,
}

/// A resource as it was committed, as JSON. The worker sends it and the api returns it unchanged, so that an
/// api of another version gives the same answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommittedResource(Arc<RawValue>);

impl CommittedResource {
    /// Encodes a resource.
    ///
    /// # Errors
    /// If it cannot be written as JSON. A resource can.
    pub fn write(resource: &Attributes) -> Result<Self, serde_json::Error> {
        to_raw_value(resource).map(|raw| Self(raw.into()))
    }

    /// Decodes the resource.
    ///
    /// # Errors
    /// If the JSON is not an object.
    pub fn read(&self) -> Result<Attributes, serde_json::Error> {
        serde_json::from_str(self.0.get())
    }
}

/// Compares resources regardless of the order of their members, because Postgres sorts the members of a
/// `jsonb` object.
impl PartialEq for CommittedResource {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get() || matches!((self.read(), other.read()), (Ok(left), Ok(right)) if left == right)
    }
}

/// The outcomes of a batch for one api instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcomes {
    /// The outcomes, each with the correlation id of the call that waits for it.
    pub outcomes: Vec<(CorrelationId, Outcome)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_resource_arrives_as_it_was_committed() {
        let resource = json!({"userName": "ada", "meta": {"version": "W/\"1\""}}).as_object().cloned().unwrap();
        let outcome = Outcome::Applied { resource: Some(CommittedResource::write(&resource).unwrap()) };
        let outcomes = Outcomes { outcomes: vec![(CorrelationId::generate(), outcome.clone())] };
        let arrived: Outcomes = serde_json::from_slice(&serde_json::to_vec(&outcomes).unwrap()).unwrap();
        let Outcome::Applied { resource: Some(committed) } = &arrived.outcomes[0].1 else { panic!("{arrived:?}") };
        assert_eq!((committed.read().unwrap(), &arrived.outcomes[0].1), (resource, &outcome));
    }
}
