//! Loads the rows of a batch.

use rollcall_events::OrganizationId;
use rollcall_events::request::Request;
use std::collections::BTreeSet;

use super::prefetch::Expectation;
use super::statements::{ENSURE_HEADS, fetch};
use super::{LoadedBatch, Start};
use crate::db::{Store, StoreError};
use crate::pipeline::known::{Expected, KnownLogs};
use crate::pipeline::state::{Keys, State};
use crate::settings::Prefetch;

/// Reads the heads and the keys that the requests are expected to look up, unless the partition knows them. If it knows
/// all of them, this is no round trip.
///
/// # Errors
/// If Postgres fails or holds a value that cannot be read; [`StoreError::HeadMoved`] if an organization has had no head.
/// Then it has one now.
pub(crate) async fn load(
    store: &Store,
    requests: &[Request],
    expected: Expected,
    prefetch: Prefetch,
    start: Start<'_>,
) -> Result<LoadedBatch, StoreError> {
    let Expectation { organizations, events, new_users, free_names, keys } = Expectation::of(requests, expected);
    let mut loaded = LoadedBatch { state: start.state, ..LoadedBatch::default() };
    let (mut unknown, mut keys) = (organizations.clone(), prefetch.choose(keys));
    if let Some(known) = start.known {
        take_known(known, &mut unknown, &mut keys, &mut loaded);
    }
    fetch(store, &unknown, &events, &keys, &mut loaded).await?;
    if loaded.heads.len() < organizations.len() {
        // For the first request of an organization, create the head of its log.
        store.query(ENSURE_HEADS, &[&unknown.into_iter().collect::<Vec<_>>()]).await?;
        return Err(StoreError::HeadMoved);
    }
    loaded.state.load_absences(keys);
    for (organization, id) in new_users {
        loaded.state.presume_new(organization, id);
    }
    for (organization, name_key) in free_names {
        loaded.state.presume_free(organization, name_key);
    }
    Ok(loaded)
}

/// Uses known heads and workspaces instead of reading them.
fn take_known(known: &KnownLogs, unknown: &mut BTreeSet<OrganizationId>, keys: &mut Keys, loaded: &mut LoadedBatch) {
    unknown.retain(|organization| match known.head(*organization) {
        Some(head) => {
            loaded.heads.insert(*organization, head.clone());
            false
        }
        None => true,
    });
    keys.workspaces.retain(|(organization, id)| match known.workspace(*organization, *id) {
        Some(workspace) => {
            loaded.state.load_workspace(*organization, workspace.clone());
            false
        }
        None => true,
    });
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
