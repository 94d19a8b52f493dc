//! The rows that a batch loads.

use rollcall_events::log::ErrorCode;
use rollcall_events::request::Request;
use rollcall_events::{EventId, OrganizationId};
use rollcall_scim::ScimError;
use rollcall_scim::resource::Attributes;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use crate::db::StoreError;
use crate::fact::resource_of;
use crate::log::Head;
use crate::pipeline::known::KnownLogs;
use crate::pipeline::state::State;

/// A request that the log has already.
#[derive(Debug)]
pub(crate) struct RecordedRequest {
    /// Why it was rejected, if it was.
    pub(crate) error: Option<ScimError>,
    /// The resource as the request left it; `None` if there is none or it was erased.
    pub(crate) resource: Option<Arc<Attributes>>,
    /// The fingerprint of the call; `None` if the request was erased.
    fingerprint: Option<Value>,
}

impl RecordedRequest {
    /// Whether a request with the same event id is a different one.
    pub(crate) fn is_other_than(&self, request: &Request) -> bool {
        self.fingerprint.as_ref().is_some_and(|fingerprint| fingerprint.as_str() != request.fingerprint.as_deref())
    }
}

/// The start of a batch: the known logs of its partition, and the state after the batch before, which may not be
/// committed yet.
#[derive(Debug, Default)]
pub(crate) struct Start<'a> {
    pub(crate) known: Option<&'a KnownLogs>,
    pub(crate) state: State,
}

/// The rows that were loaded for a batch.
#[derive(Debug, Default)]
pub(crate) struct LoadedBatch {
    /// The log heads of its organizations.
    pub(crate) heads: BTreeMap<OrganizationId, Head>,
    /// The requests that are recorded already.
    pub(crate) recorded: HashMap<(OrganizationId, EventId), RecordedRequest>,
    /// The state.
    pub(crate) state: State,
}

/// Reads a recorded request from a row.
pub(super) fn recorded_request(row: &Row) -> Result<RecordedRequest, StoreError> {
    let payload: Option<Value> = row.try_get("resource")?;
    let fingerprint = payload.as_ref().map(|payload| payload["fingerprint"].clone());
    let detail = payload.as_ref().and_then(|payload| payload["detail"].as_str()).map(str::to_owned);
    let code = row.try_get::<_, Option<Json<ErrorCode>>>("error")?;
    Ok(RecordedRequest {
        error: code.map(|Json(code)| code.with_detail(detail)),
        resource: payload.and_then(|mut payload| resource_of(&mut payload)),
        fingerprint,
    })
}
