//! Applies a batch of requests: load, decide each in order, record, project, commit. Two round trips, whatever the number of requests.

use futures_util::try_join;
use rollcall_events::Timestamp;
use rollcall_events::outcome::Outcome;
use rollcall_events::request::{Request, RequestBody};
use rollcall_scim::ScimError;
use rollcall_scim::resource::Attributes;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::decide::{Decision, Fact, decide};
use crate::load::{Loaded, Recorded, load};
use crate::positions::Positions;
use crate::project::Projection;
use crate::record::Appendix;
use crate::store::{Store, StoreError};

/// Applies requests in one transaction; answers their outcomes in the same order.
///
/// # Errors
/// Where Postgres fails or a request cannot be processed at all. Nothing was applied then.
pub(crate) async fn apply(store: &Store, requests: &[Request]) -> Result<Vec<Outcome>, StoreError> {
    let applied = attempt(store, requests).await;
    if applied.is_err() && !store.is_closed() {
        // The failure that led here is the one to report.
        let _ = store.command("ROLLBACK").await;
    }
    applied
}

async fn attempt(store: &Store, requests: &[Request]) -> Result<Vec<Outcome>, StoreError> {
    let Loaded { heads, recorded, mut state } = Box::pin(load(store, requests)).await?;
    let mut appendix = Appendix::at(heads, Timestamp::now(), requests.len())?;
    let (mut projection, mut positions) = (Projection::default(), Positions::default());
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(requests.len());
    let mut decided = HashMap::with_capacity(requests.len());
    for (index, request) in requests.iter().enumerate() {
        if let RequestBody::StreamAcknowledged(acknowledged) = &request.body {
            positions.take(request.organization_id, acknowledged);
            outcomes.push(Outcome::Applied { resource: None });
            continue;
        }
        let key = (request.organization_id, request.id);
        if let Some(recorded) = recorded.get(&key) {
            outcomes.push(recorded_outcome(recorded, request));
            continue;
        }
        if let Some(&first) = decided.get(&key) {
            outcomes.push(repeated_outcome(&requests[first], &outcomes[first], request));
            continue;
        }
        decided.insert(key, index);
        let decision = catch_unwind(AssertUnwindSafe(|| decide(&state, request))).map_err(|_| StoreError::Panicked)?;
        let seq = appendix.append(request, &decision)?;
        let Decision { event_type, subject, payload, error } = decision;
        let fact = Fact::new(event_type, subject.map(|(_, id)| id), payload);
        outcomes.push(outcome(error, fact.resource.clone()));
        if let Some(change) = fact.fold()? {
            let before = state.apply(request.organization_id, &change);
            projection.take(request.organization_id, seq, change, before.as_ref());
        }
    }
    if appendix.is_empty() && positions.is_empty() {
        store.command("ROLLBACK").await?;
    } else {
        Box::pin(write(store, &appendix, &projection, &positions)).await?;
    }
    Ok(outcomes)
}

/// Writes the log, then the projections, and commits: the statements are polled, and so run, in this order.
async fn write(store: &Store, appendix: &Appendix, projection: &Projection, positions: &Positions) -> Result<(), StoreError> {
    let commit = projection.commit(appendix.sizes());
    try_join!(appendix.write(store), projection.write(store), positions.write(store), store.command(&commit)).map(|_| ())
}

fn outcome(error: Option<ScimError>, resource: Option<Arc<Attributes>>) -> Outcome {
    error.map_or(Outcome::Applied { resource }, Outcome::Rejected)
}

/// The outcome of a request that an earlier batch recorded.
fn recorded_outcome(recorded: &Recorded, request: &Request) -> Outcome {
    if recorded.is_other_than(request) {
        return Outcome::Rejected(other_request());
    }
    outcome(recorded.error.clone(), recorded.resource.clone())
}

/// The outcome of a request that came twice in one batch.
fn repeated_outcome(first: &Request, outcome: &Outcome, request: &Request) -> Outcome {
    if first.fingerprint == request.fingerprint { outcome.clone() } else { Outcome::Rejected(other_request()) }
}

fn other_request() -> ScimError {
    ScimError::new(422, "this Idempotency-Key came with another request before; a new request needs a new key")
}
