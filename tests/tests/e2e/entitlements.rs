//! Roles and entitlements: administrators define them, callers read and assign them, and each organization
//! has its own.

use reqwest::Method;
use rollcall_tests::client::{ROLLCALL, USER, user_with};
use rollcall_tests::service::verified;
use rollcall_tests::{Client, Stack};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn names(list: &Value) -> Vec<&str> {
    list["Resources"].as_array().unwrap().iter().map(|resource| resource["displayName"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_organization_lists_and_assigns_only_its_own_entitlements() {
    let stack = Stack::shared().await;
    let (one, other) = (stack.organization(), stack.organization());
    let (mine, theirs) =
        (one.define("role", "Editor", &["--description", "Writes"]), other.define("role", "Editor", &[]));
    one.define("entitlement", "Editor", &["--type", "License"]);
    let (client, stranger) = (one.client(), other.client());
    let roles = client.get("/Roles").await.expect(200);
    assert_eq!((roles["totalResults"].as_u64(), &roles["Resources"][0]["id"]), (Some(1), &json!(mine)));
    assert_eq!(roles["Resources"][0]["description"], "Writes");
    let entitlements = client.get("/Entitlements").await.expect(200);
    assert_eq!((names(&entitlements), &entitlements["Resources"][0]["type"]), (vec!["Editor"], &json!("License")));
    assert_eq!(stranger.get("/Entitlements").await.expect(200)["totalResults"], 0);
    client.get(&format!("/Roles/{theirs}")).await.expect_error(404, None);
    client.get(&format!("/Workspaces/{}", other.sales)).await.expect_error(404, None);
    let ada =
        client.create(user_with("ada", &json!({"roles": [{"value": "editor"}, {"value": theirs}]}))).await.expect(201);
    assert_eq!(
        ada["roles"],
        json!([{"value": mine, "display": "Editor"}, {"value": theirs}]),
        "theirs is a plain text here"
    );
    let foreign = json!({"entitlements": [{"value": other.sales, "type": "Workspace"}]});
    client.create(user_with("ben", &foreign)).await.expect_error(400, Some("invalidValue"));
    let nameless = json!({"entitlements": [{"type": "workspace"}]});
    let refused = client.create(user_with("ben", &nameless)).await;
    assert!(
        refused.expect_error(400, Some("invalidValue")).contains("needs the workspace's id or name"),
        "{}",
        refused.body
    );
    for organization in [&one, &other] {
        let (is_valid, output) = verified(&stack.instance, &organization.id).await;
        assert!(is_valid, "{output}");
    }
}

#[tokio::test]
async fn the_name_of_a_definition_is_unique_and_free_again_after_removal() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let editor = organization.define("role", "Editor", &[]);
    let define = |kind, name, flags: &[&str]| organization.command(&[&[kind, "define", name], flags].concat());
    assert!(define("role", "EDITOR", &[]).unwrap_err().contains("taken by another role"));
    assert!(define("role", "zero\u{200b}width", &[]).unwrap_err().contains("U+200B"));
    assert!(define("role", &organization.sales, &[]).unwrap_err().contains("form of an id"));
    assert!(define("entitlement", "Sales", &["--type", "workspace"]).unwrap_err().contains("type of workspaces"));
    assert!(define("role", "  ", &[]).is_err());
    assert!(organization.command(&["role", "remove", &organization.sales]).unwrap_err().contains("no such role"));
    let ada = client.create(user_with("ada", &json!({"roles": [{"value": "Editor"}]}))).await.id();
    organization.command(&["role", "remove", &editor]).unwrap();
    assert_eq!(client.get("/Roles").await.expect(200)["totalResults"], 0);
    let path = format!("/Users/{ada}");
    assert_eq!(
        client.get(&path).await.expect(200)["roles"][0]["value"],
        json!(editor),
        "the user keeps its entitlements"
    );
    client.patch(&ada, json!([{"op": "replace", "path": "title", "value": "Countess"}])).await.expect(204);
    let again = organization.define("role", "editor", &[]);
    assert_ne!(again, editor);
    let listed = organization.command(&["role", "list"]).unwrap();
    assert_eq!((listed.len(), &listed[0]["id"], &listed[0]["type"]), (1, &json!(again), &json!("Role")));
    let log =
        organization.auditor().query("/events", &[("type", "EntitlementDefined,EntitlementRemoved")]).await.expect(200);
    assert_eq!(log["entries"].as_array().map(Vec::len), Some(3), "{log}");
    let (is_valid, output) = verified(&stack.instance, &organization.id).await;
    assert!(is_valid, "{output}");
}

/// The workspaces in the user's extension, and those in the user's entitlements.
fn places(user: &Value) -> (Vec<&str>, Vec<&str>) {
    let in_workspaces = user[ROLLCALL]["workspaces"].as_array().into_iter().flatten();
    let entitled = user["entitlements"].as_array().into_iter().flatten().filter(|value| value["type"] == "Workspace");
    (
        in_workspaces.map(|value| value["value"].as_str().unwrap()).collect(),
        entitled.map(|value| value["value"].as_str().unwrap()).collect(),
    )
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// Replaces the user by the same body several times. Only the first call may change anything.
async fn put(client: &Client, id: &str, body: &Value) -> Value {
    let first = client.replace(id, body.clone()).await.expect(200);
    for _ in 0..2 {
        let again = client.replace(id, body.clone()).await.expect(200);
        assert_eq!(again["meta"]["version"], first["meta"]["version"], "a repeat changed {again}");
    }
    first
}

#[tokio::test]
async fn an_entitlement_of_type_workspace_is_a_membership_besides_the_extensions() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let (sales, legal, marketing) =
        (organization.sales.as_str(), organization.legal.as_str(), organization.marketing.as_str());
    let entitled = |ids: &[&str]| -> Value { ids.iter().map(|id| json!({"value": id, "type": "Workspace"})).collect() };
    let created = client.create(user_with("ada", &json!({"entitlements": entitled(&[sales])}))).await.expect(201);
    let id = created["id"].as_str().unwrap();
    assert_eq!(places(&created), (vec![], vec![sales]), "a workspace is named, so the default is not joined");
    assert_eq!(stack.memberships(id).await, set(&[sales]));

    // As Okta does it: read the whole resource, add or remove one entitlement, and PUT it back.
    let mut body = client.get(&format!("/Users/{id}")).await.expect(200);
    body["entitlements"]
        .as_array_mut()
        .unwrap()
        .push(json!({"value": "LEGAL", "display": "Legal", "type": "Workspace"}));
    assert_eq!(places(&put(&client, id, &body).await), (vec![], vec![sales, legal]));
    let add = json!([{
        "op": "add", "path": format!("{ROLLCALL}:workspaces"),
        "value": [{"value": "marketing", "permissions": ["read"]}]
    }]);
    client.patch(id, add).await.expect(204);
    let mut body = client.get(&format!("/Users/{id}")).await.expect(200);
    assert_eq!(places(&body), (vec![marketing], vec![sales, legal]));
    body["entitlements"].as_array_mut().unwrap().remove(0);
    assert_eq!(places(&put(&client, id, &body).await), (vec![marketing], vec![legal]), "no longer entitled");
    assert_eq!(stack.memberships(id).await, set(&[marketing, legal]));

    // Two memberships of one workspace, by extension and by entitlement. Each can end separately.
    body["entitlements"] = entitled(&[legal, marketing]);
    put(&client, id, &body).await;
    client.patch(id, json!([{"op": "remove", "path": format!("{ROLLCALL}:workspaces")}])).await.expect(204);
    assert_eq!(stack.memberships(id).await, set(&[legal, marketing]));
    let without = put(&client, id, &json!({"schemas": [USER], "userName": "ada"})).await;
    assert_eq!(places(&without), (vec![], vec![]), "a PUT removes the entitlements that it does not list");
    assert_eq!(stack.memberships(id).await, set(&[]));
    let refused = client.call(Method::PUT, "/Workspaces/x").json(&json!({})).send().await;
    assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD"));
    let (is_valid, output) = verified(&stack.instance, &organization.id).await;
    assert!(is_valid, "{output}");
}

#[tokio::test]
async fn values_are_added_selected_and_removed_by_name_and_a_repeat_changes_nothing() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let suite = organization.define("entitlement", "Design suite", &["--type", "License"]);
    let (editor, viewer) = (organization.define("role", "Editor", &[]), organization.define("role", "Viewer", &[]));
    let ada = client.create(user_with("ada", &json!({"roles": [{"value": viewer}]}))).await.id();
    let read = async || client.get(&format!("/Users/{ada}")).await.expect(200);
    let twice = async |operations: Value| {
        client.patch(&ada, operations.clone()).await.expect(204);
        let first = read().await;
        client.patch(&ada, operations.clone()).await.expect(204);
        assert_eq!(read().await["meta"]["version"], first["meta"]["version"], "a repeat of {operations}");
        first
    };
    let workspaces = format!("{ROLLCALL}:workspaces");
    let added = twice(json!([
        {"op": "add", "path": "roles", "value": [{"value": "EDITOR"}, {"value": "Gardener"}]},
        {
            "op": "add", "path": "entitlements",
            "value": [{"value": "design SUITE"}, {"value": "Sales", "type": "workspace"}, {"value": "Plain"}]
        },
        {
            "op": "add", "path": workspaces,
            "value": [{"value": organization.legal.to_uppercase(), "permissions": ["read"]}]
        },
    ]))
    .await;
    assert_eq!(added["roles"][1], json!({"value": editor, "display": "Editor"}));
    assert_eq!(added["entitlements"][0], json!({"value": suite, "display": "Design suite", "type": "License"}));
    assert_eq!(added["entitlements"].as_array().map(Vec::len), Some(3), "{added}");
    assert_eq!(added[ROLLCALL]["workspaces"][1]["value"], json!(organization.legal), "in the notation of ids");
    let kept = twice(json!([{"op": "add", "path": workspaces, "value": [{"value": "Legal"}]}])).await;
    assert_eq!(
        kept[ROLLCALL]["workspaces"][1]["permissions"],
        json!(["read"]),
        "sub-attributes that are not given stay"
    );
    let chosen = twice(json!([{"op": "replace", "path": "roles[value eq \"editor\"].primary", "value": true}])).await;
    assert_eq!(chosen["roles"][1], json!({"value": editor, "display": "Editor", "primary": true}));
    let removed = twice(json!([
        {"op": "remove", "path": "roles", "value": [{"value": "Editor"}, {"value": "Gardener"}]},
        {"op": "remove", "path": "entitlements[value eq \"Design Suite\"]"},
        {"op": "remove", "path": "entitlements", "value": [{"value": "SALES", "type": "Workspace"}]},
        {"op": "remove", "path": format!("{workspaces}[value eq \"legal\"]")},
    ]))
    .await;
    assert_eq!(removed["roles"], json!([{"value": viewer, "display": "Viewer"}]));
    assert_eq!(removed["entitlements"], json!([{"value": "Plain"}]));
    assert_eq!(stack.memberships(&ada).await, set(&[&organization.marketing]));
    let swapped = json!({"roles": [{"value": suite}], "entitlements": [{"value": editor}]});
    let ben = client.create(user_with("ben", &swapped)).await.expect(201);
    assert_eq!(
        (&ben["roles"], &ben["entitlements"]),
        (&swapped["roles"], &swapped["entitlements"]),
        "an id of the other kind is a plain text"
    );
    assert!(organization.command(&["role", "remove", &suite]).unwrap_err().contains("no such role"));
}
