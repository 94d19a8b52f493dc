//! Roles and entitlements: administrators define them, callers read and assign them, and each organization has its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test, what goes wrong is to be seen at once")]

use reqwest::Method;
use rollcall_tests::client::{ROLLCALL, USER, user_with};
use rollcall_tests::service::verified;
use rollcall_tests::{Client, Stack};
use serde_json::{Value, json};

fn names(list: &Value) -> Vec<&str> {
    list["Resources"].as_array().unwrap().iter().map(|resource| resource["displayName"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_organization_sees_and_assigns_its_own_and_no_others() {
    let stack = Stack::shared().await;
    let (one, other) = (stack.organization(), stack.organization());
    let (mine, theirs) = (one.define("role", "Editor", &["--description", "Writes"]), other.define("role", "Editor", &[]));
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
    let ada = client.create(user_with("ada", &json!({"roles": [{"value": "editor"}, {"value": theirs}]}))).await.expect(201);
    assert_eq!(ada["roles"], json!([{"value": mine, "display": "Editor"}, {"value": theirs}]), "theirs is a plain text here");
    let foreign = json!({"entitlements": [{"value": other.sales, "type": "Workspace"}]});
    client.create(user_with("ben", &foreign)).await.expect_error(400, Some("invalidValue"));
    for organization in [&one, &other] {
        let (is_well, told) = verified(&stack.instance, &organization.id).await;
        assert!(is_well, "{told}");
    }
}

#[tokio::test]
async fn a_definition_is_unique_by_name_and_can_be_removed_and_made_again() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let editor = organization.define("role", "Editor", &[]);
    let define = |kind, name, flags: &[&str]| organization.command(&[&[kind, "define", name], flags].concat());
    assert!(define("role", "EDITOR", &[]).unwrap_err().contains("already"));
    assert!(define("role", &organization.sales, &[]).unwrap_err().contains("form of an id"));
    assert!(define("entitlement", "Sales", &["--type", "workspace"]).unwrap_err().contains("type of workspaces"));
    assert!(define("role", "  ", &[]).is_err());
    assert!(organization.command(&["role", "remove", &organization.sales]).unwrap_err().contains("no such role"));
    let ada = client.create(user_with("ada", &json!({"roles": [{"value": "Editor"}]}))).await.id();
    organization.command(&["role", "remove", &editor]).unwrap();
    assert_eq!(client.get("/Roles").await.expect(200)["totalResults"], 0);
    let path = format!("/Users/{ada}");
    assert_eq!(client.get(&path).await.expect(200)["roles"][0]["value"], json!(editor), "the user keeps what it had");
    client.patch(&ada, json!([{"op": "replace", "path": "title", "value": "Countess"}])).await.expect(204);
    let again = organization.define("role", "editor", &[]);
    assert_ne!(again, editor);
    let listed = organization.command(&["role", "list"]).unwrap();
    assert_eq!((listed.len(), &listed[0]["id"], &listed[0]["type"]), (1, &json!(again), &json!("Role")));
    let log = organization.auditor().query("/events", &[("type", "EntitlementDefined,EntitlementRemoved")]).await.expect(200);
    assert_eq!(log["entries"].as_array().map(Vec::len), Some(3), "{log}");
    let (is_well, told) = verified(&stack.instance, &organization.id).await;
    assert!(is_well, "{told}");
}

async fn put(client: &Client, id: &str, attributes: &Value) -> Value {
    client.replace(id, user_with("ada", attributes)).await.expect(200)
}

/// Where the user is, and what workspaces the user is entitled to.
fn places(user: &Value) -> (Vec<&str>, Vec<&str>) {
    let in_workspaces = user[ROLLCALL]["workspaces"].as_array().into_iter().flatten();
    let entitled = user["entitlements"].as_array().into_iter().flatten().filter(|value| value["type"] == "Workspace");
    (
        in_workspaces.map(|value| value["value"].as_str().unwrap()).collect(),
        entitled.map(|value| value["value"].as_str().unwrap()).collect(),
    )
}

#[tokio::test]
async fn a_membership_and_its_entitlement_go_together() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let (sales, legal, marketing) = (organization.sales.as_str(), organization.legal.as_str(), organization.marketing.as_str());
    let entitled = |ids: &[&str]| {
        let values: Vec<_> = ids.iter().map(|id| json!({"value": id, "type": "Workspace"})).collect();
        json!({"schemas": [USER], "entitlements": values})
    };
    let created = client.create(user_with("ada", &entitled(&[sales]))).await.expect(201);
    assert_eq!(places(&created), (vec![sales], vec![sales]), "a workspace is named, so the default is not joined");
    let id = created["id"].as_str().unwrap();
    assert_eq!(places(&put(&client, id, &entitled(&[sales, legal])).await), (vec![sales, legal], vec![sales, legal]));
    assert_eq!(places(&put(&client, id, &entitled(&[legal])).await), (vec![legal], vec![legal]), "no longer entitled");
    let add = json!([{"op": "add", "path": format!("{ROLLCALL}:workspaces"), "value": [{"value": marketing, "permissions": ["read"]}]}]);
    client.patch(id, add).await.expect(204);
    let read = client.get(&format!("/Users/{id}")).await.expect(200);
    assert_eq!(places(&read), (vec![legal, marketing], vec![legal]), "what was joined in another way is no entitlement");
    assert_eq!(places(&put(&client, id, &entitled(&[marketing])).await), (vec![marketing], vec![marketing]));
    let kept = client.get(&format!("/Users/{id}")).await.expect(200);
    assert_eq!(kept[ROLLCALL]["workspaces"][0]["permissions"], json!(["read"]), "to be entitled to it takes nothing away");
    let both = json!({"schemas": [USER, ROLLCALL], ROLLCALL: {"workspaces": [{"value": sales}]}, "entitlements": entitled(&[marketing])["entitlements"]});
    assert_eq!(places(&put(&client, id, &both).await), (vec![sales], vec![]), "the workspaces are named, and it is not among them");
    assert_eq!(
        places(&put(&client, id, &json!({})).await),
        (vec![sales], vec![]),
        "a caller that knows nothing of workspaces changes none"
    );
    let refused = client.call(Method::PUT, "/Workspaces/x").json(&json!({})).send().await;
    assert_eq!((refused.status, refused.header("allow")), (405, "GET"));
    let (is_well, told) = verified(&stack.instance, &organization.id).await;
    assert!(is_well, "{told}");
}
