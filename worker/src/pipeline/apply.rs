//! Applies a batch of requests: load, decide each in order, write, commit. If the prefetch loads everything
//! that the batch looks up, this takes two round trips, whatever the number of requests.

use rollcall_events::outcome::{CommittedResource, Outcome};
use rollcall_events::request::{Request, RequestBody, UserOperation};
use rollcall_events::{OrganizationId, Timestamp};
use rollcall_scim::ScimError;
use rollcall_scim::resource::Attributes;

use super::decide::{DecideError, Decided, Step, decide_batch};
use super::load::{Expected, LoadedBatch, RecordedRequest, load, load_more};
use super::notifications::{Notifications, notify};
use super::positions::{PositionRows, Positions};
use super::project::{Projection, ProjectionRows};
use super::state::Keys;
use crate::db::SETTINGS_CHANNEL;
use crate::db::{Ending, StatementBatch, Store, StoreError};
use crate::log::append::LogAppend;
use crate::log::signer::Guard;
use crate::settings::Prefetch;

/// Maximum number of attempts when other writers move the heads. After that it counts as an outage.
const MAX_ATTEMPTS: usize = 100;
/// Maximum number of rounds of loading on demand before the batch is halved.
const MAX_ROUNDS: usize = 8;

/// Batches up to this size are decided on the thread that also serves the connections.
const LIGHT_BYTES: usize = 64 * 1024;

/// Requests that are applied together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub(crate) requests: &'a [Request],
    /// The total size of their messages in bytes.
    pub(crate) bytes: usize,
    pub(crate) expected: Expected,
    pub(crate) prefetch: Prefetch,
    /// Whether the batch is committed, or is a trial.
    pub(crate) ending: Ending,
    /// The logs that may be appended to.
    pub(crate) guard: Guard<'a>,
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

/// Applies all requests or none. If another writer has moved a head, they are decided again at once.
///
/// # Errors
/// If Postgres fails, or a request cannot be processed at all. Then nothing was applied, except that a broken
/// connection may have committed.
pub(crate) async fn apply(store: &Store, mut batch: Batch<'_>) -> Result<BatchOutcome, StoreError> {
    for _ in 0..MAX_ATTEMPTS {
        match attempt(store, batch).await {
            Err(StoreError::AlreadyRecorded) if batch.expected == Expected::Repeats => {
                return Err(StoreError::Contradiction);
            }
            // The entries that moved the head may come from these same requests.
            Err(StoreError::AlreadyRecorded | StoreError::HeadMoved) => batch.expected = Expected::Repeats,
            applied => return applied,
        }
    }
    Err(StoreError::Contended)
}

async fn attempt(store: &Store, batch: Batch<'_>) -> Result<BatchOutcome, StoreError> {
    let mut loaded = load(store, batch.requests, batch.expected, batch.prefetch).await?;
    batch.guard.check(&loaded.heads)?;
    let now = Timestamp::now();
    let (mut demand_loads, mut rounds) = (0, 0);
    let prepared = loop {
        match run_without_blocking(batch, || prepare(&mut loaded, batch.requests, now))? {
            Ok(prepared) => break prepared,
            Err(missing) => {
                demand_loads += missing.len();
                rounds += 1;
                // Each round decides the batch once more. A batch that needs many rounds is halved; a single
                // request needs few.
                if rounds > MAX_ROUNDS && batch.requests.len() > 1 {
                    return Err(StoreError::Scattered);
                }
                load_more(store, missing, &mut loaded).await?;
            }
        }
    };
    let PreparedBatch { append, rows, positions, settings, outcomes, notifications } = prepared;
    write(store, &append, &rows, &positions, &settings, batch.ending).await?;
    Ok(BatchOutcome { outcomes, notifications, demand_loads })
}

/// Runs `work` so that it does not block the connections of this process.
fn run_without_blocking<T>(batch: Batch<'_>, work: impl FnOnce() -> T) -> T {
    if is_light(batch) { work() } else { tokio::task::block_in_place(work) }
}

/// Whether the cost of a batch is bounded by its own size: it does not depend on the size of stored
/// resources.
fn is_light(batch: Batch<'_>) -> bool {
    let is_light = |request: &Request| match &request.body {
        RequestBody::UserRequested(call) => matches!(call.operation, UserOperation::Create(_) | UserOperation::Delete),
        RequestBody::GroupRequested(_) => false,
        RequestBody::SettingsRequested(_) | RequestBody::AccessDenied(_) | RequestBody::StreamAcknowledged(_) => true,
    };
    batch.bytes <= LIGHT_BYTES && batch.requests.iter().all(is_light)
}

/// A decided batch: the rows to write, the outcomes, and the notifications.
struct PreparedBatch {
    append: LogAppend,
    rows: ProjectionRows,
    positions: PositionRows,
    /// The organizations whose settings change.
    settings: Vec<OrganizationId>,
    outcomes: Vec<Outcome>,
    notifications: Notifications,
}

/// Decides a batch and prepares its rows. Returns the missing keys if the loaded state does not suffice.
fn prepare(
    loaded: &mut LoadedBatch,
    requests: &[Request],
    now: Timestamp,
) -> Result<Result<PreparedBatch, Keys>, StoreError> {
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
    Ok(Ok(PreparedBatch {
        append,
        rows: projection.rows()?,
        positions: positions.rows(),
        settings,
        outcomes,
        notifications,
    }))
}

/// Writes everything in one transaction. The heads are advanced first: if one has moved, nothing else is
/// written.
async fn write(
    store: &Store,
    append: &LogAppend,
    rows: &ProjectionRows,
    positions: &PositionRows,
    settings: &[OrganizationId],
    ending: Ending,
) -> Result<(), StoreError> {
    let columns = append.columns();
    let (channels, payloads) =
        (vec![SETTINGS_CHANNEL; settings.len()], settings.iter().map(OrganizationId::to_string).collect());
    let mut batch = StatementBatch::default();
    append.add_to(&columns, &mut batch);
    rows.add_to(&mut batch);
    positions.add_to(&mut batch);
    notify(&mut batch, &channels, &payloads);
    Box::pin(batch.run_in_transaction(store, ending)).await
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
