//! Prepares a batch: loads what it needs, decides each request in order, and makes the rows to write. This needs no
//! transaction, so a batch can be prepared while the batch before is written.

use rollcall_events::outcome::{CommittedResource, Outcome};
use rollcall_events::request::{Request, RequestBody, UserOperation};
use rollcall_events::{OrganizationId, Timestamp};
use rollcall_scim::ScimError;
use rollcall_scim::resource::Attributes;
use std::collections::BTreeMap;

use super::decide::{DecideError, Decided, Step, decide_batch, held_names};
use super::known::Expected;
use super::load::{LoadedBatch, RecordedRequest, Start, load, load_more};
use super::notifications::{Notifications, notify};
use super::positions::{PositionRows, Positions};
use super::project::{Projection, ProjectionRows};
use super::span::RequestSpan;
use super::state::{Keys, State};
use crate::db::{Ending, SETTINGS_CHANNEL, StatementBatch, Store, StoreError};
use crate::log::Head;
use crate::log::append::LogAppend;
use crate::log::signer::Guard;
use crate::settings::Prefetch;

/// Maximum number of rounds of loading on demand before the batch is halved.
const MAX_ROUNDS: usize = 8;

/// Batches up to this size are decided on the thread that also serves the connections.
const LIGHT: usize = 16;
const LIGHT_BYTES: usize = 64 * 1024;

/// Requests that are applied together.
#[derive(Debug, Clone)]
pub(crate) struct Batch<'a> {
    pub(crate) requests: RequestSpan,
    /// The total size of their messages in bytes.
    pub(crate) bytes: usize,
    pub(crate) expected: Expected,
    pub(crate) prefetch: Prefetch,
    /// The logs that may be appended to.
    pub(crate) guard: Guard<'a>,
}

/// A batch that is ready to be written.
pub(crate) struct PreparedBatch {
    decisions: Box<Decisions>,
    /// The state with the changes of the batch.
    state: State,
    demand_loads: usize,
}

/// The result of applying a batch.
pub(crate) struct BatchOutcome {
    /// The outcomes, in the order of the requests.
    pub(crate) outcomes: Vec<Outcome>,
    /// The notifications to send.
    pub(crate) notifications: Notifications,
    /// The number of keys that were loaded on demand.
    pub(crate) demand_loads: usize,
}

/// The decisions on a batch: the rows to write, the outcomes, and the notifications.
struct Decisions {
    append: LogAppend,
    rows: ProjectionRows,
    positions: PositionRows,
    /// The organizations whose settings change.
    settings: Vec<OrganizationId>,
    outcomes: Vec<Outcome>,
    notifications: Notifications,
}

/// Loads and decides a batch.
///
/// # Errors
/// If Postgres fails, or a request cannot be processed at all.
pub(crate) async fn prepare(store: &Store, batch: &Batch<'_>, start: Start<'_>) -> Result<PreparedBatch, StoreError> {
    let loading = Box::pin(load(store, &batch.requests, batch.expected, batch.prefetch, start));
    let mut loaded = Box::new(loading.await?);
    batch.guard.check(&loaded.heads)?;
    let now = Timestamp::now();
    let (mut demand_loads, mut rounds) = (0, 0);
    loop {
        let (state, decided) = run_without_blocking(batch, loaded, now).await?;
        loaded = state;
        let missing = match decided? {
            Ok(decisions) => return Ok(PreparedBatch { decisions, state: loaded.state, demand_loads }),
            Err(missing) => missing,
        };
        demand_loads += missing.len();
        rounds += 1;
        // Each round decides the batch once more. A batch that needs many rounds is halved; a single request needs
        // few.
        if rounds > MAX_ROUNDS && batch.requests.len() > 1 {
            return Err(StoreError::Scattered);
        }
        Box::pin(load_more(store, missing, &mut loaded)).await?;
    }
}

/// Decides a batch so that this does not block the connections of this process, or the batch before.
async fn run_without_blocking(
    batch: &Batch<'_>,
    mut loaded: Box<LoadedBatch>,
    now: Timestamp,
) -> Result<(Box<LoadedBatch>, Result<Result<Box<Decisions>, Keys>, StoreError>), StoreError> {
    let requests = batch.requests.clone();
    let work = move || {
        let decided = decide(&mut loaded, &requests, now);
        (loaded, decided)
    };
    if is_light(batch) {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Panicked)
}

/// Whether requests are few, and their cost is bounded by their own size: it does not depend on the size of stored
/// resources.
fn is_light(batch: &Batch<'_>) -> bool {
    let is_light = |request: &Request| match &request.body {
        RequestBody::UserRequested(call) => matches!(call.operation, UserOperation::Create(_) | UserOperation::Delete),
        RequestBody::GroupRequested(_) => false,
        RequestBody::SettingsRequested(_) | RequestBody::AccessDenied(_) | RequestBody::StreamAcknowledged(_) => true,
    };
    batch.requests.len() <= LIGHT && batch.bytes <= LIGHT_BYTES && batch.requests.iter().all(is_light)
}

/// Decides requests and prepares their rows. Returns the missing keys if the loaded state does not suffice.
fn decide(
    loaded: &mut LoadedBatch,
    requests: &[Request],
    now: Timestamp,
) -> Result<Result<Box<Decisions>, Keys>, StoreError> {
    let LoadedBatch { heads, recorded, state } = loaded;
    let time = |organization: OrganizationId| heads.get(&organization).map_or(now, |head| head.next_time(now));
    let is_recorded = |request: &Request| recorded.contains_key(&(request.organization_id, request.id));
    let steps = match decide_batch(state, requests, is_recorded, time) {
        Ok(steps) => steps,
        Err(DecideError::NotLoaded(missing)) => return Ok(Err(*missing)),
        Err(DecideError::Panicked) => return Err(StoreError::Panicked),
        Err(DecideError::NotCanonical(error)) => return Err(error.into()),
        Err(DecideError::Malformed(error)) => return Err(error.into()),
    };
    let unproved = state.unproved_names(held_names(requests, &steps));
    if unproved.len() > 0 {
        state.revert();
        return Ok(Err(unproved));
    }
    let mut append = LogAppend::at(std::mem::take(heads), now, requests.len())?;
    let (mut projection, mut positions, mut notifications) =
        (Projection::default(), Positions::default(), Notifications::default());
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(requests.len());
    for (request, step) in requests.iter().zip(steps) {
        let organization = request.organization_id;
        let outcome = match step {
            Step::Acknowledgement => {
                if let RequestBody::StreamAcknowledged(acknowledged) = &request.body {
                    positions.take(organization, acknowledged);
                }
                Outcome::Applied { resource: None }
            }
            Step::Recorded => {
                // The worker that applied the request may have ended before it sent the notifications.
                notifications.log(organization, append.size(organization));
                notifications.change(organization);
                recorded_outcome(recorded.get(&(organization, request.id)), request)?
            }
            Step::Repeat(first) => repeated_outcome(&requests[first], &outcomes[first], request),
            Step::Decided(decided) => {
                let seq = append.append(request, &decided.entry())?;
                let Decided { error, resource, change, before, .. } = *decided;
                if let Some(change) = change {
                    projection.take(organization, seq, change, before.as_ref());
                }
                outcome(error, resource.as_deref())?
            }
        };
        outcomes.push(outcome);
    }
    append.sizes().for_each(|(organization, size)| notifications.log(organization, size));
    projection.organizations_with_new_members().for_each(|organization| notifications.change(organization));
    let settings = projection.organizations_with_new_settings().iter().copied().collect();
    let (rows, positions) = (projection.rows()?, positions.rows());
    Ok(Ok(Box::new(Decisions { append, rows, positions, settings, outcomes, notifications })))
}

impl PreparedBatch {
    /// The heads after the batch. They have these versions once it is written.
    pub(crate) fn heads(&self) -> BTreeMap<OrganizationId, Head> {
        self.decisions.append.advanced_heads()
    }

    /// Checks that the logs may still be appended to. Time may have passed since the batch was prepared.
    ///
    /// # Errors
    /// If one of the logs is refused.
    pub(crate) fn check(&self, guard: Guard<'_>) -> Result<(), StoreError> {
        guard.check(&self.heads())
    }

    /// The state with the changes of the batch.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Takes the state with which the next batch begins, before this one is written.
    pub(crate) fn take_state(&mut self) -> State {
        let mut state = std::mem::take(&mut self.state);
        state.carry();
        state
    }

    /// Writes everything in one transaction. The heads are advanced first: if one has moved, nothing else is
    /// written.
    ///
    /// # Errors
    /// If Postgres fails, or refuses the batch. Then nothing was written, except that a broken connection may have
    /// committed.
    pub(crate) async fn write(self, store: &Store, ending: Ending) -> Result<BatchOutcome, StoreError> {
        let Decisions { append, rows, positions, settings, .. } = &*self.decisions;
        let columns = append.columns();
        let (channels, payloads) =
            (vec![SETTINGS_CHANNEL; settings.len()], settings.iter().map(OrganizationId::to_string).collect());
        let mut batch = StatementBatch::default();
        append.add_to(&columns, &mut batch);
        rows.add_to(&mut batch);
        positions.add_to(&mut batch);
        notify(&mut batch, &channels, &payloads);
        Store::count_batch();
        store.renew_plans().await?;
        Box::pin(batch.run_in_transaction(store, ending)).await?;
        let Decisions { outcomes, notifications, .. } = *self.decisions;
        Ok(BatchOutcome { outcomes, notifications, demand_loads: self.demand_loads })
    }
}

fn outcome(error: Option<ScimError>, resource: Option<&Attributes>) -> Result<Outcome, StoreError> {
    match error {
        Some(error) => Ok(Outcome::Rejected(error)),
        None => Ok(Outcome::Applied { resource: resource.map(CommittedResource::write).transpose()? }),
    }
}

/// The outcome of a request that an earlier batch recorded.
fn recorded_outcome(recorded: Option<&RecordedRequest>, request: &Request) -> Result<Outcome, StoreError> {
    match recorded {
        Some(recorded) if !recorded.is_other_than(request) => {
            outcome(recorded.error.clone(), recorded.resource.as_deref())
        }
        _ => Ok(Outcome::Rejected(other_request())),
    }
}

/// The outcome of a request that occurs twice in one batch.
fn repeated_outcome(first: &Request, outcome: &Outcome, request: &Request) -> Outcome {
    if first.fingerprint == request.fingerprint { outcome.clone() } else { Outcome::Rejected(other_request()) }
}

fn other_request() -> ScimError {
    ScimError::new(422, "this Idempotency-Key came with another request before; a new request needs a new key")
}
