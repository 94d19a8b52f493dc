//! Entity tags: a tag becomes stale when anything changes in the representation, in whatever table it is
//! stored.

use reqwest::Method;
use rollcall_tests::Stack;
use rollcall_tests::client::{Client, ROLLCALL, user, user_with};
use serde_json::{Value, json};

/// The tag of a read. Checks that the tag is valid for what the read returned.
async fn tag(client: &Client, path: &str) -> String {
    let read = client.get(path).await;
    let (etag, shown) = (read.header("etag").to_owned(), read.expect(200));
    if let Some(version) = shown.get("meta") {
        assert_eq!(version["version"], etag.as_str(), "{path}");
    }
    assert!(knows(client, path, &etag).await, "{path} was just read");
    etag
}

/// Whether the api answers 304 to this tag.
async fn knows(client: &Client, path: &str, tag: &str) -> bool {
    let read = client.call(Method::GET, path).header("if-none-match", tag).send().await;
    assert!([200, 304].contains(&read.status), "{}", read.body);
    read.status == 304
}

/// Asserts that a tag is stale, and returns the new one.
async fn changed(client: &Client, path: &str, old: &str, what: &str) -> String {
    assert!(!knows(client, path, old).await, "{what}");
    let new = tag(client, path).await;
    assert_ne!(new, old, "{what}");
    new
}

fn member(id: &str) -> Value {
    json!([{"op": "add", "path": "members", "value": [{"value": id}]}])
}

#[tokio::test]
async fn a_users_tag_covers_the_returned_groups() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let (ada, ben) = (client.create(user("ada")).await.id(), client.create(user("ben")).await.id());
    let (path, other) = (format!("/Users/{ada}"), format!("/Users/{ben}"));
    let (alone, others) = (tag(&client, &path).await, tag(&client, &other).await);
    assert_eq!(alone, "W/\"1\"");
    let first = client.create_group("First", &[&ada]).await.id();
    let joined = changed(&client, &path, &alone, "joined as a group was created").await;
    let second = client.create_group("Second", &[]).await.id();
    client.patch_group(&second, member(&ada)).await;
    let both = changed(&client, &path, &joined, "joined a second one").await;
    client.patch_group(&first, json!([{"op": "replace", "path": "displayName", "value": "Renamed"}])).await;
    let renamed = changed(&client, &path, &both, "a group was renamed").await;
    client.patch_group(&second, json!([{"op": "remove", "path": format!("members[value eq \"{ada}\"]")}])).await;
    let left = changed(&client, &path, &renamed, "left a group").await;
    client.call(Method::DELETE, &format!("/Groups/{first}")).send().await.expect(204);
    assert_eq!(changed(&client, &path, &left, "a group was deleted").await, alone, "as at the beginning");
    assert!(knows(&client, &other, &others).await, "the other user was in no group");
}

#[tokio::test]
async fn a_tag_covers_exactly_the_returned_attributes() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let ada = client.create(user("ada")).await.id();
    let group = client.create_group("First", &[]).await.id();
    let without = [format!("/Users/{ada}?excludedAttributes=groups"), format!("/Users/{ada}?attributes=userName,meta")];
    let with = [format!("/Users/{ada}?attributes=groups"), format!("/Users/{ada}?excludedAttributes=emails")];
    let mapped = format!("/Users/{ada}?attributes={ROLLCALL}:groupWorkspaces");
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for path in without.iter().chain(&with).chain([&mapped]) {
        before.push(tag(&client, path).await);
    }
    client.patch_group(&group, member(&ada)).await;
    for path in without.iter().chain(&with).chain([&mapped]) {
        after.push(tag(&client, path).await);
    }
    assert_eq!(before[..2], after[..2], "groups are not returned");
    assert!(before[2] != after[2] && before[3] != after[3], "{before:?} {after:?}");
    organization.map_group(&group, &[&organization.sales]);
    changed(&client, &mapped, &after[4], "the group leads into a workspace now").await;
}

#[tokio::test]
async fn every_endpoint_returns_the_same_tag_for_the_same_content() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let created = client.create(user("ada")).await;
    let ada = created.id();
    assert_eq!((created.header("etag"), &created.body["meta"]["version"]), ("W/\"1\"", &json!("W/\"1\"")));
    client.create_group("First", &[&ada]).await;
    client.create_group("Second", &[&ada]).await;
    let path = format!("/Users/{ada}");
    let listed = async |query: &str| {
        client.get(query).await.expect(200)["Resources"][0]["meta"]["version"].as_str().unwrap().to_owned()
    };
    let read = tag(&client, &path).await;
    assert_eq!(listed("/Users").await, read);
    assert_eq!(listed("/Users?filter=userName%20eq%20%22ada%22").await, read, "found by its key");
    assert_eq!(listed("/Users?filter=userName%20sw%20%22a%22").await, read, "found by a filter");
    assert_eq!(listed("/?filter=userName%20sw%20%22a%22").await, read, "among users and groups");

    let replaced = client.replace(&ada, user_with("ada", &json!({"title": "Countess"}))).await;
    assert_eq!((replaced.status, replaced.body["meta"]["version"].as_str()), (200, Some(replaced.header("etag"))));
    assert_eq!(tag(&client, &path).await, replaced.header("etag"));
    let title = |title: &str| json!([{"op": "replace", "path": "title", "value": title}]);
    let silent = client.patch(&ada, title("Lady")).await;
    assert_eq!((silent.status, silent.header("etag")), (204, tag(&client, &path).await.as_str()));
    let body = json!({"schemas": [rollcall_tests::client::PATCH], "Operations": title("Dame")});
    let patched = client.call(Method::PATCH, &path).header("prefer", "return=representation").json(&body).send().await;
    assert_eq!((patched.status, patched.header("etag")), (200, tag(&client, &path).await.as_str()));
    assert_eq!(patched.body["meta"]["version"], patched.header("etag"));
}

#[tokio::test]
async fn a_tag_that_was_just_read_is_valid_for_a_change() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let ada = client.create(user("ada")).await.id();
    let group = client.create_group("First", &[&ada]).await.id();
    client.create_group("Second", &[&ada]).await;
    let path = format!("/Users/{ada}");
    let put = async |tag: &str, title: &str| {
        client
            .call(Method::PUT, &path)
            .header("if-match", tag)
            .json(&user_with("ada", &json!({"title": title})))
            .send()
            .await
    };
    let first = tag(&client, &path).await;
    assert_eq!(put(&first, "Countess").await.status, 200);
    put(&first, "Lady").await.expect_error(412, None);
    let second = tag(&client, &path).await;
    let excluded = client.get(&format!("{path}?excludedAttributes=groups")).await.header("etag").to_owned();
    assert_ne!(second, excluded);
    assert_eq!(put(&excluded, "Lady").await.status, 200, "the tag of any view names the version");
    let rename = json!({
        "schemas": [rollcall_tests::client::PATCH],
        "Operations": [{"op": "replace", "path": "displayName", "value": "Renamed"}]
    });
    let path = format!("/Groups/{group}");
    let shown = tag(&client, &path).await;
    let renaming =
        async |tag: &str| client.call(Method::PATCH, &path).header("if-match", tag).json(&rename).send().await;
    assert_eq!(renaming(&shown).await.status, 204);
    renaming(&shown).await.expect_error(412, None);
    let unconditional = client.call(Method::DELETE, &path).header("if-match", &tag(&client, &path).await).send().await;
    assert_eq!(unconditional.status, 204);
}

#[tokio::test]
async fn a_groups_tag_covers_the_returned_members() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let (ada, ben) = (client.create(user("ada")).await.id(), client.create(user("ben")).await.id());
    let group = client.create_group("First", &[&ada, &ben]).await.id();
    let other = client.create_group("Second", &[&ada]).await.id();
    let paths =
        [format!("/Groups/{group}"), format!("/Groups/{group}?excludedAttributes=members"), format!("/Groups/{other}")];
    let mut before = Vec::new();
    for path in &paths {
        before.push(tag(&client, path).await);
    }
    client.patch(&ada, json!([{"op": "replace", "path": "userName", "value": "augusta"}])).await;
    let renamed = changed(&client, &paths[0], &before[0], "a member has another name").await;
    let elsewhere = changed(&client, &paths[2], &before[2], "a member has another name").await;
    client.delete(&ben).await.expect(204);
    changed(&client, &paths[0], &renamed, "a member was deleted").await;
    assert!(knows(&client, &paths[1], &before[1]).await, "members are not returned there");
    assert!(knows(&client, &paths[2], &elsewhere).await, "the user was no member there");
}
