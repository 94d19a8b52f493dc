//! Bulk requests: several operations in one call.

use reqwest::Method;
use rollcall_tests::client::{Answer, Client, GROUP, PATCH, user};
use rollcall_tests::{Stack, eventually};
use serde_json::{Value, json};

const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

async fn bulk(client: &Client, operations: Value) -> Answer {
    client.send(Method::POST, "/Bulk", json!({"schemas": [BULK], "Operations": operations})).await
}

fn create(name: &str, bulk_id: &str) -> Value {
    json!({"method": "POST", "path": "/Users", "bulkId": bulk_id, "data": user(name)})
}

fn statuses(answer: &Value) -> Vec<&str> {
    answer["Operations"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect()
}

fn id(outcome: &Value) -> &str {
    outcome["location"].as_str().unwrap().rsplit('/').next().unwrap()
}

#[tokio::test]
async fn operations_are_answered_in_order_with_a_status_each() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let taken = client.create(user("taken")).await.id();
    let answer = bulk(
        &client,
        json!([
            create("ada", "a"),
            create("TAKEN", "b"),
            {
                "method": "patch", "path": format!("/Users/{taken}"),
                "data": {"schemas": [PATCH], "Operations": [{"op": "add", "path": "title", "value": "x"}]}
            },
            {"method": "DELETE", "path": format!("/Users/{taken}"), "version": "W/\"1\""},
            {"method": "DELETE", "path": format!("/Users/{taken}"), "version": "W/\"2\""},
            {"method": "PUT", "path": "/Users/nobody", "data": user("x")},
            {"method": "POST", "path": "/Users", "bulkId": "c", "data": {"schemas": []}},
            {"method": "GET", "path": "/Users"},
            {"method": "POST", "path": "/Schemas", "bulkId": "d", "data": {}},
        ]),
    )
    .await
    .expect(200);
    assert_eq!(answer["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]));
    assert_eq!(statuses(&answer), ["201", "409", "200", "412", "204", "404", "400", "400", "404"]);
    let outcomes = &answer["Operations"];
    assert_eq!((&outcomes[0]["bulkId"], &outcomes[0]["version"]), (&json!("a"), &json!("W/\"1\"")));
    assert_eq!(outcomes[1]["response"]["scimType"], "uniqueness");
    assert_eq!(client.get(&format!("/Users/{}", id(&outcomes[0]))).await.expect(200)["userName"], "ada");
    stack.auditor().await.compare_with_tables(&organization.id).await;
}

#[tokio::test]
async fn operations_can_refer_to_resources_created_earlier_or_later() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let group = |name: &str, members: &[&str]| {
        let members: Vec<_> = members.iter().map(|id| json!({"value": format!("bulkId:{id}")})).collect();
        json!({
            "method": "POST", "path": "/Groups", "bulkId": name,
            "data": {"schemas": [GROUP], "displayName": name, "members": members}
        })
    };
    let add =
        json!({"schemas": [PATCH], "Operations": [{"op": "add", "path": "members", "value": [{"value": "bulkId:c"}]}]});
    let manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let reporting = |name: &str, by: &str| {
        let data = json!({
            "schemas": [user("")["schemas"][0], manager], "userName": name,
            manager: {"manager": {"value": format!("bulkId:{by}")}}
        });
        json!({"method": "POST", "path": "/Users", "bulkId": name, "data": data})
    };
    let operations = json!([
        group("first", &["a", "b"]), create("a", "a"), create("b", "b"), create("c", "c"), group("second", &["c"]),
        {"method": "PATCH", "path": "/Groups/bulkId:first", "data": add}, group("third", &["nobody"]),
        group("fourth", &["taken"]),
        create("a", "taken"), reporting("x", "y"), reporting("y", "x"),
    ]);
    let answer = bulk(&client, operations).await.expect(200);
    assert_eq!(statuses(&answer)[..9], ["201", "201", "201", "201", "201", "200", "400", "400", "409"]);
    assert_eq!(statuses(&answer)[9..], ["201", "201"], "in a circle");
    let x = client.get(&format!("/Users/{}", id(&answer["Operations"][9]))).await.expect(200);
    assert_eq!(x[manager]["manager"]["value"], id(&answer["Operations"][10]));
    let first = client.get(&format!("/Groups/{}", id(&answer["Operations"][0]))).await.expect(200);
    assert_eq!(first["members"].as_array().unwrap().len(), 3);
    assert!(answer["Operations"][6]["response"]["detail"].as_str().unwrap().contains("bulkId:nobody"));
}

#[tokio::test]
async fn after_fail_on_errors_the_other_operations_are_skipped() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let operations = [create("a", "1"), create("a", "2"), create("b", "3"), create("A", "4"), create("c", "5")];
    let body = json!({"schemas": [BULK], "failOnErrors": 2, "Operations": operations});
    let answer = client.send(Method::POST, "/Bulk", body).await.expect(200);
    assert_eq!(statuses(&answer), ["201", "409", "201", "409"]);
    assert_eq!(client.find("userName eq \"c\"").await.expect(200)["totalResults"], 0);
}

#[tokio::test]
async fn with_fail_on_errors_an_unknown_outcome_skips_the_other_operations() {
    let mut stack = Stack::private("bulk-unknown", &[("ROLLCALL_API__WAIT_SECONDS", "1")]).await;
    let (one, other) = (stack.organization().client(), stack.organization().client());
    let body = |operations: Value| json!({"schemas": [BULK], "failOnErrors": 1, "Operations": operations});
    let group = json!({
        "method": "POST", "path": "/Groups", "bulkId": "g",
        "data": {"schemas": [GROUP], "displayName": "g", "members": [{"value": "bulkId:a"}]}
    });
    let later = [
        json!([create("ada", "a"), create("ben", "b")]),
        json!([create("ada", "a"), group]),
        json!([
            {"method": "POST", "path": "/Users", "bulkId": "x", "data": user("ada")},
            {"method": "DELETE", "path": "/Users/nobody"}
        ]),
    ];
    stack.worker.as_mut().unwrap().terminate();
    assert!(stack.worker.as_mut().unwrap().ended().await);
    for operations in later {
        let answer = one.send(Method::POST, "/Bulk", body(operations)).await.expect(200);
        assert_eq!(statuses(&answer), ["202"], "the first operation is on the queue, and its outcome is unknown");
        assert!(answer["Operations"][0]["location"].as_str().unwrap().contains("/Events/"));
    }
    let preferring = other
        .call(Method::POST, "/Bulk")
        .header("prefer", "respond-async")
        .json(&body(json!([create("a", "1"), create("b", "2")])));
    let answer = preferring.send().await;
    assert_eq!(answer.header("preference-applied"), "");
    assert_eq!(statuses(&answer.expect(200)), ["202"]);
    let all = other
        .send(Method::POST, "/Bulk", json!({"schemas": [BULK], "Operations": [create("c", "1"), create("d", "2")]}))
        .await;
    assert_eq!(statuses(&all.expect(200)), ["202", "202"], "without failOnErrors, every operation runs");
    stack.worker = Some(rollcall_tests::service::Service::worker(&stack.instance));
    for client in [&one, &other] {
        // A call that was answered with 202 before the worker was ready creates the user too.
        let is_done = async || [201, 409].contains(&client.create(user("last")).await.status).then_some(());
        eventually("the worker", is_done).await;
    }
    assert_eq!(one.get("/Users?count=0").await.expect(200)["totalResults"], 2, "ada and the last");
    assert_eq!(one.get("/Groups?count=0").await.expect(200)["totalResults"], 0);
    assert_eq!(other.get("/Users?count=0").await.expect(200)["totalResults"], 4, "a, c, d and the last");
}

#[tokio::test]
async fn a_clients_key_never_collides_with_an_id_made_by_the_service() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let accepted = client.call(Method::POST, "/Bulk").header("Prefer", "respond-async");
    let accepted =
        accepted.json(&json!({"schemas": [BULK], "Operations": [create("ada", "a"), create("ben", "b")]})).send().await;
    let txn = accepted.header("set-txn").to_owned();
    for (index, name) in ["cay", "dan"].iter().enumerate() {
        eventually("the outcome", async || {
            (client.get(&format!("/Events/{txn}:{index}")).await.status == 200).then_some(())
        })
        .await;
        let call = client.call(Method::POST, "/Users").header("Idempotency-Key", &format!("{txn}:{index}"));
        assert_eq!(call.json(&user(name)).send().await.expect(201)["userName"], *name, "the key is new");
    }
    assert_eq!(stack.auditor().await.compare_with_tables(&organization.id).await, 4);
}

#[tokio::test]
async fn a_repeated_bulk_request_is_applied_once() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let operations: Vec<_> = (0..200).map(|n| create(&format!("u{n}"), &format!("{n}"))).collect();
    let call = || {
        client
            .call(Method::POST, "/Bulk")
            .header("Idempotency-Key", "import-7")
            .json(&json!({"schemas": [BULK], "Operations": operations}))
    };
    let (first, second) = (call().send().await.expect(200), call().send().await.expect(200));
    assert!(statuses(&first).iter().all(|status| *status == "201"));
    assert_eq!(first, second);
    assert_eq!(stack.auditor().await.compare_with_tables(&organization.id).await, 200);
}

/// Operations of one batch get different times. A reader that pages with `lastModified gt` therefore misses
/// nobody between two pages.
#[tokio::test]
async fn paging_by_last_modified_misses_nobody_of_a_batch() {
    let stack = Stack::shared().await;
    for organization in [stack.organization(), stack.organization()] {
        let client = organization.client();
        let operations: Vec<_> = (0..150).map(|n| create(&format!("u{n}"), &format!("{n}"))).collect();
        bulk(&client, json!(operations)).await.expect(200);
        let (mut seen, mut newest) = (std::collections::BTreeSet::new(), "2020-01-01T00:00:00Z".to_owned());
        loop {
            let filter = format!("meta.lastModified gt \"{newest}\"");
            let page = client
                .query("/Users", &[("filter", &filter), ("sortBy", "meta.lastModified"), ("count", "40")])
                .await
                .expect(200);
            let Some(last) = page["Resources"].as_array().and_then(|users| users.last()) else { break };
            newest = last["meta"]["lastModified"].as_str().unwrap().to_owned();
            seen.extend(page["Resources"].as_array().unwrap().iter().map(|user| user["id"].to_string()));
        }
        assert_eq!(seen.len(), 150);
        stack.auditor().await.verify(&organization.id).await;
    }
}

#[tokio::test]
async fn a_repeated_bulk_request_refers_to_the_resources_of_the_first() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let reporting = |name: &str, by: &str| {
        let data = json!({
            "schemas": [user("")["schemas"][0], manager], "userName": name,
            manager: {"manager": {"value": format!("bulkId:{by}")}}
        });
        json!({"method": "POST", "path": "/Users", "bulkId": name, "data": data})
    };
    let operations = [
        json!([reporting("ada", "kim"), reporting("kim", "ada")]),
        json!([reporting("ida", "lea"), reporting("lea", "ida")]),
    ];
    for (key, operations) in ["import-1", "import-2"].into_iter().zip(operations) {
        let call = |prefer: &str| {
            let call = client.call(Method::POST, "/Bulk").header("Idempotency-Key", key).header("Prefer", prefer);
            call.json(&json!({"schemas": [BULK], "Operations": operations}))
        };
        for _ in 0..2 {
            assert_eq!(call("respond-async").send().await.status, 202);
        }
        let repeated = call("wait=5").send().await.expect(200);
        assert_eq!(statuses(&repeated), ["201", "201"]);
        for (one, other) in [(0, 1), (1, 0)] {
            let user = client.get(&format!("/Users/{}", id(&repeated["Operations"][one]))).await.expect(200);
            assert_eq!(user[manager]["manager"]["value"], id(&repeated["Operations"][other]));
        }
    }
    assert_eq!(stack.auditor().await.compare_with_tables(&organization.id).await, 4);
}

#[tokio::test]
async fn an_asynchronous_bulk_request_is_accepted_at_once_and_has_an_outcome_per_operation() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let operations = json!([create("ada", "a"), create("ADA", "b")]);
    let call = client.call(Method::POST, "/Bulk").header("Prefer", "respond-async");
    let accepted = call.json(&json!({"schemas": [BULK], "Operations": operations})).send().await;
    assert_eq!((accepted.status, accepted.header("preference-applied")), (202, "respond-async"));
    let txn = accepted.header("set-txn").to_owned();
    for index in 0..2 {
        eventually("the outcome", async || {
            (client.get(&format!("/Events/{txn}:{index}")).await.status == 200).then_some(())
        })
        .await;
    }
    assert_eq!(client.find("userName eq \"ada\"").await.expect(200)["totalResults"], 1);
}

#[tokio::test]
async fn a_bulk_request_over_the_limits_is_refused_as_a_whole() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let many: Vec<_> = (0..1001).map(|n| create(&format!("u{n}"), &format!("{n}"))).collect();
    bulk(&client, json!(many)).await.expect_error(413, Some("tooMany"));
    bulk(&client, json!([create("a", "1"), create("b", "1")])).await.expect_error(400, Some("invalidValue"));
    assert_eq!(client.get("/Users?count=0").await.expect(200)["totalResults"], 0);
}

#[tokio::test]
async fn a_dialect_applies_to_repeated_and_asynchronous_bulk_requests() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let clients = [&organization.marketing, &organization.sales].map(|workspace| {
        let token = organization.issue_for(workspace, &["--dialect", "braze"]).1;
        Client::new(&stack.url, &token, Some("hr.example.com"))
    });
    for (client, name) in clients.iter().zip(["ada", "ben"]) {
        let groups = json!({"appGroup": [{"appGroupName": "Legal", "appGroupPermissions": ["admin"]}]});
        let patch = json!({
            "Operations": [{
                "op": "replace", "path": "permissions.appGroup[appGroupName eq \"Legal\"].appGroupPermissions",
                "value": null
            }]
        });
        let operations = json!([
            {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"userName": name, "permissions": groups}},
            {"method": "PUT", "path": "/Users/bulkId:a", "data": {"department": "bi"}},
            {"method": "PATCH", "path": "/Users/bulkId:a", "data": patch},
        ]);
        let call = |prefer: &str| {
            let call = client.call(Method::POST, "/Bulk").header("Idempotency-Key", name).header("Prefer", prefer);
            call.json(&json!({"schemas": [BULK], "Operations": operations}))
        };
        // When the replacement is read, the user that it refers to does not exist yet.
        let txn = call("respond-async").send().await.header("set-txn").to_owned();
        for index in 0..3 {
            eventually("the outcome", async || {
                (client.get(&format!("/Events/{txn}:{index}")).await.status == 200).then_some(())
            })
            .await;
        }
        assert_eq!(statuses(&call("wait=5").send().await.expect(200)), ["201", "200", "200"]);
        let found = client.find(&format!("userName eq \"{name}\"")).await.expect(200)["Resources"][0].clone();
        assert_eq!(
            (&found["department"], &found["permissions"]["appGroup"][0]["appGroupName"]),
            (&json!("bi"), &json!("Legal"))
        );
        assert_eq!(found["permissions"]["appGroup"][0]["appGroupPermissions"], json!([]));
    }
    assert_eq!(stack.auditor().await.compare_with_tables(&organization.id).await, 2);
}
