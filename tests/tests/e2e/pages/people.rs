//! The pages for users, workspaces and groups.

use super::{Bare, accessible, signed_in};
use rollcall_tests::client::{user, user_with};
use rollcall_tests::{Stack, eventually};
use serde_json::json;

#[tokio::test]
async fn an_administrator_finds_users_and_the_reasons_for_their_memberships() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let ada = client
        .create(user_with("ada<i>", &json!({"displayName": "Countess", "emails": [{"value": "ada@example.com"}]})))
        .await
        .id();
    client.create(user("bob")).await.expect(201);
    let group = client.create_group("Authors & co", &[&ada]).await.id();
    organization.map_group(&group, &[&format!("{}=publish", organization.sales)]);
    let browser = signed_in(&stack, &organization).await;
    browser.goto(&format!("{}/users", stack.url)).await;
    browser.sees("#found", "Users: 2").await;
    accessible(&browser, "users").await;
    for asked in ["COUNT", "ada@EXAMPLE", "userName sw \"ada\" and active eq true"] {
        browser.type_in("#q", asked).await;
        browser.press(".inline button").await;
        browser.sees("#found", "Users: 1").await;
    }
    browser.type_in("#q", "nothing eq 1").await;
    browser.press(".inline button").await;
    browser.sees(".problem", "nothing").await;
    browser.goto(&format!("{}/users?q=count", stack.url)).await;
    browser.press("#users a").await;
    browser.sees("h1", "ada<i>").await;
    let belongings = browser.text("#belongings").await;
    assert!(
        belongings.contains("Marketing direct") && belongings.contains("Sales through the group Authors & co publish"),
        "{belongings}"
    );
    browser.sees("#rows", "User created").await;
    accessible(&browser, "user").await;
    browser.close().await;
    let stranger = Bare::sign_in(&stack, &stack.organization(), "owner").await;
    assert_eq!(stranger.get(&format!("/users/{ada}")).await.0, 404);
    assert!(!stranger.get("/users").await.1.contains("Countess"));
    assert_eq!(Bare::sign_in(&stack, &organization, "auditor").await.get("/users").await.0, 403);
}

#[tokio::test]
async fn mapping_a_group_to_a_workspace_adds_its_members() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let ada = client.create(user("ada")).await.id();
    client.create_group("Authors", &[&ada]).await.expect(201);
    let browser = signed_in(&stack, &organization).await;
    browser.goto(&format!("{}/workspaces", stack.url)).await;
    browser.sees("#workspaces", "Marketing").await;
    accessible(&browser, "workspaces").await;
    browser.press("#groups a").await;
    browser.sees("h1", "Workspaces of the group Authors").await;
    let sales = format!("[value='{}']", organization.sales);
    browser.press(&format!("input{sales}")).await;
    browser.type_in(&format!("input[name='permissions-{}']", organization.sales), "publish, edit").await;
    accessible(&browser, "group").await;
    browser.press("main button.primary").await;
    browser.sees("#groups", "Sales").await;
    browser.goto(&format!("{}/workspaces/{}", stack.url, organization.sales)).await;
    browser.sees("#members", "ada through the group Authors").await;
    accessible(&browser, "workspace").await;
    let log = organization.auditor().query("/events", &[("type", "GroupMapped")]).await.expect(200);
    assert_eq!(log["entries"][0]["payload"]["workspaces"], json!({&organization.sales: ["edit", "publish"]}));
    assert_eq!(log["entries"][0]["actor"]["label"], "Ada Lovelace");
    browser.goto(&format!("{}/workspaces", stack.url)).await;
    browser.press("#groups a").await;
    browser.press(&format!("input{sales}")).await;
    browser.press("main button.primary").await;
    eventually("the end of the mapping", async || (!browser.text("#groups").await.contains("Sales")).then_some(()))
        .await;
    browser.close().await;
    let stranger = Bare::sign_in(&stack, &stack.organization(), "owner").await;
    assert_eq!(stranger.get(&format!("/workspaces/{}", organization.sales)).await.0, 404);
}
