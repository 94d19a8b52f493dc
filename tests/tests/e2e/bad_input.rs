//! Bad input of every kind: the answer is a SCIM error that names the problem, nothing is created, and no
//! connection hangs.

use reqwest::Method;
use rollcall_scim::schema::ENTERPRISE_SCHEMA as ENTERPRISE;
use rollcall_tests::client::{ROLLCALL, USER, user, user_with};
use rollcall_tests::{Answer, Client, Stack, within};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn post(client: &Client, body: impl Into<reqwest::Body>) -> Answer {
    client.call(Method::POST, "/Users").body(body, "application/scim+json").send().await
}

/// Every bad body, with the expected status, the expected `scimType`, and a word that the detail must
/// contain.
fn bad_bodies() -> Vec<(Vec<u8>, u16, Option<&'static str>, &'static str)> {
    let text = |text: &str| text.as_bytes().to_vec();
    let value = |value: Value| value.to_string().into_bytes();
    let syntax = Some("invalidSyntax");
    let invalid = Some("invalidValue");
    vec![
        (text(""), 400, syntax, "EOF"),
        (text("hello"), 400, syntax, "JSON"),
        (text(r#"{"schemas": ["#), 400, syntax, "EOF"),
        (text(r#"{"userName": "a"} trailing"#), 400, syntax, "trailing"),
        (text(r#"{"userName": "a", "userName": "b"}"#), 400, syntax, "twice"),
        (text(r#"{"userName": "a\u0000b"}"#), 400, syntax, "U+0000"),
        (text(r#"{"userName": "\ud800"}"#), 400, syntax, "JSON"),
        (text(r#"{"userName": 1e999}"#), 400, syntax, "number"),
        (b"{\"userName\": \"\xff\xfe\"}".to_vec(), 400, syntax, "UTF-8"),
        (text(&"[".repeat(10_000)), 400, syntax, "nested"),
        (text(&format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000))), 400, syntax, "nested"),
        (value(json!([])), 400, syntax, "object"),
        (value(json!({"userName": "a"})), 400, syntax, "schemas"),
        (value(json!({"schemas": ["urn:example:nothing"], "userName": "a"})), 400, syntax, "urn:example:nothing"),
        (value(json!({"schemas": [USER, "urn:example:more"], "userName": "a"})), 400, syntax, "urn:example:more"),
        (value(json!({"schemas": [USER]})), 400, invalid, "userName"),
        (value(user("")), 400, invalid, "userName"),
        (value(json!({"schemas": [USER], "userName": {"a": 1}})), 400, invalid, "userName"),
        (value(user(&"x".repeat(100_000))), 400, invalid, "userName"),
        (value(user_with("a", &json!({"active": "perhaps"}))), 400, invalid, "active"),
        (value(user_with("a", &json!({"emails": "a@x"}))), 400, None, ""),
        (value(user_with("a", &json!({"emails": [7]}))), 400, invalid, "emails"),
        (value(user_with("a", &json!({"emails": [{"value": 7}]}))), 400, invalid, "emails.value"),
        (value(user_with("a", &json!({"roles": vec!["r"; 2000]}))), 400, invalid, "roles"),
        (value(user_with("a", &json!({ROLLCALL: {"workspaces": [{"value": "nowhere"}]}}))), 400, invalid, "nowhere"),
        (
            value(user_with(
                "a",
                &json!({ROLLCALL: {"workspaces": [{"value": "01890000-0000-7000-8000-000000000000"}]}}),
            )),
            400,
            invalid,
            "workspaces",
        ),
    ]
}

#[tokio::test]
async fn a_bad_body_is_refused_with_a_reason_and_creates_nothing() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let mut accepted = 0;
    for (body, status, scim_type, word) in bad_bodies() {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = post(&client, body).await;
        // A single e-mail address instead of a list is a leniency that the api accepts.
        if word.is_empty() {
            accepted += 1;
            answer.expect(201);
            continue;
        }
        let detail = answer.expect_error(status, scim_type);
        assert!(detail.contains(word), "{shown}: {detail}");
        assert!(detail.len() < 500, "{shown}: the detail is {} bytes long", detail.len());
    }
    assert_eq!(client.get("/Users").await.expect(200)["totalResults"], accepted);
    assert_eq!(stack.auditor().await.compare_with_tables(&organization.id).await, accepted);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_with_a_reason() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let body = user_with("ada", &json!({"title": "x".repeat(10 * 1024 * 1024)})).to_string();
    let answer = post(&client, body).await;
    assert!(answer.expect_error(413, None).contains("4194304 bytes"));
    assert_eq!(client.create(user("ada")).await.status, 201, "the next call is served");
}

#[tokio::test]
async fn other_media_types_are_refused_and_every_spelling_of_ours_is_accepted() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    for media_type in ["text/plain", "application/xml", "application/x-www-form-urlencoded", "application/jsonp"] {
        let answer = client.call(Method::POST, "/Users").body(user("ada").to_string(), media_type).send().await;
        assert!(answer.expect_error(415, None).contains("application/scim+json"));
    }
    for (name, media_type) in [
        ("a", "application/json"),
        ("b", "Application/SCIM+JSON; charset=UTF-8"),
        ("c", "application/json;charset=utf-8"),
    ] {
        assert_eq!(
            client.call(Method::POST, "/Users").body(user(name).to_string(), media_type).send().await.status,
            201,
            "{media_type}"
        );
    }
}

#[tokio::test]
async fn a_bad_patch_is_refused_and_changes_nothing() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let created =
        client.create(user_with("ada", &json!({"title": "Lady", "emails": [{"value": "a@x", "type": "work"}]}))).await;
    let cases = [
        (json!("none"), "invalidSyntax", "Operations"),
        (json!([{"op": "destroy", "path": "title"}]), "invalidSyntax", "op"),
        (json!([{"op": "remove"}]), "noTarget", "path"),
        (json!([{"op": "add", "path": "shoeSize", "value": 1}]), "invalidPath", "shoeSize"),
        (json!([{"op": "add", "path": "emails[", "value": 1}]), "invalidPath", "character"),
        (json!([{"op": "replace", "path": "id", "value": "x"}]), "mutability", "id"),
        (json!([{"op": "replace", "path": "meta.version", "value": "x"}]), "mutability", "meta"),
        (json!([{"op": "remove", "path": "userName"}]), "mutability", "userName"),
        (json!([{"op": "replace", "path": "active", "value": 7}]), "invalidValue", "active"),
        (
            json!([
                {"op": "replace", "path": "title", "value": "B"},
                {"op": "replace", "path": "emails[type ne \"work\" and value sw \"z\"].value", "value": "n"}
            ]),
            "noTarget",
            "emails",
        ),
        (
            json!([{
                "op": "add", "path": format!("{ROLLCALL}:workspaces"),
                "value": [{"value": "01890000-0000-7000-8000-000000000000"}]
            }]),
            "invalidValue",
            "workspace",
        ),
    ];
    for (operations, scim_type, word) in cases {
        let answer = client.patch(&created.id(), operations.clone()).await;
        let detail = answer.expect_error(400, Some(scim_type));
        assert!(detail.contains(word), "{operations}: {detail}");
    }
    assert_eq!(client.get(&format!("/Users/{}", created.id())).await.body, created.body);
}

/// Empty values of an attribute, in every kind of request: they are refused by name, and neither resource nor
/// tables change.
#[tokio::test]
async fn an_empty_value_is_refused_and_changes_nothing() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let whole = json!({
        "name": {"givenName": "Ada", "familyName": "King"},
        "emails": [{"value": "a@x", "type": "work"}, {"value": "b@x", "type": "home"}],
        "roles": [{"value": "r"}], ENTERPRISE: {"department": "Engines", "manager": {"value": "m"}},
        ROLLCALL: {
            "workspaces": [{"value": organization.marketing, "teams": [{"value": "t"}]}, {"value": organization.sales}],
            "companyPermissions": ["p"]
        },
    });
    let created = client.create(user_with("ada", &whole)).await;
    let unreadable = [
        ("emails".to_owned(), json!([{"email": "c@x"}])),
        ("emails".to_owned(), json!([{"value": "c@x"}, {}])),
        ("emails".to_owned(), json!("")),
        ("name".to_owned(), json!({"first": "Augusta"})),
        ("name".to_owned(), json!({})),
        ("roles".to_owned(), json!([null])),
        (format!("{ENTERPRISE}:manager"), json!({"managerId": "m"})),
        (format!("{ENTERPRISE}:manager"), json!({"displayName": "Charles"})),
        (format!("{ROLLCALL}:workspaces"), json!([{"id": organization.sales}])),
        (format!("{ROLLCALL}:workspaces.teams"), json!([{"id": "t"}])),
        (format!("{ROLLCALL}:companyPermissions"), json!([""])),
        ("emails[type eq \"work\"]".to_owned(), json!({})),
    ];
    for (path, value) in &unreadable {
        let name = path.rsplit([':', '.']).next().unwrap().split('[').next().unwrap();
        for op in ["add", "replace", "remove"] {
            let detail = client.patch(&created.id(), json!([{"op": op, "path": path, "value": value}])).await;
            assert!(detail.expect_error(400, Some("invalidValue")).contains(name), "{op} {path} {value}");
        }
        let detail = client
            .patch(
                &created.id(),
                json!([
                    {"op": "replace", "path": "title", "value": "x"},
                    {"op": "replace", "value": {(path.as_str()): value}}
                ]),
            )
            .await;
        assert!(detail.expect_error(400, Some("invalidValue")).contains(name), "{path} {value}");
        if !path.contains([':', '[']) {
            let detail = client.replace(&created.id(), user_with("ada", &json!({(path.as_str()): value}))).await;
            assert!(detail.expect_error(400, Some("invalidValue")).contains(name), "{path} {value}");
            let detail = client.create(user_with("grace", &json!({(path.as_str()): value}))).await;
            assert!(detail.expect_error(400, Some("invalidValue")).contains(name), "{path} {value}");
        }
    }
    for extension in [json!({}), json!({"unit": "Engines"})] {
        let detail = client.replace(&created.id(), user_with("ada", &json!({ENTERPRISE: extension}))).await;
        assert!(detail.expect_error(400, Some("invalidValue")).contains(ENTERPRISE), "{extension}");
    }
    assert_eq!(client.get(&format!("/Users/{}", created.id())).await.body, created.body);
    assert_eq!(stack.auditor().await.compare_with_tables(&organization.id).await, 1);
}

/// No request reactivates a user unless it says `true`.
#[tokio::test]
async fn a_deactivated_user_stays_inactive_whatever_is_unassigned() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let id = client.create(user_with("ada", &json!({"active": false}))).await.id();
    for operations in [
        json!([{"op": "remove", "path": "active"}]),
        json!([{"op": "replace", "path": "active", "value": null}]),
        json!([{"op": "Replace", "path": "active"}]),
        json!([{"op": "replace", "value": {"active": null, "title": "x"}}]),
        json!([{"op": "add", "value": {"active": null}}]),
    ] {
        let answer = client.patch(&id, operations.clone()).await;
        assert!(matches!(answer.status, 200 | 204), "{operations}: {}", answer.body);
        assert_eq!(client.get(&format!("/Users/{id}")).await.expect(200)["active"], false, "{operations}");
        assert_eq!(client.find("active eq false").await.expect(200)["totalResults"], 1, "{operations}");
    }
    for put in [json!({}), json!({"active": null})] {
        assert_eq!(client.replace(&id, user_with("ada", &put)).await.expect(200)["active"], false);
    }
    assert_eq!(client.find("active eq true").await.expect(200)["totalResults"], 0);
    assert_eq!(client.create(user_with("grace", &json!({"active": null}))).await.expect(201)["active"], true);
    assert_eq!(stack.auditor().await.compare_with_tables(&organization.id).await, 2);
}

#[tokio::test]
async fn a_request_over_the_work_or_size_limit_changes_nothing() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let emails: Value = (0..50).map(|n| json!({"value": format!("{n}{}", "É".repeat(2000))})).collect();
    let ada = client.create(user_with("ada", &json!({"emails": emails}))).await;
    let search = format!("emails[{}]", vec!["value co \"zz\""; 63].join(" or "));
    let much = vec![json!({"op": "remove", "path": search}); 50];
    let detail = client.patch(&ada.id(), json!(much)).await;
    assert!(detail.expect_error(400, Some("tooMany")).contains("emails[value co"));
    let long = |count: usize| -> Value {
        (0..count).map(|n| json!({"value": n.to_string(), "display": "x".repeat(4000)})).collect()
    };
    let large = client.create(user_with("grace", &json!({"roles": long(80)}))).await;
    assert!(large.expect_error(400, Some("invalidValue")).contains("roles"));
    for value in [long(20), long(30)] {
        let grown = client.patch(&ada.id(), json!([{"op": "add", "path": "entitlements", "value": value}])).await;
        assert!(grown.expect_error(400, Some("invalidValue")).contains("emails"), "the largest attribute is named");
    }
    assert_eq!(client.get(&format!("/Users/{}", ada.id())).await.body, ada.body);
    // Replacing the members of a group 1,000 times reads the current members once.
    let members = json!([{"value": ada.id()}]);
    let group = client.create_group("Engines", &[&ada.id()]).await;
    let often = vec![json!({"op": "replace", "path": "members", "value": members}); 1000];
    client.patch_group(&group.id(), json!(often)).await.expect(204);
    assert_eq!(stack.auditor().await.compare_with_tables(&organization.id).await, 1);
}

#[tokio::test]
async fn bad_paths_and_queries_are_refused_with_a_reason() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    client.get("/Users/not-an-id").await.expect_error(404, None);
    client.get("/Users?filter=%00").await.expect_error(400, Some("invalidValue"));
    client.get("/Users?count=1&count=2").await.expect_error(400, Some("invalidValue"));
    client.get("/Users?attributes=a&excludedAttributes=b").await.expect_error(400, Some("invalidValue"));
    client.find(&format!("{}a pr{}", "(".repeat(500), ")".repeat(500))).await.expect_error(400, Some("invalidFilter"));
    client.find(&format!("userName eq \"{}\"", "x".repeat(5000))).await.expect_error(400, Some("invalidFilter"));
    let refused =
        client.call(Method::POST, "/Users/01890000-0000-7000-8000-000000000000").json(&user("a")).send().await;
    refused.expect_error(405, None);
    let long =
        client.call(Method::POST, "/Users").header("idempotency-key", &"k".repeat(300)).json(&user("a")).send().await;
    long.expect_error(400, Some("invalidValue"));
}

fn incomplete_form(path: &str, begin: &str) -> String {
    let head = "content-type: application/x-www-form-urlencoded\r\ncontent-length: 1000";
    format!("POST {path} HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n{begin}")
}

#[tokio::test]
async fn the_size_of_a_form_is_limited() {
    let stack = Stack::shared().await;
    for path in ["/sign-in", "/sign-in/oidc", "/language"] {
        let form = format!("link={}", "x".repeat(100_000));
        let call = reqwest::Client::new()
            .post(format!("{}{path}", stack.url))
            .header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(call.body(form).send().await.unwrap().status(), 413, "{path}");
    }
}

#[tokio::test]
async fn a_caller_that_stops_sending_gets_an_answer_and_is_disconnected() {
    let stack = Stack::shared().await;
    let (_api, url) =
        rollcall_tests::service::Service::api(&stack.instance, &[("ROLLCALL_API__RECEIVE_SECONDS", "1")]).await;
    let client = stack.organization().client();
    let address = url.trim_start_matches("http://").to_owned();
    let heads = [
        "POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\n".to_owned(),
        format!(
            "POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nx-request-origin: \
            hr.example.com\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{{",
            client.token
        ),
        incomplete_form("/sign-in", "link="),
        incomplete_form("/sign-in/oidc", "chosen="),
        incomplete_form("/language", "language=en&path="),
    ];
    for head in heads {
        let mut connection = TcpStream::connect(&address).await.unwrap();
        connection.write_all(head.as_bytes()).await.unwrap();
        // The server closes the connection.
        let mut answer = String::new();
        within("the end of the connection", connection.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    assert_eq!(client.at(&url).get("/Users").await.expect(200)["totalResults"], 0);
}

/// Text that does not compress. An index cannot hold it, so it must be refused before Postgres gets it.
#[tokio::test]
async fn a_text_too_long_for_an_index_is_refused() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let long: String = (0..120).map(|_| uuid::Uuid::new_v4().to_string()).collect();
    let long = &long[..4000];
    let detail = |answer: &Answer| answer.expect_error(400, Some("invalidValue")).to_owned();
    assert!(detail(&client.create(user_with("ada", &json!({"externalId": long}))).await).contains("externalId"));
    assert!(detail(&client.create(user(long)).await).contains("userName"));
    assert!(detail(&client.create_group(long, &[]).await).contains("displayName"));
    let id = client.create(user("ada")).await.id();
    let patch = json!([{"op": "add", "path": "externalId", "value": long}]);
    assert!(detail(&client.patch(&id, patch).await).contains("externalId"));
    assert_eq!(
        client.create(user_with("grace", &json!({"title": long}))).await.status,
        201,
        "an attribute without an index may be long"
    );
}
