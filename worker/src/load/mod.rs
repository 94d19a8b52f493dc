//! Reads what a batch needs to know: the log heads, what is recorded already, and the state that its requests look up.
//!
//! Nothing is locked. The heads are read first, in the same snapshot as what nearly every batch looks up: whatever is read later is at least as new as they are, and a batch
//! that was decided on something newer, or on something that has changed since, finds that its head has moved when it is written.

mod prefetch;
mod statements;

pub(crate) use prefetch::Prefetch;
pub(crate) use statements::statements;

use rollcall_events::log::CompactRange;
use rollcall_events::request::Request;
use rollcall_events::{EventId, OrganizationId, Timestamp};
use rollcall_scim::ScimError;
use rollcall_scim::resource::Attributes;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use crate::decide::{Keys, State, resource_of};
use crate::store::{Store, StoreError};
use prefetch::Expectation;
use statements::{ENSURE_HEADS, fetch};

/// A request that is in the log already.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// Why it was refused, if it was.
    pub(crate) error: Option<ScimError>,
    /// The resource as the request left it, unless it was erased.
    pub(crate) resource: Option<Arc<Attributes>>,
    /// What it came with, unless it was erased.
    fingerprint: Option<Value>,
}

impl Recorded {
    /// Whether what came with the same id is another request.
    pub(crate) fn is_other_than(&self, request: &Request) -> bool {
        self.fingerprint.as_ref().is_some_and(|fingerprint| fingerprint.as_str() != request.fingerprint.as_deref())
    }
}

/// The head of a log.
#[derive(Debug)]
pub(crate) struct Head {
    /// What there is of the log.
    pub(crate) log: CompactRange,
    /// How often the head was advanced.
    pub(crate) version: i64,
    /// When the newest entry was recorded.
    pub(crate) recorded_at: Option<Timestamp>,
}

impl Head {
    /// When a batch records what comes next: now, and always later than everything that was recorded before, whatever the clocks say. So a reader who has seen a time
    /// has seen everything up to it.
    pub(crate) fn next_time(&self, now: Timestamp) -> Timestamp {
        self.recorded_at.map_or(now, |before| now.max(before.next()))
    }
}

/// What is expected of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// That it is new. Neither what is recorded under its ids nor whom it creates is looked for, unless the sender has chosen the ids: if something is there all the same,
    /// Postgres refuses the batch ([`StoreError::AlreadyRecorded`]), and it is decided again as one with repeats.
    New,
    /// That some of it may have been applied before.
    Repeats,
}

/// What was loaded for a batch.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// The log heads.
    pub(crate) heads: BTreeMap<OrganizationId, Head>,
    /// What is recorded already.
    pub(crate) recorded: HashMap<(OrganizationId, EventId), Recorded>,
    /// The state.
    pub(crate) state: State,
}

/// Reads the heads and what the requests are expected to look up.
///
/// # Errors
/// Where Postgres fails or holds something that cannot be read.
pub(crate) async fn load(store: &Store, requests: &[Request], expected: Expected, prefetch: Prefetch) -> Result<Loaded, StoreError> {
    store.renew_plans().await?;
    let Expectation { organizations, events, new_users, keys } = Expectation::of(requests, expected);
    let keys = prefetch.choose(keys);
    let mut loaded = Loaded::default();
    fetch(store, &organizations, &events, &keys, &mut loaded).await?;
    if loaded.heads.len() < organizations.len() {
        // The first request of an organization: its log begins.
        store.query(ENSURE_HEADS, &[&organizations.iter().copied().collect::<Vec<_>>()]).await?;
        loaded = Loaded::default();
        fetch(store, &organizations, &events, &keys, &mut loaded).await?;
    }
    loaded.state.load_absences(keys);
    for (organization, id) in new_users {
        loaded.state.presume_new(organization, id);
    }
    Ok(loaded)
}

/// Reads keys that a decision has asked for. They are read later than the heads were: if they have changed in between, the head has moved.
///
/// # Errors
/// Where Postgres fails or holds something that cannot be read.
pub(crate) async fn load_more(store: &Store, keys: Keys, loaded: &mut Loaded) -> Result<(), StoreError> {
    fetch(store, &[].into(), &[].into(), &keys, loaded).await?;
    loaded.state.load_absences(keys);
    Ok(())
}

/// The users and groups of an organization with these ids, and nothing else.
///
/// # Errors
/// Where Postgres fails or holds something that cannot be read.
pub(crate) async fn load_subjects(store: &Store, keys: Keys) -> Result<State, StoreError> {
    let mut loaded = Loaded::default();
    load_more(store, keys, &mut loaded).await?;
    Ok(loaded.state)
}

fn head(row: &Row) -> Result<Head, StoreError> {
    let size: i64 = row.try_get("size")?;
    let peaks: Vec<Vec<u8>> = row.try_get("peaks")?;
    let log = CompactRange::from_parts(size.unsigned_abs(), &peaks)?;
    Ok(Head { log, version: row.try_get("version")?, recorded_at: row.try_get("at")? })
}

fn recorded_request(row: &Row) -> Result<Recorded, StoreError> {
    let payload: Option<Value> = row.try_get("resource")?;
    let fingerprint = payload.as_ref().map(|payload| payload["fingerprint"].clone());
    Ok(Recorded {
        error: row.try_get::<_, Option<Json<_>>>("error")?.map(|Json(error)| error),
        resource: payload.and_then(|mut payload| resource_of(&mut payload)),
        fingerprint,
    })
}
