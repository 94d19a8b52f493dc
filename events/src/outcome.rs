//! What the worker answers to the api that asked.

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
    /// It is committed. The resource as it is now, if there is one.
    Applied {
        /// The resource as it was committed.
        resource: Option<Committed>,
    },
    /// It is recorded as refused.
    Rejected(ScimError),
    /// It could not be processed and waits among the dead letters for an operator.
    Failed,
}

/// A resource as it was committed, in JSON. It is sent and never computed again, so that an api of another version answers with nothing else.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Committed(Arc<RawValue>);

impl Committed {
    /// Writes a resource.
    ///
    /// # Errors
    /// Where it cannot be written as JSON; a resource can.
    pub fn write(resource: &Attributes) -> Result<Self, serde_json::Error> {
        to_raw_value(resource).map(|raw| Self(raw.into()))
    }

    /// Reads the resource.
    ///
    /// # Errors
    /// Where it is not an object.
    pub fn read(&self) -> Result<Attributes, serde_json::Error> {
        serde_json::from_str(self.0.get())
    }
}

/// The same resource, whatever the order of its members: JSON that comes out of the database is sorted.
impl PartialEq for Committed {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get() || matches!((self.read(), other.read()), (Ok(left), Ok(right)) if left == right)
    }
}

/// The outcomes of a batch that go to one api instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Each with the call that awaits it.
    pub outcomes: Vec<(CorrelationId, Outcome)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_resource_arrives_as_it_was_committed() {
        let resource = json!({"userName": "ada", "meta": {"version": "W/\"1\""}}).as_object().cloned().unwrap();
        let outcome = Outcome::Applied { resource: Some(Committed::write(&resource).unwrap()) };
        let outcomes = Outcomes { outcomes: vec![(CorrelationId::generate(), outcome.clone())] };
        let arrived: Outcomes = serde_json::from_slice(&serde_json::to_vec(&outcomes).unwrap()).unwrap();
        let Outcome::Applied { resource: Some(committed) } = &arrived.outcomes[0].1 else { panic!("{arrived:?}") };
        assert_eq!((committed.read().unwrap(), &arrived.outcomes[0].1), (resource, &outcome));
    }
}
