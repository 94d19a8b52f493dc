//! Loads the rows of a batch.

use rollcall_events::request::Request;

use super::prefetch::Expectation;
use super::statements::{ENSURE_HEADS, fetch};
use super::{Expected, LoadedBatch};
use crate::db::{Store, StoreError};
use crate::pipeline::state::{Keys, State};
use crate::settings::Prefetch;

/// Reads the heads and the keys that the requests are expected to look up.
///
/// # Errors
/// If Postgres fails or holds a value that cannot be read.
pub(crate) async fn load(
    store: &Store,
    requests: &[Request],
    expected: Expected,
    prefetch: Prefetch,
) -> Result<LoadedBatch, StoreError> {
    store.renew_plans().await?;
    let Expectation { organizations, events, new_users, keys } = Expectation::of(requests, expected);
    let keys = prefetch.choose(keys);
    let mut loaded = LoadedBatch::default();
    fetch(store, &organizations, &events, &keys, &mut loaded).await?;
    if loaded.heads.len() < organizations.len() {
        // For the first request of an organization, create the head of its log.
        store.query(ENSURE_HEADS, &[&organizations.iter().copied().collect::<Vec<_>>()]).await?;
        loaded = LoadedBatch::default();
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
pub(crate) async fn load_more(store: &Store, keys: Keys, loaded: &mut LoadedBatch) -> Result<(), StoreError> {
    fetch(store, &[].into(), &[].into(), &keys, loaded).await?;
    loaded.state.load_absences(keys);
    Ok(())
}

/// Reads users and groups by id, without the log heads.
///
/// # Errors
/// If Postgres fails or holds a value that cannot be read.
pub(crate) async fn load_subjects(store: &Store, keys: Keys) -> Result<State, StoreError> {
    let mut loaded = LoadedBatch::default();
    load_more(store, keys, &mut loaded).await?;
    Ok(loaded.state)
}
