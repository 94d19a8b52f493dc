//! A PATCH with the names of roles, entitlements and workspaces has the same effect as with their ids.

use rollcall_tests::client::{ROLLCALL, user_with};
use rollcall_tests::{Client, Organization, Stack};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// An organization with two roles, and a license and a workspace of the same name.
struct World {
    organization: Organization,
    client: Client,
    /// The ids, by their placeholders in the cases.
    ids: BTreeMap<&'static str, String>,
}

impl World {
    fn new(stack: &Stack) -> Self {
        let organization = stack.organization();
        let ids = BTreeMap::from([
            ("$editor", organization.define("role", "Editor", &[])),
            ("$viewer", organization.define("role", "Viewer", &[])),
            ("$license", organization.define("entitlement", "Sales", &["--type", "License"])),
            ("$sales", organization.sales.clone()),
            ("$legal", organization.legal.clone()),
        ]);
        Self { client: organization.client(), organization, ids }
    }

    /// Replaces the placeholders of a case by ids.
    fn with_ids(&self, case: &Value) -> Value {
        let text = self.ids.iter().fold(case.to_string(), |text, (name, id)| text.replace(name, id));
        serde_json::from_str(&text.replace("$R", ROLLCALL)).unwrap()
    }

    /// The assignments of a user, as readable texts.
    async fn assignments(&self, stack: &Stack, user: &Value) -> BTreeSet<String> {
        let id = user["id"].as_str().unwrap();
        let workspaces = [
            ("Marketing", &self.organization.marketing),
            ("Legal", &self.organization.legal),
            ("Sales", &self.organization.sales),
        ];
        let name =
            |id: &str| workspaces.iter().find(|(_, workspace)| *workspace == id).map(|(name, _)| format!("in {name}"));
        let values =
            ["roles", "entitlements"].into_iter().flat_map(|list| user[list].as_array().cloned().unwrap_or_default());
        let words = values.map(|value| {
            let shown = value.get("display").unwrap_or(&value["value"]).as_str().unwrap().to_owned();
            value["type"].as_str().map_or(shown.clone(), |of_type| format!("{shown} ({of_type})"))
        });
        words.chain(stack.memberships(id).await.iter().filter_map(|id| name(id))).collect()
    }
}

/// The attributes of a new user, the operations, and the expected assignments.
type Case = (Value, Value, &'static [&'static str]);

fn entitled(name: &str) -> Value {
    json!({"entitlements": [{"value": name, "type": "Workspace"}]})
}

/// Operations in sequence: a later one finds the values of an earlier one, by name or by id.
fn sequences() -> Vec<Case> {
    vec![
        (
            json!({"roles": [{"value": "Editor"}]}),
            json!([
            {"op": "replace", "path": "roles", "value": [{"value": "Editor"}, {"value": "Viewer"}]},
            {"op": "remove", "path": "roles[value eq \"editor\"]"}]),
            &["Viewer", "in Marketing"],
        ),
        (
            json!({}),
            json!([
            {"op": "replace", "path": "roles", "value": [{"value": "EDITOR"}, {"value": "Viewer"}]},
            {"op": "remove", "path": "roles[value eq \"$editor\"]"}]),
            &["Viewer", "in Marketing"],
        ),
        (
            json!({}),
            json!([
            {"op": "add", "path": "roles", "value": [{"value": "$editor"}, {"value": "$viewer"}]},
            {"op": "remove", "path": "roles", "value": [{"value": "Editor"}]}]),
            &["Viewer", "in Marketing"],
        ),
        (
            json!({"$R": {"workspaces": [{"value": "Sales"}]}}),
            json!([
            {"op": "replace", "path": "$R:workspaces", "value": [{"value": "Sales"}, {"value": "Legal"}]},
            {"op": "remove", "path": "$R:workspaces[value eq \"Sales\"]"}]),
            &["in Legal"],
        ),
        (
            entitled("Sales"),
            json!([
            {
                "op": "replace", "path": "entitlements",
                "value": [{"value": "Sales", "type": "Workspace"}, {"value": "Legal", "type": "Workspace"}]
            },
            {"op": "remove", "path": "entitlements[type eq \"workspace\" and value eq \"sales\"]"}]),
            &["Legal (Workspace)", "in Legal"],
        ),
        (
            json!({"$R": {"workspaces": [{"value": "Sales"}]}}),
            json!([
            {"op": "add", "path": "$R:workspaces", "value": [{"value": "Legal"}]},
            {"op": "remove", "path": "$R:workspaces[value eq \"$legal\"]"}]),
            &["in Sales"],
        ),
    ]
}

/// Single operations that select values.
fn choices() -> Vec<Case> {
    let in_both = json!({"entitlements": [{"value": "$license"}, {"value": "Sales", "type": "Workspace"}]});
    let two_roles = json!({"roles": [{"value": "Editor"}, {"value": "Viewer"}]});
    vec![
        // `ne` excludes the named value, by name as by id.
        (two_roles, json!([{"op": "remove", "path": "roles[value ne \"Editor\"]"}]), &["Editor", "in Marketing"]),
        (
            json!({"$R": {"workspaces": [{"value": "Sales"}, {"value": "Legal"}]}}),
            json!([
            {"op": "remove", "path": "$R:workspaces[value ne \"SALES\"]"}]),
            &["in Sales"],
        ),
        (
            in_both.clone(),
            json!([{"op": "remove", "path": "entitlements[value ne \"Sales\" or type eq \"License\"]"}]),
            &["Sales (Workspace)", "in Sales"],
        ),
        // A listed value with a type matches only that type.
        (
            in_both.clone(),
            json!([{"op": "remove", "path": "entitlements", "value": [{"value": "Sales", "type": "License"}]}]),
            &["Sales (Workspace)", "in Sales"],
        ),
        (
            in_both.clone(),
            json!([{"op": "remove", "path": "entitlements", "value": [{"display": "Sales", "type": "Workspace"}]}]),
            &["Sales (License)"],
        ),
        (
            in_both.clone(),
            json!([{"op": "remove", "path": "entitlements", "value": [{"value": "sales"}]}]),
            &["Sales (Workspace)", "in Sales"],
        ),
        (entitled("Legal"), json!([{"op": "remove", "path": "entitlements", "value": [{"value": "LEGAL"}]}]), &[]),
        (
            in_both,
            json!([{"op": "remove", "path": "entitlements[type eq \"Workspace\" and value eq \"Sales\"]"}]),
            &["Sales (License)"],
        ),
    ]
}

/// Single operations on parts of the selected values.
fn parts() -> Vec<Case> {
    let two_roles = json!({"roles": [{"value": "Editor"}, {"value": "Viewer"}]});
    vec![
        // Removing the value removes the whole element.
        (
            two_roles.clone(),
            json!([{"op": "remove", "path": "roles[value eq \"editor\"].value"}]),
            &["Viewer", "in Marketing"],
        ),
        (
            two_roles.clone(),
            json!([{"op": "replace", "path": "roles[value eq \"$viewer\"].value", "value": null}]),
            &["Editor", "in Marketing"],
        ),
        (two_roles, json!([{"op": "remove", "path": "roles.value"}]), &["in Marketing"]),
        (entitled("Sales"), json!([{"op": "remove", "path": "entitlements[type eq \"Workspace\"].value"}]), &[]),
        // A new value does not keep the old name.
        (
            json!({"roles": [{"value": "Viewer"}]}),
            json!([{"op": "replace", "path": "roles[value eq \"viewer\"].value", "value": "Gardener"},
            {"op": "add", "path": "roles", "value": "Editor"}]),
            &["Editor", "Gardener", "in Marketing"],
        ),
        // A workspace is selected by its name, in `value` or in `display`.
        (
            json!({"$R": {"workspaces": [{"value": "Sales"}, {"value": "Legal"}]}}),
            json!([
            {"op": "replace", "path": "$R:workspaces[display eq \"Sales\"].permissions", "value": ["read"]},
            {"op": "remove", "path": "$R:workspaces[display eq \"legal\"]"}]),
            &["in Sales"],
        ),
        // Plain texts are compared without regard to case.
        (
            json!({"roles": [{"value": "Plain"}, {"value": "Other"}]}),
            json!([{"op": "remove", "path": "roles", "value": [{"value": "PLAIN"}]}]),
            &["Other", "in Marketing"],
        ),
    ]
}

#[tokio::test]
async fn names_in_a_patch_have_the_effect_of_ids() {
    let stack = Stack::shared().await;
    // The same names have different ids in each organization.
    for world in [World::new(&stack), World::new(&stack)] {
        for (index, (start, operations, expected)) in [sequences(), choices(), parts()].concat().into_iter().enumerate()
        {
            let (start, operations) = (world.with_ids(&start), world.with_ids(&operations));
            let id = world.client.create(user_with(&format!("case{index}"), &start)).await.id();
            world.client.patch(&id, operations.clone()).await.expect(204);
            let changed = world.client.get(&format!("/Users/{id}")).await.expect(200);
            let expected: BTreeSet<String> = expected.iter().map(|&word| word.to_owned()).collect();
            assert_eq!(world.assignments(&stack, &changed).await, expected, "{start} after {operations}: {changed}");
        }
    }
}

#[tokio::test]
async fn a_text_that_is_defined_later_is_assigned_when_a_request_repeats_it() {
    let stack = Stack::shared().await;
    let organizations = [stack.organization(), stack.organization()];
    for organization in &organizations {
        let client = organization.client();
        let user = user_with("ada", &json!({"roles": [{"value": "night"}], "entitlements": [{"value": "day"}]}));
        let id = client.create(user.clone()).await.id();
        let (night, day) = (
            organization.define("role", "Night", &[]),
            organization.define("entitlement", "Day", &["--type", "Shift"]),
        );
        client.patch(&id, json!([{"op": "replace", "path": "title", "value": "x"}])).await.expect(204);
        let read = async || client.get(&format!("/Users/{id}")).await.expect(200);
        assert_eq!(read().await["roles"], json!([{"value": "night"}]), "a change of something else leaves it");
        client.patch(&id, json!([{"op": "add", "path": "roles", "value": [{"value": "NIGHT"}]}])).await.expect(204);
        assert_eq!(read().await["roles"], json!([{"value": night, "display": "Night"}]));
        let replaced = client.replace(&id, user.clone()).await.expect(200);
        assert_eq!(replaced["roles"], json!([{"value": night, "display": "Night"}]));
        assert_eq!(replaced["entitlements"], json!([{"value": day, "display": "Day", "type": "Shift"}]));
    }
}

#[tokio::test]
async fn unknown_names_and_unsupported_comparisons_are_refused() {
    let stack = Stack::shared().await;
    let (organization, other) = (stack.organization(), stack.organization());
    let client = organization.client();
    let id =
        client.create(user_with("ada", &json!({"entitlements": [{"value": "Sales", "type": "Workspace"}]}))).await.id();
    for (operation, scim_type) in [
        (json!({"op": "remove", "path": format!("{ROLLCALL}:workspaces[display co \"a\"]")}), "invalidFilter"),
        (
            json!({"op": "add", "path": "entitlements", "value": [{"value": "Nowhere", "type": "Workspace"}]}),
            "invalidValue",
        ),
        (
            json!({"op": "add", "path": "entitlements", "value": [{"value": other.sales, "type": "Workspace"}]}),
            "invalidValue",
        ),
        (
            json!({"op": "replace", "path": "entitlements[type eq \"Workspace\"].value", "value": "Nowhere"}),
            "invalidValue",
        ),
        (json!({"op": "add", "path": "entitlements", "value": [{"type": "Workspace"}]}), "invalidValue"),
    ] {
        client.patch(&id, json!([operation])).await.expect_error(400, Some(scim_type));
    }
    assert_eq!(stack.memberships(&id).await, [organization.sales.clone()].into());
}
