//! What the worker answers to the api that asked.

use rollcall_scim::ScimError;
use rollcall_scim::resource::Attributes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::CorrelationId;

/// The outcome of one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It is committed. The resource as it is now, as far as there is one.
    Applied {
        /// The resource as it is kept; shared with the worker's state, since it can be large.
        resource: Option<Arc<Attributes>>,
    },
    /// It is committed, and the resource is what [`created`](crate::request::created) makes of the request: whoever asked for it need not be told.
    Created,
    /// It is recorded as refused.
    Rejected(ScimError),
    /// It could not be processed and waits among the dead letters for an operator.
    Failed,
}

/// The outcomes of a batch that go to one api instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Each with the call that awaits it.
    pub outcomes: Vec<(CorrelationId, Outcome)>,
}
