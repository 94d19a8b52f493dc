//! Provisioning of users, as an identity provider does it.

use reqwest::Method;
use rollcall_tests::client::{PATCH, ROLLCALL, USER, user, user_with};
use rollcall_tests::set::claims;
use rollcall_tests::{Stack, eventually};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use test_case::test_case;

#[tokio::test]
async fn a_user_created_without_a_workspace_joins_the_tokens_default_workspace() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let created = organization.client().create(user("ada@example.com")).await;
    assert_eq!(created.status, 201, "{}", created.body);
    assert_eq!(created.header("location"), format!("{}/scim/v2/Users/{}", stack.url, created.id()));
    assert_eq!(created.header("location"), created.body["meta"]["location"]);
    assert_eq!(created.header("etag"), "W/\"1\"");
    assert_eq!(created.header("content-type"), "application/scim+json");
    assert_eq!(created.body[ROLLCALL]["workspaces"], json!([{"value": organization.marketing}]));
    let path = format!("/Users/{}?attributes={ROLLCALL}:workspaces.value,{ROLLCALL}:workspaces.display", created.id());
    let named = organization.client().get(&path).await.expect(200);
    assert_eq!(named[ROLLCALL]["workspaces"], json!([{"value": organization.marketing, "display": "Marketing"}]));
    assert_eq!(stack.auditor().await.workspaces_of(&created.id()).await, ["Marketing"]);
}

#[tokio::test]
async fn a_user_joins_only_the_workspaces_that_the_request_names() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let sales = json!({
        "value": organization.sales, "permissions": ["read"], "teams": [{"value": "emea", "permissions": ["lead"]}]
    });
    let created = organization.client().create(user_with("ada", &json!({ROLLCALL: {"workspaces": [sales]}}))).await;
    assert_eq!(created.status, 201, "{}", created.body);
    let auditor = stack.auditor().await;
    assert_eq!(auditor.workspaces_of(&created.id()).await, ["Sales"]);
    let (_, members) = &auditor.users(&organization.id).await[&created.id()];
    assert_eq!(
        members[&organization.sales],
        json!({"permissions": ["read"], "teams": [{"value": "emea", "permissions": ["lead"]}]})
    );
}

#[tokio::test]
async fn every_read_sees_the_earlier_changes_of_a_user() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let id = client.create(user_with("ada", &json!({"title": "Countess", "externalId": "E1"}))).await.id();
    let path = format!("/Users/{id}");
    assert_eq!(client.get(&path).await.expect(200)["title"], "Countess");

    let replaced = client.replace(&id, user_with("ada", &json!({"nickName": "A"}))).await;
    assert_eq!((replaced.status, replaced.header("etag")), (200, "W/\"2\""));
    assert_eq!((replaced.body.get("title"), &replaced.body["nickName"]), (None, &json!("A")));
    assert_eq!(client.get(&path).await.body, replaced.body);

    let patched = client.patch(&id, json!([{"op": "Replace", "path": "active", "value": "False"}])).await;
    assert_eq!((patched.status, patched.header("etag"), &patched.body), (204, "W/\"3\"", &Value::Null));
    assert_eq!(client.get(&path).await.expect(200)["active"], false);

    client.delete(&id).await.expect(204);
    client.get(&path).await.expect_error(404, None);
    client.delete(&id).await.expect_error(404, None);
    assert_eq!(client.find("userName eq \"ada\"").await.expect(200)["totalResults"], 0);
    assert_eq!(client.create(user("ADA")).await.status, 201, "the name is free again");
}

#[tokio::test]
async fn a_patch_returns_the_user_if_the_caller_asks_for_it() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let id = client.create(user("ada")).await.id();
    let body = json!({"schemas": [PATCH], "Operations": [{"op": "add", "path": "title", "value": "Lady"}]});
    let preferred = client
        .call(Method::PATCH, &format!("/Users/{id}"))
        .header("prefer", "return=representation")
        .json(&body)
        .send()
        .await;
    assert_eq!(preferred.expect(200)["title"], "Lady");
    let chosen = client.call(Method::PATCH, &format!("/Users/{id}?attributes=title")).json(&body).send().await;
    assert_eq!(chosen.expect(200), json!({"schemas": [USER, ROLLCALL], "id": id, "title": "Lady"}));
}

#[tokio::test]
async fn names_are_unique_regardless_of_case_and_normal_form() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    for (taken, again) in [
        ("Ada@Example.com", "aDA@example.COM"),
        ("Straße", "STRASSE"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("e\u{301}cole", "\u{c9}COLE"),
    ] {
        assert_eq!(client.create(user(taken)).await.status, 201);
        let refused = client.create(user(again)).await;
        let detail = refused.expect_error(409, Some("uniqueness"));
        assert!(detail.contains("userName"), "{detail}");
        let found = client.find(&format!("userName eq {}", json!(again))).await.expect(200);
        assert_eq!((&found["totalResults"], &found["Resources"][0]["userName"]), (&json!(1), &json!(taken)));
    }
    assert_eq!(client.create(user("İ")).await.status, 201);
    assert_eq!(client.create(user("i")).await.status, 201, "a dotted capital I is another letter");
}

#[tokio::test]
async fn of_concurrent_creates_of_one_user_name_one_succeeds() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let creates = (0..32).map(|_| client.create(user("ada")));
    let mut statuses: Vec<_> =
        futures_util::future::join_all(creates).await.into_iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![201], vec![409; 31]].concat());
    assert_eq!(stack.auditor().await.compare_with_tables(&organization.id).await, 1);
}

#[tokio::test]
async fn if_match_changes_only_the_named_version() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let id = client.create(user("ada")).await.id();
    let path = format!("/Users/{id}");
    let put = |tag: &str| {
        client.call(Method::PUT, &path).header("if-match", tag).json(&user_with("ada", &json!({"title": tag}))).send()
    };
    assert_eq!(put("W/\"1\"").await.status, 200);
    put("W/\"1\"").await.expect_error(412, None);
    assert_eq!(put("\"7\", W/\"2\"").await.status, 200);
    assert_eq!(put("*").await.status, 200);
    put("nonsense").await.expect_error(400, Some("invalidSyntax"));
    let read = |tag: &str| client.call(Method::GET, &path).header("if-none-match", tag).send();
    assert_eq!(read("W/\"4\"").await.status, 304);
    assert_eq!(read("W/\"3\"").await.status, 200);
}

#[tokio::test]
async fn a_change_without_effect_keeps_the_version() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let created = client.create(user_with("ada", &json!({"title": "Lady"}))).await;
    let patched = client.patch(&created.id(), json!([{"op": "replace", "path": "title", "value": "Lady"}])).await;
    assert_eq!(patched.header("etag"), "W/\"1\"");
    assert_eq!(client.get(&format!("/Users/{}", created.id())).await.body, created.body);
}

#[tokio::test]
async fn users_are_found_by_name_external_id_and_id() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let id = client.create(user_with("ada", &json!({"externalId": "E1"}))).await.id();
    for filter in [
        "userName eq \"ADA\"".to_owned(),
        "UserName Eq \"ada\"".to_owned(),
        "externalId eq \"E1\"".to_owned(),
        format!("id eq \"{id}\""),
    ] {
        let found = client.find(&filter).await.expect(200);
        assert_eq!((&found["totalResults"], &found["Resources"][0]["id"]), (&json!(1), &json!(id)), "{filter}");
    }
    for filter in ["userName eq \"nobody\"", "externalId eq \"e1\"", "id eq \"none\""] {
        let found = client.find(filter).await.expect(200);
        assert_eq!((&found["totalResults"], &found["Resources"]), (&json!(0), &json!([])), "{filter}");
    }
    client.find("userName eq").await.expect_error(400, Some("invalidFilter"));
    client.find("shoeSize sw \"a\"").await.expect_error(400, Some("invalidFilter"));
}

#[tokio::test]
async fn pages_have_every_user_once_and_the_true_total() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let creates = (0..25).map(|n| client.create(user(&format!("user{n}"))));
    let ids: BTreeSet<_> =
        futures_util::future::join_all(creates).await.iter().map(rollcall_tests::Answer::id).collect();
    let mut seen = BTreeSet::new();
    for start in [1, 11, 21] {
        let page = client.get(&format!("/Users?startIndex={start}&count=10")).await.expect(200);
        assert_eq!((&page["totalResults"], &page["startIndex"]), (&json!(25), &json!(start)));
        let resources = page["Resources"].as_array().unwrap();
        assert_eq!(page["itemsPerPage"], resources.len());
        seen.extend(resources.iter().map(|user| user["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen, ids);
    for (query, expected) in [
        ("startIndex=0&count=-1", (25, 0)),
        ("count=0", (25, 0)),
        ("startIndex=99", (25, 0)),
        ("count=100000", (25, 25)),
    ] {
        let page = client.get(&format!("/Users?{query}")).await.expect(200);
        assert_eq!((&page["totalResults"], &page["itemsPerPage"]), (&json!(expected.0), &json!(expected.1)), "{query}");
    }
    client.get("/Users?count=many").await.expect_error(400, Some("invalidValue"));
}

#[tokio::test]
async fn an_asynchronous_call_is_accepted_and_its_outcome_is_at_the_returned_location() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let ask =
        |name: &str| client.call(Method::POST, "/Users").header("prefer", "respond-async").json(&user(name)).send();
    let (accepted, refused) = (ask("ada").await, ask("ADA").await);
    for answer in [&accepted, &refused] {
        assert_eq!(
            (answer.status, answer.header("preference-applied"), &answer.body),
            (202, "respond-async", &Value::Null)
        );
        assert_eq!(answer.header("location"), format!("{}/scim/v2/Events/{}", stack.url, answer.header("set-txn")));
    }
    let done = completion(&stack, &client, accepted.header("set-txn")).await;
    let found = client.find("userName eq \"ada\"").await.expect(200);
    assert_eq!(
        (&done["method"], &done["status"], &done["version"]),
        (&json!("POST"), &json!("201"), &json!("W/\"1\""))
    );
    assert_eq!(done["location"], found["Resources"][0]["meta"]["location"]);
    let failed = completion(&stack, &client, refused.header("set-txn")).await;
    assert_eq!((&failed["status"], &failed["response"]["scimType"]), (&json!("409"), &json!("uniqueness")));
    assert_eq!(client.get("/ServiceProviderConfig").await.expect(200).get("securityEvents"), None);
    let config = client.get("/ServiceProviderConfig?attributes=securityEvents").await.expect(200);
    assert_eq!(config["securityEvents"]["asyncRequest"], "long");
    let uris = config["securityEvents"]["eventUris"].as_array().unwrap();
    assert!(
        uris.contains(&json!("urn:ietf:params:scim:event:misc:asyncresp"))
            && uris.contains(&json!("urn:ietf:params:scim:event:prov:put:full"))
    );
    let unknown = client.get("/Events/00000000-0000-0000-0000-000000000000").await;
    unknown.expect_error(404, None);
    assert_eq!(unknown.header("retry-after"), "1");
}

/// Waits for the completion token of a request, checks its signature, and returns its event.
async fn completion(stack: &Stack, client: &rollcall_tests::Client, txn: &str) -> Value {
    let path = format!("/Events/{txn}");
    let token =
        eventually("the completion", async || Some(client.get(&path).await).filter(|answer| answer.status == 200))
            .await;
    assert_eq!(token.header("content-type"), "application/secevent+jwt");
    let claims = claims(&stack.url, token.body.as_str().unwrap()).await;
    assert_eq!((&claims["txn"], &claims["iss"]), (&json!(txn), &json!(format!("{}/scim/v2", stack.url))));
    claims["events"]["urn:ietf:params:scim:event:misc:asyncresp"].clone()
}

#[tokio::test]
async fn a_call_repeated_with_its_idempotency_key_has_one_effect_and_one_answer() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let create = |key: &str, name: &str| {
        client.call(Method::POST, "/Users").header("idempotency-key", key).json(&user(name)).send()
    };
    let answers = futures_util::future::join_all((0..8).map(|_| create("k1", "ada"))).await;
    assert!(answers.iter().all(|answer| answer.status == 201 && answer.body == answers[0].body), "{answers:?}");
    assert_eq!(create("k1", "ada").await.body, answers[0].body, "long after, too");
    create("k1", "grace").await.expect_error(422, None);
    assert_eq!(create("k2", "ada").await.status, 409);
    let log = stack.auditor().await.verify(&organization.id).await;
    assert_eq!(log.iter().filter(|entry| entry.header.event_type.as_str() == "UserCreated").count(), 1);
}

#[test_case("attributes=userName" => json!({"userName": "ada"}); "one")]
#[test_case("attributes=name.givenName" => json!({"name": {"givenName": "Ada"}}); "a part")]
#[test_case(
    "excludedAttributes=name,emails,active,meta,urn:ietf:params:scim:schemas:extension:rollcall:2.0:User"
    => json!({"userName": "ada", "title": "Lady"}); "all but some"
)]
#[tokio::test]
async fn only_the_requested_attributes_are_returned(query: &str) -> Value {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let more =
        json!({"title": "Lady", "name": {"givenName": "Ada", "familyName": "King"}, "emails": [{"value": "a@x"}]});
    let id = client.create(user_with("ada", &more)).await.id();
    let mut shown = client.get(&format!("/Users/{id}?{query}")).await.expect(200);
    let object = shown.as_object_mut().unwrap();
    assert!(object.remove("id").is_some() && object.remove("schemas").is_some(), "these are always returned");
    let listed = client.get(&format!("/Users?{query}")).await.expect(200);
    assert_eq!(listed["Resources"][0].as_object().unwrap().len(), object.len() + 2);
    shown
}

#[tokio::test]
async fn a_password_is_accepted_and_not_stored() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let created = organization.client().create(user_with("ada", &json!({"password": "correct horse battery"}))).await;
    assert_eq!((created.status, created.body.get("password")), (201, None));
    let log = stack.auditor().await.verify(&organization.id).await;
    assert!(!log.iter().any(|entry| entry.payload.to_string().contains("battery")));
}

#[tokio::test]
async fn discovery_describes_what_the_service_does() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let config = client.get("/ServiceProviderConfig").await.expect(200);
    assert_eq!(config["bulk"], json!({"supported": true, "maxOperations": 1000, "maxPayloadSize": 4_194_304}));
    assert_eq!(config.get("pagination"), None, "some clients refuse unknown attributes");
    let asked = client.get("/ServiceProviderConfig?attributes=pagination,bulk").await.expect(200);
    assert_eq!(asked["pagination"]["cursor"], true);
    for feature in ["patch", "filter", "sort", "etag"] {
        assert_eq!(config[feature]["supported"], true, "{feature}");
    }
    let types = client.get("/ResourceTypes").await.expect(200);
    assert_eq!(
        (&types["Resources"][0]["endpoint"], &types["Resources"][1]["endpoint"]),
        (&json!("/Users"), &json!("/Groups"))
    );
    let schemas = client.get("/Schemas").await.expect(200);
    for schema in schemas["Resources"].as_array().unwrap() {
        assert_eq!(client.get(&format!("/Schemas/{}", schema["id"].as_str().unwrap())).await.expect(200), *schema);
    }
    let shown = client.get(&format!("/Schemas/{ROLLCALL}")).await.expect(200);
    let workspaces = &shown["attributes"][0]["subAttributes"][0]["canonicalValues"];
    assert_eq!(workspaces, &json!([organization.legal]), "the workspace that users of this token join by default");
    assert_eq!(
        client.get("/Workspaces").await.expect(200)["totalResults"],
        3,
        "every attribute that a caller can name"
    );
    for path in ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"] {
        assert_eq!(client.get(&format!("{path}?filter=id%20pr")).await.status, 403);
        let refused = client.call(Method::DELETE, path).send().await;
        refused.expect_error(405, None);
        assert_eq!(refused.header("allow"), "GET, HEAD");
    }
    client.get("/Me").await.expect_error(501, None);
    client.get("/Nothing").await.expect_error(404, None);
    assert_eq!(client.get("/Users/").await.status, 200, "a trailing slash is ignored");
}

#[tokio::test]
async fn the_api_serves_its_openapi_document_and_a_page_without_external_files() {
    let stack = Stack::shared().await;
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{}{path}", stack.url)).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    };
    let description: Value = serde_json::from_str(&get("/openapi.json").await).unwrap();
    assert_eq!(description["servers"], json!([{"url": stack.url}]));
    let page = get("/docs").await;
    assert!(page.contains("swagger-ui") && !page.contains("//"), "the page loads no external files: {page}");
    assert!(get("/docs/swagger-initializer.js").await.contains("/openapi.json"));
}
