//! Prefetching and overlapping cost or save time, and change no decision. Random histories give the same log with
//! all, none or some of the keys prefetched, and if each batch is decided before the one before is committed.

mod acts;
mod requests;
mod world;

use proptest::prelude::*;
use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::request::{Request, RequestBody, UserOperation};
use rollcall_events::{EntitlementId, GroupId, OrganizationId, Timestamp, TokenId, UserId, WorkspaceId};
use rollcall_scim::ScimError;
use rollcall_scim::casefold::casefold;
use rollcall_scim::resource::text;
use serde_json::json;
use test_case::test_case;
use uuid::Uuid;

use super::{DecideError, State, Step, decide_batch, held_names};
use crate::pipeline::state::Keys;
use acts::{Act, acts};
use requests::requests;
use world::{World, every_key};

const ORGANIZATIONS: [OrganizationId; 2] = [OrganizationId(Uuid::from_u128(1)), OrganizationId(Uuid::from_u128(2))];

fn user(n: u8) -> UserId {
    UserId(Uuid::from_u128(0x100 + u128::from(n)))
}

fn group(n: u8) -> GroupId {
    GroupId(Uuid::from_u128(0x200 + u128::from(n)))
}

fn workspace(n: u8) -> WorkspaceId {
    WorkspaceId(Uuid::from_u128(0x300 + u128::from(n)))
}

fn token(n: u8) -> TokenId {
    TokenId(Uuid::from_u128(0x400 + u128::from(n)))
}

fn entitlement(n: u8) -> EntitlementId {
    EntitlementId(Uuid::from_u128(0x500 + u128::from(n)))
}

/// A log entry without its hashes.
type Logged = (OrganizationId, EventType, Option<(SubjectType, Uuid)>, Option<ScimError>, String);

/// Decides requests in batches of the given sizes and returns the log. `prefetch` chooses among all existing
/// keys. Also returns how many keys were loaded on demand.
fn logs(requests: &[Request], sizes: &[usize], prefetch: impl FnMut() -> bool) -> (Vec<Logged>, usize) {
    overlapped(requests, sizes, prefetch, None::<fn() -> bool>)
}

/// As [`logs`]. With `is_late`, each batch begins with the state after the batch before. It says for each batch
/// whether the batch before is committed before it loads, or only after it was decided.
fn overlapped(
    requests: &[Request],
    sizes: &[usize],
    mut prefetch: impl FnMut() -> bool,
    mut is_late: Option<impl FnMut() -> bool>,
) -> (Vec<Logged>, usize) {
    let (mut world, mut logged, mut demand_loads) = (World::new(), Vec::<Logged>::new(), 0);
    let (mut uncommitted, mut carried) = (Vec::new(), State::default());
    let (mut rest, mut sizes) = (requests, sizes.iter().cycle());
    while !rest.is_empty() {
        let (batch, behind) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
        rest = behind;
        let mut state = std::mem::take(&mut carried);
        if !is_late.as_mut().is_some_and(|is_late| is_late()) {
            world.commit(&mut uncommitted);
        }
        let mut keys = every_key();
        keys.retain(&mut prefetch);
        if is_late.is_some() {
            presume_free(batch, &mut keys, &mut state);
        }
        world.load(keys, &mut state);
        let steps = loop {
            let begin: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
            let entries = |of| logged.iter().filter(|entry: &&Logged| entry.0 == of).count();
            let time = |of| begin.after_micros(u32::try_from(entries(of)).unwrap());
            match decide_batch(&mut state, batch, |_| false, time) {
                Ok(steps) => {
                    let mut unproved = state.unproved_names(held_names(batch, &steps));
                    unproved.extend(world.refused_names(&uncommitted, batch, &steps));
                    if unproved.len() == 0 {
                        break steps;
                    }
                    state.revert();
                    world.load(unproved, &mut state);
                }
                Err(DecideError::NotLoaded(missing)) => {
                    assert!(missing.len() > 0, "something is missing");
                    demand_loads += missing.len();
                    world.load(*missing, &mut state);
                }
                Err(error) => panic!("{error:?}"),
            }
        };
        world.commit(&mut uncommitted);
        for (request, step) in batch.iter().zip(steps) {
            let Step::Decided(decided) = step else { panic!("every request is new") };
            let payload = String::from_utf8(decided.payload.clone()).unwrap();
            let (subject, error) = (decided.subject, decided.error.clone());
            logged.push((request.organization_id, decided.event_type, subject, error, payload));
            uncommitted.push((request.organization_id, decided));
        }
        if is_late.is_some() {
            state.carry();
            carried = state;
        } else {
            world.commit(&mut uncommitted);
        }
    }
    (logged, demand_loads)
}

/// Takes the names of users to be created for free, instead of loading them.
fn presume_free(batch: &[Request], keys: &mut Keys, state: &mut State) {
    for request in batch {
        let RequestBody::UserRequested(call) = &request.body else { continue };
        let UserOperation::Create(attributes) = &call.operation else { continue };
        let name = (request.organization_id, casefold(text(attributes, "userName").unwrap()));
        keys.user_names.remove(&name);
        state.presume_free(name.0, name.1);
    }
}

/// Postgres refuses a taken name only if a row is inserted with it. Here, none is.
#[test_case(Act::Delete(1); "deleted")]
#[test_case(Act::Replace(1, 5, None); "renamed by PUT")]
#[test_case(Act::Patch(1, json!([{"op": "replace", "path": "userName", "value": "name5"}])); "renamed by PATCH")]
fn a_name_that_nobody_has_after_the_batch_is_looked_up(then: Act) {
    // After the second batch, the changes of the first one are only in the database.
    let acts = [Act::Create(0, 0, None), Act::Create(2, 7, None), Act::Create(1, 0, None), then];
    let requests = requests(acts.map(|act| (act, 0, 0)).into());
    let (expected, _) = logs(&requests, &[1], || true);
    assert_eq!(expected[2].1, EventType::RequestRejected, "the name is taken");
    for is_late in [true, false] {
        let (found, _) = overlapped(&requests, &[1, 1, 2], || false, Some(|| is_late));
        assert_eq!(found, expected);
    }
}

proptest! {
    #[test]
    fn the_log_does_not_depend_on_what_was_prefetched(
        acts in prop::collection::vec((acts(), 0_usize..2, 0_u8..4), 1..60),
        sizes in prop::collection::vec(1_usize..12, 1..5),
        chosen in prop::collection::vec(any::<bool>(), 1..40),
    ) {
        let requests = requests(acts);
        let (everything, demand_loads) = logs(&requests, &sizes, || true);
        prop_assert_eq!(demand_loads, 0, "everything was there");
        let (nothing, _) = logs(&requests, &sizes, || false);
        prop_assert_eq!(&nothing, &everything);
        let mut chosen = chosen.iter().cycle();
        let (some, _) = logs(&requests, &sizes, || *chosen.next().unwrap());
        prop_assert_eq!(&some, &everything);
        let (late, _) = overlapped(&requests, &sizes, || *chosen.next().unwrap(), Some(|| true));
        prop_assert_eq!(&late, &everything, "nor on when batches are committed");
        let mut times = [true, false, false].iter().cycle();
        let (sometimes, _) = overlapped(&requests, &sizes, || false, Some(|| *times.next().unwrap()));
        prop_assert_eq!(&sometimes, &everything);
        let (one_by_one, _) = logs(&requests, &[1], || false);
        prop_assert_eq!(&one_by_one, &everything, "nor on how requests are batched");
    }
}
