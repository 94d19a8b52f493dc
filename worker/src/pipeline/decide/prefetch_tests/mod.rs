//! Prefetching costs time and changes no decision. Random histories give the same log with all, none or some
//! of the keys prefetched.

mod acts;
mod requests;
mod world;

use proptest::prelude::*;
use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::request::Request;
use rollcall_events::{EntitlementId, GroupId, OrganizationId, Timestamp, TokenId, UserId, WorkspaceId};
use rollcall_scim::ScimError;
use uuid::Uuid;

use super::{DecideError, State, Step, decide_batch};
use acts::acts;
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
fn logs(requests: &[Request], sizes: &[usize], mut prefetch: impl FnMut() -> bool) -> (Vec<Logged>, usize) {
    let (mut world, mut logged, mut demand_loads) = (World::new(), Vec::<Logged>::new(), 0);
    let (mut rest, mut sizes) = (requests, sizes.iter().cycle());
    while !rest.is_empty() {
        let (batch, behind) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
        rest = behind;
        let mut state = State::default();
        let mut keys = every_key();
        keys.retain(&mut prefetch);
        world.load(keys, &mut state);
        let steps = loop {
            let begin: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
            let entries = |of| logged.iter().filter(|entry: &&Logged| entry.0 == of).count();
            let time = |of| begin.after_micros(u32::try_from(entries(of)).unwrap());
            match decide_batch(&mut state, batch, |_| false, time) {
                Ok(steps) => break steps,
                Err(DecideError::NotLoaded(missing)) => {
                    assert!(missing.len() > 0, "something is missing");
                    demand_loads += missing.len();
                    world.load(*missing, &mut state);
                }
                Err(error) => panic!("{error:?}"),
            }
        };
        for (request, step) in batch.iter().zip(steps) {
            let Step::Decided(decided) = step else { panic!("every request is new") };
            world.take(request.organization_id, &decided);
            let payload = String::from_utf8(decided.payload).unwrap();
            logged.push((request.organization_id, decided.event_type, decided.subject, decided.error, payload));
        }
    }
    (logged, demand_loads)
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
        let (one_by_one, _) = logs(&requests, &[1], || false);
        prop_assert_eq!(&one_by_one, &everything, "nor on how requests are batched");
    }
}
