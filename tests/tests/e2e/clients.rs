//! Replays what real identity providers send. The files in `data/clients` contain their requests and the
//! expected answers. A step whose `token` is `standard` is sent with a token without flags, whose default
//! workspace is another one.

use futures_util::{StreamExt, stream};
use reqwest::Method;
use rollcall_tests::client::{Call, user};
use rollcall_tests::service::Service;
use rollcall_tests::{Answer, Client, Stack, eventually};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use test_case::test_case;

/// Replaces `${name}` by the value that an earlier step saved.
fn filled(text: &str, saved: &BTreeMap<String, String>) -> String {
    saved.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}

#[test_case(include_str!("../../data/clients/entra_users.json"); "entra users")]
#[test_case(include_str!("../../data/clients/entra_groups.json"); "entra groups")]
#[test_case(include_str!("../../data/clients/okta.json"); "okta")]
#[test_case(include_str!("../../data/clients/others.json"); "others")]
#[test_case(include_str!("../../data/clients/salesforce.json"); "salesforce")]
#[test_case(include_str!("../../data/clients/braze.json"); "braze")]
#[test_case(include_str!("../../data/clients/braze_changes.json"); "braze changes")]
#[test_case(include_str!("../../data/clients/public_manager.json"); "public manager")]
#[test_case(include_str!("../../data/clients/public_values.json"); "public values")]
#[test_case(include_str!("../../data/clients/public_bodies.json"); "public bodies")]
#[test_case(include_str!("../../data/clients/public_queries.json"); "public queries")]
#[test_case(include_str!("../../data/clients/public_groups.json"); "public groups")]
#[test_case(include_str!("../../data/clients/okta_entitlements.json"); "okta entitlements")]
#[test_case(include_str!("../../data/clients/interop.json"); "interop")]
#[tokio::test]
async fn a_clients_sequence_works_step_by_step(story: &str) {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let story: Value = serde_json::from_str(story).unwrap();
    let flags: Vec<_> = story["flags"].as_array().into_iter().flatten().map(|flag| flag.as_str().unwrap()).collect();
    let (own, standard) = (organization.client_with(&flags), organization.client_of(&organization.legal));
    let mut saved = BTreeMap::new();
    for defined in story["defines"].as_array().into_iter().flatten() {
        let text = |name: &str| defined[name].as_str().unwrap();
        saved.insert(text("save").to_owned(), organization.define(text("kind"), text("name"), &[]));
    }
    for step in story["steps"].as_array().unwrap() {
        let does = step["does"].as_str().unwrap();
        let client = if step["token"] == "standard" { &standard } else { &own };
        let method: Method = step["method"].as_str().unwrap().parse().unwrap();
        let mut call = client.call(method, &filled(step["path"].as_str().unwrap(), &saved));
        if let Some(body) = step.get("send") {
            let content_type = step["content_type"].as_str().unwrap_or("application/scim+json");
            call = call.body(filled(&body.to_string(), &saved), content_type);
        }
        let answer = call.send().await;
        assert_eq!(u64::from(answer.status), step["status"].as_u64().unwrap(), "{does}: {}", answer.body);
        for (pointer, expected) in step["body"].as_object().into_iter().flatten() {
            let expected: Value = serde_json::from_str(&filled(&expected.to_string(), &saved)).unwrap();
            assert_eq!(answer.body.pointer(pointer), Some(&expected), "{does}: {pointer} of {}", answer.body);
        }
        for (pointer, beginning) in step["begins"].as_object().into_iter().flatten() {
            let text = answer.body.pointer(pointer).and_then(Value::as_str).unwrap();
            assert!(text.starts_with(beginning.as_str().unwrap()), "{does}: {pointer} of {}", answer.body);
        }
        for pointer in step["absent"].as_array().into_iter().flatten() {
            assert_eq!(answer.body.pointer(pointer.as_str().unwrap()), None, "{does}: {}", answer.body);
        }
        for (name, pointer) in step["save"].as_object().into_iter().flatten() {
            let value = answer.body.pointer(pointer.as_str().unwrap()).and_then(Value::as_str).unwrap();
            saved.insert(name.clone(), value.to_owned());
        }
    }
    stack.auditor().await.compare_with_tables(&organization.id).await;
}

/// A connector like that of Entra ID: it sends several calls at once and retries a throttled call.
struct Connector {
    client: Client,
    throttled: AtomicUsize,
}

impl Connector {
    async fn call_with_retries(&self, call: impl Fn() -> Call) -> Answer {
        eventually("an answer other than 429", async || {
            let answer = call().send().await;
            if answer.status != 429 {
                return Some(answer);
            }
            let seconds: u64 = answer.header("retry-after").parse().unwrap();
            assert!(seconds > 0, "a throttled answer has Retry-After");
            self.throttled.fetch_add(1, Ordering::Relaxed);
            None
        })
        .await
    }

    async fn find(&self, name: &str) -> Value {
        let path = format!("/Users?filter=userName%20eq%20%22{name}%22");
        self.call_with_retries(|| self.client.call(Method::GET, &path)).await.expect(200)
    }

    /// Looks a user up, creates it, and disables it. If `times_out`, it aborts the creation and sends it
    /// again.
    async fn provision(&self, name: &str, times_out: bool) {
        assert_eq!(self.find(name).await["totalResults"], 0);
        let create = || self.client.call(Method::POST, "/Users").json(&user(name));
        if times_out {
            // The connector does not know whether the call was applied, refused or never sent.
            let _ = tokio::time::timeout(Duration::from_millis(2), create().try_send()).await;
        }
        let created = self.call_with_retries(create).await;
        match created.status {
            409 if times_out => drop(created.expect_error(409, Some("uniqueness"))),
            _ => drop(created.expect(201)),
        }
        let found = self.find(name).await;
        assert_eq!(found["totalResults"], 1, "{found}");
        let path = format!("/Users/{}", found["Resources"][0]["id"].as_str().unwrap());
        let operations = json!([{"op": "Replace", "path": "active", "value": "False"}]);
        let disable = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
        let disabled = self.call_with_retries(|| self.client.call(Method::PATCH, &path).json(&disable)).await;
        assert!(matches!(disabled.status, 200 | 204), "{}", disabled.body);
    }
}

#[tokio::test]
async fn a_throttled_entra_connector_retries_calls_and_timeouts_safely() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    // The first twelve calls come at once, so some are throttled however slow the machine is.
    let (_api, url) =
        Service::api(&stack.instance, &[("ROLLCALL_API__CALLS_PER_SECOND", "20"), ("ROLLCALL_API__BURST", "4")]).await;
    let connector = Connector { client: organization.client().at(&url), throttled: AtomicUsize::new(0) };
    stream::iter(0..45)
        .for_each_concurrent(12, |n| {
            let connector = &connector;
            async move { connector.provision(&format!("employee{n}"), n % 3 == 0).await }
        })
        .await;
    assert!(connector.throttled.load(Ordering::Relaxed) > 0, "the connector was never throttled");
    let auditor = stack.auditor().await;
    assert_eq!(auditor.compare_with_tables(&organization.id).await, 45, "each user exists once");
}
