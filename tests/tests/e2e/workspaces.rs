//! Organizations with several workspaces, and tokens with different defaults and dialects. A user's
//! workspaces must not depend on the token of the caller.

use rollcall_tests::client::{ROLLCALL, user, user_with};
use rollcall_tests::service::verified;
use rollcall_tests::{Client, Organization, Stack};
use serde_json::{Value, json};

fn in_workspaces(ids: &[&String]) -> Value {
    let workspaces: Vec<_> = ids.iter().map(|id| json!({"value": id})).collect();
    json!({ROLLCALL: {"workspaces": workspaces}})
}

/// Patches, replaces, deactivates and deletes a user with a token whose default workspace is not the user's.
async fn survives_every_change(client: &Client, organization: &Organization, home: &String) {
    let id = client.create(user_with("ada", &in_workspaces(&[home]))).await.id();
    let path = format!("/Users/{id}");
    client.patch(&id, json!([{"op": "replace", "path": "title", "value": "Countess"}])).await.expect(204);
    client.patch(&id, json!([{"op": "replace", "path": "active", "value": false}])).await.expect(204);
    let replaced = client.replace(&id, user_with("augusta", &json!({"title": "Lady"}))).await.expect(200);
    assert_eq!((&replaced["active"], &replaced[ROLLCALL]["workspaces"][0]["value"]), (&json!(false), &json!(home)));
    let both = user_with("augusta", &in_workspaces(&[home, &organization.sales]));
    client.replace(&id, both).await.expect(200);
    let path_of_home = format!("{ROLLCALL}:workspaces[value eq \"{home}\"]");
    client.patch(&id, json!([{"op": "remove", "path": path_of_home}])).await.expect(204);
    let user = client.get(&path).await.expect(200);
    assert_eq!(user[ROLLCALL]["workspaces"], json!([{"value": organization.sales}]));
    let unknown =
        json!([{"op": "add", "path": format!("{ROLLCALL}:workspaces"), "value": [{"value": organization.id}]}]);
    let refused = client.patch(&id, unknown).await;
    assert!(
        refused.expect_error(400, Some("invalidValue")).contains("there is no workspace"),
        "added values are looked up"
    );
    client.delete(&id).await.expect(204);
}

#[tokio::test]
async fn a_user_in_another_workspace_than_the_tokens_default_can_be_changed_in_every_way() {
    let stack = Stack::shared().await;
    let (organization, other) = (stack.organization(), stack.organization());
    for default in [&organization.legal, &organization.marketing, &organization.sales] {
        let client = organization.client_of(default);
        for home in [&organization.legal, &organization.marketing] {
            survives_every_change(&client, &organization, home).await;
        }
    }
    let stranger = other.client().create(user_with("ada", &in_workspaces(&[&organization.legal]))).await;
    stranger.expect_error(400, Some("invalidValue"));
    let (is_valid, output) = verified(&stack.instance, &organization.id).await;
    assert!(is_valid, "{output}");
}

#[tokio::test]
async fn tokens_of_both_dialects_and_different_defaults_change_the_same_users() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let standard = organization.client_of(&organization.legal);
    let braze = Client::new(
        &stack.url,
        &organization.issue_for(&organization.sales, &["--dialect", "braze"]).1,
        Some("hr.example.com"),
    );
    let ada = standard.create(user("ada")).await.id();
    let groups = json!({"appGroup": [{"appGroupName": "Marketing", "appGroupPermissions": ["basic_access"]}]});
    let body = json!({"userName": "ada", "name": {"givenName": "Ada"}, "department": "finance", "permissions": groups});
    braze.replace(&ada, body).await.expect(200);
    let grace = braze.create(json!({"userName": "grace", "department": "finance"})).await.id();
    standard.patch(&grace, json!([{"op": "Replace", "path": "active", "value": "False"}])).await.expect(204);
    let auditor = stack.auditor().await;
    assert_eq!(
        (auditor.workspaces_of(&ada).await, auditor.workspaces_of(&grace).await),
        (vec!["Marketing".to_owned()], vec!["Sales".to_owned()])
    );
    assert_eq!(standard.get(&format!("/Users/{grace}")).await.expect(200)["active"], false);
}

#[tokio::test]
async fn callers_who_know_one_workspace_can_move_users_in_several_workspaces_and_groups() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let [of_legal, of_sales] =
        [&organization.legal, &organization.sales].map(|workspace| organization.client_of(workspace));
    let ada =
        of_legal.create(user_with("ada", &in_workspaces(&[&organization.legal, &organization.marketing]))).await.id();
    let bob = of_sales.create(user("bob")).await.id();
    let [engines, sellers] =
        [of_legal.create_group("Engines", &[&ada, &bob]).await.id(), of_sales.create_group("Sellers", &[]).await.id()];
    organization.map_group(&engines, &[&organization.marketing]);
    organization.map_group(&sellers, &[&organization.legal, &format!("{}=read", organization.sales)]);
    of_sales
        .patch_group(&sellers, json!([{"op": "replace", "path": "members", "value": [{"value": ada}]}]))
        .await
        .expect(204);
    of_sales.patch(&ada, json!([{"op": "replace", "path": "userName", "value": "augusta"}])).await.expect(204);
    of_legal.create(user("ada")).await.expect(201);
    of_sales.delete(&bob).await.expect(204);
    let members = of_legal.get(&format!("/Groups/{engines}")).await.expect(200)["members"].clone();
    assert_eq!(members.as_array().unwrap().len(), 1);
    let auditor = stack.auditor().await;
    auditor.verify(&organization.id).await;
    auditor.compare_with_tables(&organization.id).await;
}
