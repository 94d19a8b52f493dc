//! Groups, as an identity provider uses them.

use futures_util::future::join_all;
use reqwest::Method;
use rollcall_tests::Stack;
use rollcall_tests::client::{Answer, Client, GROUP, ROLLCALL, user};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Creates `count` users and returns their ids.
async fn users(client: &Client, count: usize) -> Vec<String> {
    let created = join_all((0..count).map(|n| client.create(user(&format!("user{n}@example.com"))))).await;
    created.iter().map(Answer::id).collect()
}

async fn members(client: &Client, group: &str) -> BTreeSet<String> {
    let group = client.get(&format!("/Groups/{group}")).await.expect(200);
    let members = group["members"].as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}

fn set(ids: &[&String]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).clone()).collect()
}

#[tokio::test]
async fn every_read_sees_the_earlier_changes_of_a_group() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let ids = users(&client, 3).await;
    let created = client.create_group("Engines", &[&ids[0], &ids[1]]).await;
    assert!(created.status == 201 && created.header("etag").starts_with("W/\"1-"), "{}", created.body);
    let group = created.id();
    assert_eq!(created.header("location"), format!("{}/scim/v2/Groups/{group}", stack.url));
    let member = |(n, id): (usize, &String)| {
        json!({
            "value": id, "display": format!("user{n}@example.com"), "type": "User",
            "$ref": format!("{}/scim/v2/Users/{id}", stack.url)
        })
    };
    let mut expected: Vec<_> = ids[..2].iter().enumerate().map(member).collect();
    expected.sort_by_key(|member| member["value"].to_string());
    assert_eq!(created.body["members"], json!(expected));
    assert_eq!(client.get(&format!("/Groups/{group}")).await.body, created.body);

    let ada = client.get(&format!("/Users/{}", ids[0])).await.expect(200);
    let reference = format!("{}/scim/v2/Groups/{group}", stack.url);
    assert_eq!(ada["groups"], json!([{"value": group, "display": "Engines", "type": "direct", "$ref": reference}]));

    let patched =
        client.patch_group(&group, json!([{"op": "add", "path": "members", "value": [{"value": ids[2]}]}])).await;
    assert_eq!((patched.status, patched.header("etag")), (204, "W/\"2\""));
    assert_eq!(members(&client, &group).await, set(&[&ids[0], &ids[1], &ids[2]]));

    let body = json!({"schemas": [GROUP], "displayName": "Motors", "members": [{"value": ids[2]}]});
    let replaced = client.send(Method::PUT, &format!("/Groups/{group}"), body).await;
    assert_eq!((replaced.status, &replaced.body["displayName"]), (200, &json!("Motors")));
    assert!(replaced.header("etag").starts_with("W/\"3-"), "{}", replaced.header("etag"));
    assert_eq!(members(&client, &group).await, set(&[&ids[2]]));

    client.delete(&ids[2]).await.expect(204);
    assert_eq!(members(&client, &group).await, set(&[]), "a deleted user is in no group");
    let path = format!("/Groups/{group}");
    assert_eq!(client.call(Method::DELETE, &path).send().await.status, 204);
    client.get(&path).await.expect_error(404, None);
    assert_eq!(client.create_group("motors", &[]).await.status, 201, "the name is free again");
    let auditor = stack.auditor().await;
    auditor.compare_with_tables(&organization.id).await;
}

#[tokio::test]
async fn a_member_change_without_effect_keeps_the_version() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let ids = users(&client, 2).await;
    let group = client.create_group("G", &[&ids[0]]).await.id();
    for operation in [
        json!({"op": "add", "path": "members", "value": [{"value": ids[0]}]}),
        json!({"op": "remove", "path": format!("members[value eq \"{}\"]", ids[1])}),
        json!({"op": "replace", "path": "members", "value": [{"value": ids[0]}]}),
    ] {
        assert_eq!(client.patch_group(&group, json!([operation])).await.header("etag"), "W/\"1\"", "{operation}");
    }
    // The operations of a call apply in order, so a user who joins and leaves has not moved.
    let there_and_back = json!([
        {"op": "add", "path": "members", "value": [{"value": ids[1]}]},
        {"op": "Remove", "path": "members", "value": [{"value": ids[1]}]},
    ]);
    assert_eq!(client.patch_group(&group, there_and_back).await.header("etag"), "W/\"1\"");
}

#[tokio::test]
async fn members_added_concurrently_are_all_in_the_group() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let ids = users(&client, 30).await;
    let group = client.create_group("G", &[]).await.id();
    let adds = ids
        .iter()
        .map(|id| client.patch_group(&group, json!([{"op": "Add", "path": "members", "value": [{"value": id}]}])));
    assert!(join_all(adds).await.iter().all(|answer| answer.status == 204));
    assert_eq!(members(&client, &group).await, set(&ids.iter().collect::<Vec<_>>()));
    stack.auditor().await.compare_with_tables(&organization.id).await;
}

#[tokio::test]
async fn of_concurrent_creates_of_one_group_name_one_succeeds_and_the_others_conflict() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let answers = join_all(["One", "ONE", "one", "oNe", "onE"].map(|name| client.create_group(name, &[]))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for refused in answers.iter().filter(|answer| answer.status != 201) {
        refused.expect_error(409, Some("uniqueness"));
    }
}

#[tokio::test]
async fn an_invalid_group_or_member_is_refused_and_changes_nothing() {
    let stack = Stack::shared().await;
    let (client, stranger) = (stack.organization().client(), stack.organization().client());
    let (ours, theirs) = (users(&client, 1).await.remove(0), users(&stranger, 1).await.remove(0));
    client.create_group("G", &[&theirs]).await.expect_error(400, Some("invalidValue"));
    client.create_group("G", &["nobody"]).await.expect_error(400, Some("invalidValue"));
    let group = client.create_group("G", &[&ours]).await.id();
    let nested = json!([{"op": "add", "path": "members", "value": [{"value": group, "type": "Group"}]}]);
    assert!(
        client.patch_group(&group, nested).await.expect_error(400, Some("invalidValue")).contains("a group cannot")
    );
    let half = json!([
        {"op": "replace", "path": "displayName", "value": "H"},
        {"op": "add", "path": "members", "value": [{"value": theirs}]}
    ]);
    client.patch_group(&group, half).await.expect_error(400, Some("invalidValue"));
    let shown = client.get(&format!("/Groups/{group}")).await.expect(200);
    assert_eq!(shown["displayName"], "G");
    assert!(shown["meta"]["version"].as_str().unwrap().starts_with("W/\"1-"), "{shown}");
    stranger.get(&format!("/Groups/{group}")).await.expect_error(404, None);
    stranger.patch_group(&group, json!([{"op": "remove", "path": "members"}])).await.expect_error(404, None);
}

#[tokio::test]
async fn excluded_members_of_a_large_group_are_not_read() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let ids = users(&client, 20).await;
    let group = client.create_group("G", &ids.iter().map(String::as_str).collect::<Vec<_>>()).await.id();
    let shown = client.get(&format!("/Groups/{group}?excludedAttributes=members")).await.expect(200);
    assert_eq!(shown.get("members"), None);
    let found = client
        .query("/Groups", &[("filter", "displayName eq \"g\""), ("excludedAttributes", "members")])
        .await
        .expect(200);
    assert_eq!((&found["totalResults"], found["Resources"][0].get("members")), (&json!(1), None));
    let by_member = format!("members.value eq \"{}\"", ids[7]);
    let found =
        client.query("/Groups", &[("filter", by_member.as_str()), ("attributes", "displayName")]).await.expect(200);
    assert_eq!(found["Resources"], json!([{"schemas": [GROUP], "id": group, "displayName": "G"}]));
    let by_group = format!("groups[value eq \"{group}\"] and userName sw \"USER1\"");
    let found = client.find(&by_group).await.expect(200);
    assert_eq!(found["totalResults"], Value::from(11), "user1 and user10 to user19");
}

#[tokio::test]
async fn members_of_a_mapped_group_belong_to_its_workspaces_while_they_are_members() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let ids = users(&client, 2).await;
    let group = client.create_group("Sellers", &[&ids[0]]).await.id();
    organization.map_group(&group, &[&format!("{}=read,write", organization.sales)]);
    let auditor = stack.auditor().await;
    let sales = async |user: &str| {
        let sql = "
            SELECT source, permissions FROM rollcall_v1.memberships
            WHERE organization_id::text = $1 AND user_id::text = $2 AND workspace_id::text = $3";
        let rows = auditor.database.query(sql, &[&organization.id, &user, &organization.sales]).await.unwrap();
        rows.iter().map(|row| (row.get::<_, String>(0), row.get::<_, Vec<String>>(1).join(" "))).collect::<Vec<_>>()
    };
    assert_eq!(sales(&ids[0]).await, [("group".to_owned(), "read write".to_owned())]);
    assert_eq!(sales(&ids[1]).await, []);
    let shown = client
        .get(&format!("/Users/{}?attributes={ROLLCALL}:groupWorkspaces,{ROLLCALL}:workspaces", ids[0]))
        .await
        .expect(200);
    let expected = json!([{"value": organization.sales, "group": group, "permissions": ["read", "write"]}]);
    assert_eq!(
        shown[ROLLCALL],
        json!({"groupWorkspaces": expected, "workspaces": [{"value": organization.marketing}]})
    );
    let plain = client.get(&format!("/Users/{}", ids[0])).await.expect(200);
    assert_eq!(
        plain[ROLLCALL],
        json!({"workspaces": [{"value": organization.marketing}]}),
        "only where it is asked for"
    );
    let found =
        client.find(&format!("{ROLLCALL}:groupWorkspaces[value eq \"{}\"]", organization.sales)).await.expect(200);
    assert_eq!((&found["totalResults"], &found["Resources"][0]["id"]), (&json!(1), &json!(ids[0])));

    let swap = json!([
        {"op": "add", "path": "members", "value": [{"value": ids[1]}]},
        {"op": "remove", "path": format!("members[value eq \"{}\"]", ids[0])},
    ]);
    client.patch_group(&group, swap).await.expect(204);
    assert_eq!((sales(&ids[0]).await.len(), sales(&ids[1]).await.len()), (0, 1));
    organization.map_group(&group, &[]);
    assert_eq!(sales(&ids[1]).await, [], "the mapping was removed");
    auditor.compare_with_tables(&organization.id).await;
}
