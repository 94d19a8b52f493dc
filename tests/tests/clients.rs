//! What real identity providers send, request by request: the files in `data/clients` are their sequences, and what each step is promised.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test, what goes wrong is to be seen at once")]

use reqwest::Method;
use rollcall_tests::Stack;
use serde_json::Value;
use std::collections::BTreeMap;
use test_case::test_case;

/// Puts what earlier steps saved in the place of `${name}`.
fn filled(text: &str, saved: &BTreeMap<String, String>) -> String {
    saved.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}

#[test_case(include_str!("../data/clients/entra_users.json"); "entra users")]
#[test_case(include_str!("../data/clients/entra_groups.json"); "entra groups")]
#[test_case(include_str!("../data/clients/okta.json"); "okta")]
#[test_case(include_str!("../data/clients/others.json"); "others")]
#[test_case(include_str!("../data/clients/braze.json"); "braze")]
#[tokio::test]
async fn a_clients_sequence_works_step_by_step(story: &str) {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let story: Value = serde_json::from_str(story).unwrap();
    let flags: Vec<_> = story["flags"].as_array().into_iter().flatten().map(|flag| flag.as_str().unwrap()).collect();
    let client = organization.client_with(&flags);
    let mut saved = BTreeMap::new();
    for step in story["steps"].as_array().unwrap() {
        let does = step["does"].as_str().unwrap();
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
