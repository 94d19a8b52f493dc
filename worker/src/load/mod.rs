//! Reads everything that a batch needs: the log heads, the requests that are recorded already, and the state.
//!
//! Nothing is locked. The heads are read first, in the same snapshot as the keys that nearly every batch
//! looks up. Everything that is read later is at least as new as the heads. If a batch was decided on newer
//! state, or on state that has changed since, its head has moved by the time it is written.

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

/// A request that the log has already.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// Why it was rejected, if it was.
    pub(crate) error: Option<ScimError>,
    /// The resource as the request left it; `None` if there is none or it was erased.
    pub(crate) resource: Option<Arc<Attributes>>,
    /// The fingerprint of the call; `None` if the request was erased.
    fingerprint: Option<Value>,
}

impl Recorded {
    /// Whether a request with the same event id is a different one.
    pub(crate) fn is_other_than(&self, request: &Request) -> bool {
        self.fingerprint.as_ref().is_some_and(|fingerprint| fingerprint.as_str() != request.fingerprint.as_deref())
    }
}

/// The head of an organization's log.
#[derive(Debug)]
pub(crate) struct Head {
    /// The size and the peaks of the log.
    pub(crate) log: CompactRange,
    /// How often the head has been advanced.
    pub(crate) version: i64,
    /// When the newest entry was recorded.
    pub(crate) recorded_at: Option<Timestamp>,
}

impl Head {
    /// The time to record the next entry: now, but always later than the entry before, whatever the clocks
    /// say. So a reader that has seen a time has seen all entries up to it.
    pub(crate) fn next_time(&self, now: Timestamp) -> Timestamp {
        self.recorded_at.map_or(now, |before| now.max(before.next()))
    }
}

/// Whether a batch may contain repeated requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// All requests are taken for new. Recorded requests are looked for only if the sender chose the event
    /// id, and users to be created are not looked for. If one exists anyway, Postgres refuses the batch
    /// ([`StoreError::AlreadyRecorded`]), and it is decided again with [`Expected::Repeats`].
    New,
    /// Some requests may have been applied before.
    Repeats,
}

/// The rows that were loaded for a batch.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// The log heads of its organizations.
    pub(crate) heads: BTreeMap<OrganizationId, Head>,
    /// The requests that are recorded already.
    pub(crate) recorded: HashMap<(OrganizationId, EventId), Recorded>,
    /// The state.
    pub(crate) state: State,
}

/// Reads the heads and the keys that the requests are expected to look up.
///
/// # Errors
/// If Postgres fails or holds a value that cannot be read.
pub(crate) async fn load(store: &Store, requests: &[Request], expected: Expected, prefetch: Prefetch) -> Result<Loaded, StoreError> {
    store.renew_plans().await?;
    let Expectation { organizations, events, new_users, keys } = Expectation::of(requests, expected);
    let keys = prefetch.choose(keys);
    let mut loaded = Loaded::default();
    fetch(store, &organizations, &events, &keys, &mut loaded).await?;
    if loaded.heads.len() < organizations.len() {
        // For the first request of an organization, create the head of its log.
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

/// Reads keys that a decision has asked for. They are read later than the heads. If they changed in between,
/// the head has moved.
///
/// # Errors
/// If Postgres fails or holds a value that cannot be read.
pub(crate) async fn load_more(store: &Store, keys: Keys, loaded: &mut Loaded) -> Result<(), StoreError> {
    fetch(store, &[].into(), &[].into(), &keys, loaded).await?;
    loaded.state.load_absences(keys);
    Ok(())
}

/// Reads users and groups by id, without the log heads.
///
/// # Errors
/// If Postgres fails or holds a value that cannot be read.
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
