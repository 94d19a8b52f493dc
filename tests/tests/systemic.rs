//! Faults of the database or the program are not the requests': nothing becomes a dead letter because of them, and everything is applied once they are mended.
//!
//! Each test breaks a stack of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test, what goes wrong is to be seen at once")]

use reqwest::Method;
use rollcall_events::topology::partition;
use rollcall_tests::amqp::PARTITIONS;
use rollcall_tests::client::user;
use rollcall_tests::service::ready;
use rollcall_tests::{Client, Organization, Stack, eventually};
use serde_json::Value;

async fn accepted(client: &Client, name: &str) {
    let answer = client.call(Method::POST, "/Users").header("prefer", "respond-async").json(&user(name)).send().await;
    assert_eq!(answer.status, 202, "{}", answer.body);
}

/// What `/readyz` says once it says that partitions are stopped.
async fn stopped(stack: &Stack) -> String {
    eventually("a stopped partition", async || {
        let answer = reqwest::get(format!("{}/readyz", stack.url)).await.ok()?;
        let is_unready = answer.status() == 503;
        let text = answer.text().await.unwrap();
        let body: Value = serde_json::from_str(&text).unwrap();
        (is_unready && body["partitions_stopped"].as_array().is_some_and(|stopped| !stopped.is_empty())).then_some(text)
    })
    .await
}

async fn dead_letters(stack: &Stack) -> i64 {
    stack.database("postgres").await.query_one("SELECT count(*) FROM rollcall.dead_letters", &[]).await.unwrap().get(0)
}

/// Two organizations in two partitions and a third in the partition of the first.
fn organizations(stack: &Stack) -> [Organization; 3] {
    let of = |organization: &Organization| partition(organization.id.parse().unwrap(), PARTITIONS);
    let first = stack.organization();
    let (mut other, mut same) = (None, None);
    while other.is_none() || same.is_none() {
        let organization = stack.organization();
        let found = if of(&organization) == of(&first) { &mut same } else { &mut other };
        *found = Some(organization);
    }
    [first, other.unwrap(), same.unwrap()]
}

/// Breaks the database, sends creates of three organizations, mends it, and expects them to be applied.
async fn outlasts(stack: &Stack, clients: &[Client; 3], name: &str, breaking: &str, mending: &str, reason: &str) {
    let owner = stack.database("postgres").await;
    owner.batch_execute(breaking).await.unwrap();
    for client in clients {
        accepted(client, name).await;
    }
    let said = stopped(stack).await;
    assert!(said.contains(reason), "{said}");
    assert_eq!(dead_letters(stack).await, 0);
    owner.batch_execute(mending).await.unwrap();
    for client in clients {
        let filter = format!("userName eq \"{name}\"");
        eventually("the user", async || (client.find(&filter).await.expect(200)["totalResults"] == 1).then_some(())).await;
    }
    ready(&stack.url).await;
    assert_eq!(dead_letters(stack).await, 0);
}

#[tokio::test]
async fn a_fault_of_the_database_stops_partitions_and_loses_nothing() {
    let stack = Stack::private("systemic", &[]).await;
    let organizations = organizations(&stack);
    let faults = [
        ("REVOKE INSERT ON rollcall.users FROM rollcall_worker", "GRANT INSERT ON rollcall.users TO rollcall_worker", "permission denied"),
        (
            "ALTER TABLE rollcall.workspace_members RENAME COLUMN teams TO crews",
            "ALTER TABLE rollcall.workspace_members RENAME COLUMN crews TO teams",
            "teams",
        ),
        (
            "UPDATE rollcall.log_heads SET peaks = '{}' WHERE size > 0",
            "UPDATE rollcall.log_heads h SET peaks = k.peaks FROM kept k WHERE k.organization_id = h.organization_id",
            "peaks of 32 bytes",
        ),
    ];
    // A stopped partition issues no tokens.
    let clients = organizations.each_ref().map(Organization::client);
    let owner = stack.database("postgres").await;
    owner.batch_execute("CREATE TABLE kept AS SELECT organization_id, peaks FROM rollcall.log_heads WHERE false").await.unwrap();
    for (number, (breaking, mending, reason)) in faults.into_iter().enumerate() {
        owner.batch_execute("TRUNCATE kept; INSERT INTO kept SELECT organization_id, peaks FROM rollcall.log_heads").await.unwrap();
        outlasts(&stack, &clients, &format!("user{number}"), breaking, mending, reason).await;
    }
    let auditor = stack.auditor().await;
    for organization in &organizations {
        auditor.verify(&organization.id).await;
        assert_eq!(auditor.compare_with_tables(&organization.id).await, faults.len());
    }
}
