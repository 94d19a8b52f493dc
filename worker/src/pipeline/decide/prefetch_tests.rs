//! Prefetching costs time and changes no decision. Random histories give the same log with all, none or some
//! of the keys prefetched.

use proptest::prelude::*;
use rollcall_events::actor::Actor;
use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::members::take_member_changes;
use rollcall_events::request::{
    ChangeEntitlement, ChangeToken, CreateWorkspace, Dialect, ENTITLEMENT_TYPE, EntitlementChange, EntitlementKind,
    EntitlementSettings, EraseUser, GroupOperation, GroupRequested, IssueToken, MapGroup, Request, RequestBody,
    RevokeToken, TokenSettings, UserOperation, UserRequested,
};
use rollcall_events::token::Token;
use rollcall_events::{EntitlementId, EventId, GroupId, OrganizationId, Timestamp, TokenId, UserId, WorkspaceId};
use rollcall_scim::ScimError;
use rollcall_scim::patch::{PATCH_SCHEMA, parse};
use rollcall_scim::resource::SizeLimit;
use rollcall_scim::schema::{GROUP, ROLLCALL_SCHEMA, USER};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{DecideError, Decided, State, Step, decide_batch};
use crate::pipeline::state::{Key, Keys, Workspace};

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

/// Steps of callers. The numbers stand for users, groups, workspaces, entitlements and tokens, which need not
/// exist.
#[derive(Debug, Clone)]
enum Act {
    Create(u8, u8, Option<u8>),
    Replace(u8, u8, Option<u8>),
    Patch(u8, Value),
    Delete(u8),
    Erase(u8),
    CreateGroup(u8, u8, Vec<u8>),
    PatchGroup(u8, Value),
    DeleteGroup(u8),
    MapGroup(u8, Vec<u8>),
    CreateWorkspace(u8),
    Define(u8, u8, EntitlementKind),
    Undefine(u8, EntitlementKind),
    IssueToken(u8, u8, Dialect),
    ChangeToken(u8, u8),
    RevokeToken(u8),
}

fn patches_of_users() -> impl Strategy<Value = Value> {
    let workspaces = format!("{ROLLCALL_SCHEMA}:workspaces");
    let (add, choose, by_name) = (workspaces.clone(), workspaces.clone(), workspaces.clone());
    let named = |n: u8| if n.is_multiple_of(2) { entitlement(n / 2).to_string() } else { format!("Thing {}", n / 2) };
    let place = |n: u8| if n.is_multiple_of(2) { workspace(n / 2).to_string() } else { format!("WORKSPACE {}", n / 2) };
    prop_oneof![
        (0_u8..8).prop_map(|name| json!([{"op": "replace", "path": "userName", "value": format!("NAME{name}")}])),
        any::<bool>().prop_map(|active| json!([{"op": "replace", "path": "active", "value": active}])),
        (0_u8..5).prop_map(move |n| json!([{"op": "add", "path": add, "value": [{"value": workspace(n)}]}])),
        (0_u8..5)
            .prop_map(move |n| json!([{"op": "remove", "path": format!("{choose}[value eq \"{}\"]", workspace(n))}])),
        (0_u8..5)
            .prop_map(move |n| json!([{"op": "add", "path": by_name, "value": [{"value": format!("Workspace {n}")}]}])),
        (0_u8..8, prop::sample::select(&EntitlementKind::ALL[..])).prop_map(
            move |(n, kind)| json!([{"op": "add", "path": kind.attribute(), "value": [{"value": named(n)}]}])
        ),
        (0_u8..10).prop_map(
            move |n| json!([{"op": "add", "path": "entitlements", "value": [{"value": place(n), "type": "Workspace"}]}])
        ),
        (0_u8..5).prop_map(
            move |n| json!([{"op": "remove", "path": format!("entitlements[value eq \"{}\"]", workspace(n))}])
        ),
        (0_u8..5).prop_map(move |n| json!([{"op": "remove", "path": format!("entitlements[value eq \"THING {n}\"]")}])),
        (0_u8..5)
            .prop_map(move |n| json!([{"op": "remove", "path": "roles", "value": [{"value": format!("thing {n}")}]}])),
        (0_u8..8, 0_u8..5).prop_map(move |(name, n)| json!([
            {"op": "replace", "path": "userName", "value": format!("name{name}")},
            {"op": "replace", "path": workspaces, "value": [{"value": workspace(n)}]},
        ])),
    ]
}

fn patches_of_groups() -> impl Strategy<Value = Value> {
    let members = |users: Vec<u8>| users.into_iter().map(|n| json!({"value": user(n)})).collect::<Vec<_>>();
    let several = || prop::collection::vec(0_u8..8, 0..4);
    prop_oneof![
        (0_u8..4).prop_map(|name| json!([{"op": "replace", "path": "displayName", "value": format!("GROUP{name}")}])),
        several().prop_map(move |users| json!([{"op": "add", "path": "members", "value": members(users)}])),
        several().prop_map(move |users| json!([{"op": "replace", "path": "members", "value": members(users)}])),
        (0_u8..8).prop_map(|n| json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", user(n))}])),
        (several(), 0_u8..8).prop_map(move |(users, n)| json!([
            {"op": "replace", "path": "members", "value": members(users)},
            {"op": "remove", "path": format!("members[value eq \"{}\"]", user(n))},
        ])),
    ]
}

fn acts() -> impl Strategy<Value = Act> {
    let who = 0_u8..8;
    let place = || prop::option::of(0_u8..5);
    prop_oneof![
        5 => (who.clone(), who.clone(), place()).prop_map(|(n, name, place)| Act::Create(n, name, place)),
        2 => (who.clone(), who.clone(), place()).prop_map(|(n, name, place)| Act::Replace(n, name, place)),
        4 => (who.clone(), patches_of_users()).prop_map(|(n, operations)| Act::Patch(n, operations)),
        2 => who.clone().prop_map(Act::Delete),
        1 => who.clone().prop_map(Act::Erase),
        2 => (0_u8..4, 0_u8..4, prop::collection::vec(who, 0..4)).prop_map(
            |(n, name, members)| Act::CreateGroup(n, name, members)
        ),
        4 => (0_u8..4, patches_of_groups()).prop_map(|(n, operations)| Act::PatchGroup(n, operations)),
        1 => (0_u8..4).prop_map(Act::DeleteGroup),
        1 => (0_u8..4, prop::collection::vec(0_u8..5, 0..3)).prop_map(|(n, places)| Act::MapGroup(n, places)),
        2 => (0_u8..5).prop_map(Act::CreateWorkspace),
        2 => (
            0_u8..4, 0_u8..4, prop::sample::select(&EntitlementKind::ALL[..])
        ).prop_map(|(n, name, kind)| Act::Define(n, name, kind)),
        1 => (0_u8..4, prop::sample::select(&EntitlementKind::ALL[..])).prop_map(|(n, kind)| Act::Undefine(n, kind)),
        1 => (
            0_u8..3, 0_u8..5, prop::sample::select(&Dialect::ALL[..])
        ).prop_map(|(n, place, dialect)| Act::IssueToken(n, place, dialect)),
        1 => (0_u8..3, 0_u8..5).prop_map(|(n, place)| Act::ChangeToken(n, place)),
        1 => (0_u8..3).prop_map(Act::RevokeToken),
    ]
}

fn body(act: Act, default_workspace: WorkspaceId) -> RequestBody {
    let of_user = |n: u8, operation| {
        RequestBody::UserRequested(UserRequested {
            user_id: user(n),
            default_workspace,
            if_match: None,
            size_limit: SizeLimit::default(),
            operation,
        })
    };
    let of_group = |n: u8, operation| {
        RequestBody::GroupRequested(GroupRequested {
            group_id: group(n),
            if_match: None,
            size_limit: SizeLimit::default(),
            operation,
        })
    };
    let named = |name: u8, place: Option<u8>| {
        let mut attributes = json!({"userName": format!("name{name}")});
        if let Some(place) = place {
            attributes[ROLLCALL_SCHEMA] = json!({"workspaces": [{"value": workspace(place)}]});
        }
        attributes.as_object().cloned().unwrap()
    };
    let operations = |resource_type, operations: Value| {
        parse(resource_type, json!({"schemas": [PATCH_SCHEMA], "Operations": operations})).unwrap()
    };
    let settings = |place: u8, dialect| TokenSettings {
        label: "test".parse().unwrap(),
        default_workspace: workspace(place),
        service_origin: "hr.example.com".parse().unwrap(),
        origin_required: true,
        allow_list: None,
        dialect,
        expires_at: None,
        calls_per_second: None,
    };
    match act {
        Act::Create(n, name, place) => of_user(n, UserOperation::Create(named(name, place))),
        Act::Replace(n, name, place) => of_user(n, UserOperation::Replace(named(name, place))),
        Act::Patch(n, patch) => of_user(n, UserOperation::Patch(operations(&USER, patch))),
        Act::Delete(n) => of_user(n, UserOperation::Delete),
        Act::Erase(n) => RequestBody::settings(EraseUser { user_id: user(n) }),
        Act::CreateGroup(n, name, members) => {
            let attributes = json!({"displayName": format!("group{name}")}).as_object().cloned().unwrap();
            of_group(n, GroupOperation::Create(attributes, members.into_iter().map(user).collect()))
        }
        Act::PatchGroup(n, patch) => {
            let (others, changes) = take_member_changes(operations(&GROUP, patch)).unwrap();
            of_group(n, GroupOperation::Patch(others, changes))
        }
        Act::DeleteGroup(n) => of_group(n, GroupOperation::Delete),
        Act::MapGroup(n, places) => {
            let workspaces =
                places.into_iter().map(|place| (workspace(place), ["read".parse().unwrap()].into())).collect();
            RequestBody::settings(MapGroup { group_id: group(n), workspaces })
        }
        Act::CreateWorkspace(n) => {
            let create =
                CreateWorkspace { workspace_id: workspace(n), name: format!("Workspace {}", n % 4).parse().unwrap() };
            RequestBody::settings(create)
        }
        Act::Define(n, name, kind) => {
            let name = format!("thing {name}").parse().unwrap();
            let settings =
                EntitlementSettings { kind, name, type_name: ENTITLEMENT_TYPE.parse().unwrap(), description: None };
            let change = EntitlementChange::Define(settings);
            RequestBody::settings(ChangeEntitlement { entitlement_id: entitlement(n), change })
        }
        Act::Undefine(n, kind) => {
            let change = EntitlementChange::Remove(kind);
            RequestBody::settings(ChangeEntitlement { entitlement_id: entitlement(n), change })
        }
        Act::IssueToken(n, place, dialect) => {
            let digest = Token::generate().unwrap().digest();
            let issue = IssueToken { token_id: token(n), digest, prefix: None, settings: settings(place, dialect) };
            RequestBody::settings(issue)
        }
        Act::ChangeToken(n, place) => {
            let change = ChangeToken { token_id: token(n), settings: settings(place, Dialect::Standard) };
            RequestBody::settings(change)
        }
        Act::RevokeToken(n) => RequestBody::settings(RevokeToken { token_id: token(n) }),
    }
}

fn requests(acts: Vec<(Act, usize, u8)>) -> Vec<Request> {
    let begun: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let request = |(index, (act, organization, default)): (usize, (Act, usize, u8))| Request {
        id: EventId(Uuid::from_u128(0x1000 + index as u128)),
        organization_id: ORGANIZATIONS[organization],
        requested_at: begun.after_seconds(u32::try_from(index).unwrap()),
        actor: Actor::service("test"),
        fingerprint: None,
        body: body(act, workspace(default)),
    };
    acts.into_iter().enumerate().map(request).collect()
}

/// A database. A key that was never stored is absent.
struct World(State);

impl World {
    fn new() -> Self {
        let mut state = State::default();
        for organization in ORGANIZATIONS {
            state.load_organization(organization, "Test".to_owned());
            for n in 0..3 {
                let (id, created_at) = (workspace(n), "2026-01-01T00:00:00Z".parse().unwrap());
                state.load_workspace(organization, Workspace { id, name: format!("Workspace {n}"), created_at });
            }
        }
        Self(state)
    }

    /// Loads keys into another state, as a query would.
    fn load(&mut self, keys: Keys, into: &mut State) {
        self.0.load_absences(keys.clone());
        let world = &self.0;
        for (of, id) in &keys.users {
            world.user(*of, *id).unwrap().into_iter().for_each(|found| into.load_user(*of, found.clone()));
        }
        for (of, name) in &keys.user_names {
            let holder = world.user_named(*of, name.clone()).unwrap();
            let holder = holder.and_then(|id| world.user(*of, id).unwrap());
            if let Some(found) = holder {
                into.load_user(*of, found.clone());
            }
        }
        for (of, id) in &keys.presences {
            if world.has_user(*of, *id).unwrap() {
                into.load_presence(*of, *id);
            }
        }
        for (of, id) in &keys.deletions {
            if world.was_deleted(*of, *id).unwrap() {
                into.load_deletion(*of, *id);
            }
        }
        for (of, id) in &keys.groups {
            world.group(*of, *id).unwrap().into_iter().for_each(|found| into.load_group(*of, found.clone()));
        }
        for (of, name) in &keys.group_names {
            let holder = world.group_named(*of, name.clone()).unwrap();
            let holder = holder.and_then(|id| world.group(*of, id).unwrap());
            if let Some(found) = holder {
                into.load_group(*of, found.clone());
            }
        }
        for (of, group, user) in &keys.members {
            if world.is_member(*of, *group, *user).unwrap() {
                into.load_member(*of, *group, *user);
            }
        }
        for (of, group) in &keys.members_of {
            world.members(*of, *group).unwrap().into_iter().for_each(|user| into.load_member(*of, *group, user));
        }
        for id in &keys.organizations {
            if world.has_organization(*id).unwrap() {
                into.load_organization(*id, "Test".to_owned());
            }
        }
        for (of, id) in &keys.workspaces {
            world.workspace(*of, *id).unwrap().into_iter().for_each(|found| into.load_workspace(*of, found.clone()));
        }
        for (of, name) in &keys.workspace_names {
            let holder = world.workspace_named(*of, name.clone()).unwrap();
            let holder = holder.and_then(|id| world.workspace(*of, id).unwrap());
            if let Some(found) = holder {
                into.load_workspace(*of, found.clone());
            }
        }
        for (of, id) in &keys.entitlements {
            world
                .entitlement(*of, *id)
                .unwrap()
                .into_iter()
                .for_each(|found| into.load_entitlement(*of, found.clone()));
        }
        for (of, kind, name) in &keys.entitlement_names {
            let named = world.entitlement_named(*of, *kind, name.clone());
            named.unwrap().into_iter().for_each(|found| into.load_entitlement(*of, found.clone()));
        }
        for (of, id) in &keys.tokens {
            if let Some(standing) = world.token(*of, *id).unwrap() {
                into.load_token(*of, *id, standing);
            }
        }
        into.load_absences(keys);
    }

    fn take(&mut self, organization: OrganizationId, decided: &Decided) {
        let Some(change) = &decided.change else { return };
        while let Err(missing) = change.apply(organization, &mut self.0) {
            let mut keys = Keys::default();
            keys.extend(missing.0);
            self.0.load_absences(keys);
        }
    }
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

/// All keys that an act can look up.
fn every_key() -> Keys {
    let mut keys = Keys::default();
    for of in ORGANIZATIONS {
        keys.insert(Key::Organization(of));
        for n in 0..8 {
            let name = format!("name{n}");
            keys.extend([
                Key::User(of, user(n)),
                Key::UserName(of, name),
                Key::Presence(of, user(n)),
                Key::Deletion(of, user(n)),
            ]);
        }
        for n in 0..5 {
            let name = format!("workspace {n}");
            keys.extend([Key::Workspace(of, workspace(n)), Key::WorkspaceName(of, name), Key::Token(of, token(n))]);
            // A filter can name an entitlement that is a workspace.
            keys.extend([Key::Entitlement(of, entitlement(n)), Key::WorkspaceName(of, format!("thing {n}"))]);
            keys.extend(EntitlementKind::ALL.map(|kind| Key::EntitlementName(of, kind, format!("thing {n}"))));
            keys.extend([
                Key::Group(of, group(n)),
                Key::GroupName(of, format!("group{n}")),
                Key::Members(of, group(n)),
            ]);
            keys.extend((0..8).map(|member| Key::Member(of, group(n), user(member))));
        }
    }
    keys
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
