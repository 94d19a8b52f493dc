//! Random steps of callers.

use proptest::prelude::*;
use rollcall_events::request::{Dialect, EntitlementKind};
use rollcall_scim::schema::ROLLCALL_SCHEMA;
use serde_json::{Value, json};

use super::{entitlement, user, workspace};

/// Steps of callers. The numbers stand for users, groups, workspaces, entitlements and tokens, which need not
/// exist.
#[derive(Debug, Clone)]
pub(super) enum Act {
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

pub(super) fn acts() -> impl Strategy<Value = Act> {
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
