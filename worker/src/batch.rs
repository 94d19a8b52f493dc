//! Applies a batch of requests: load, decide each in order, record, project, commit. Two round trips, whatever the number of requests; where they only create users, or are
//! only refused, two statements.

use rollcall_events::Timestamp;
use rollcall_events::outcome::Outcome;
use rollcall_events::request::{Request, RequestBody};
use rollcall_scim::ScimError;
use rollcall_scim::resource::Attributes;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::decide::{Decision, Fact, decide};
use crate::load::{Expected, Loaded, Recorded, load};
use crate::news::{News, tell};
use crate::positions::Positions;
use crate::project::{Projection, SETTINGS_CHANNEL};
use crate::record::Appendix;
use crate::script::Script;
use crate::store::{Store, StoreError};

/// What became of a batch.
pub(crate) struct Applied {
    /// The outcome of each request, in their order.
    pub(crate) outcomes: Vec<Outcome>,
    /// What listeners are to be told of it.
    pub(crate) news: News,
}

/// Applies requests, all of them or none.
///
/// # Errors
/// Where Postgres fails or a request cannot be processed at all. Nothing was applied then.
pub(crate) async fn apply(store: &Store, requests: &[Request], expected: Expected) -> Result<Applied, StoreError> {
    match attempt(store, requests, expected).await {
        Err(error) if expected == Expected::News && error.is_repeat() => attempt(store, requests, Expected::Repeats).await,
        applied => applied,
    }
}

async fn attempt(store: &Store, requests: &[Request], expected: Expected) -> Result<Applied, StoreError> {
    let Loaded { heads, recorded, mut state } = Box::pin(load(store, requests, expected)).await?;
    let mut news = News::default();
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
            // Whoever applied it may not have come to tell of it.
            news.log(request.organization_id, appendix.size(request.organization_id));
            news.change(request.organization_id);
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
    appendix.sizes().for_each(|(organization, size)| news.log(organization, size));
    projection.organizations_with_new_members().for_each(|organization| news.change(organization));
    Box::pin(write(store, &appendix, &projection, &positions)).await?;
    Ok(Applied { outcomes, news })
}

/// Writes everything and commits it.
async fn write(store: &Store, appendix: &Appendix, projection: &Projection, positions: &Positions) -> Result<(), StoreError> {
    let mut script = Script::default();
    projection.before_the_log(&mut script);
    appendix.script(projection, &mut script)?;
    projection.after_the_log(&mut script)?;
    positions.script(&mut script);
    let settings = projection.organizations_with_new_settings();
    tell(&mut script, settings.iter().map(|organization| (SETTINGS_CHANNEL, organization.to_string())));
    script.commit(store).await
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
