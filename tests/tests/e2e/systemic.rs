//! Faults of the database or the program are not faults of requests. No request becomes a dead letter because
//! of them, and every request is applied once they are repaired.
//!
//! Each test breaks a stack of its own.

use reqwest::Method;
use rollcall_queue::topology::partition;
use rollcall_tests::amqp::PARTITIONS;
use rollcall_tests::amqp::Sender;
use rollcall_tests::client::user;
use rollcall_tests::service::{Service, ready};
use rollcall_tests::{Client, Organization, Stack, eventually};
use serde_json::Value;

async fn accepted(client: &Client, name: &str) {
    let answer = client.call(Method::POST, "/Users").header("prefer", "respond-async").json(&user(name)).send().await;
    assert_eq!(answer.status, 202, "{}", answer.body);
}

/// Waits until `/readyz` reports stopped partitions. Returns its body.
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

/// Two organizations in two partitions, and a third one in the partition of the first.
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

/// Breaks the database, sends creates of three organizations, repairs the database, and expects the creates
/// to be applied.
async fn survives_fault(
    stack: &Stack,
    clients: &[Client; 3],
    name: &str,
    breaking: &str,
    repairing: &str,
    reason: &str,
) {
    let owner = stack.database("postgres").await;
    owner.batch_execute(breaking).await.unwrap();
    for client in clients {
        accepted(client, name).await;
    }
    let message = stopped(stack).await;
    assert!(message.contains(reason), "{message}");
    assert_eq!(dead_letters(stack).await, 0);
    owner.batch_execute(repairing).await.unwrap();
    for client in clients {
        let filter = format!("userName eq \"{name}\"");
        eventually("the user", async || (client.find(&filter).await.expect(200)["totalResults"] == 1).then_some(()))
            .await;
    }
    ready(&stack.url).await;
    assert_eq!(dead_letters(stack).await, 0);
}

#[tokio::test]
async fn a_systemic_fault_stops_partitions_and_loses_nothing() {
    let stack = Stack::private("systemic", &[]).await;
    let organizations = organizations(&stack);
    let faults = [
        (
            "REVOKE INSERT ON rollcall.users FROM rollcall_worker",
            "GRANT INSERT ON rollcall.users TO rollcall_worker",
            "permission denied",
        ),
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
    // Issue the tokens first, because a stopped partition issues none.
    let clients = organizations.each_ref().map(Organization::client);
    let owner = stack.database("postgres").await;
    owner
        .batch_execute("CREATE TABLE kept AS SELECT organization_id, peaks FROM rollcall.log_heads WHERE false")
        .await
        .unwrap();
    for (number, (breaking, repairing, reason)) in faults.into_iter().enumerate() {
        owner
            .batch_execute("TRUNCATE kept; INSERT INTO kept SELECT organization_id, peaks FROM rollcall.log_heads")
            .await
            .unwrap();
        survives_fault(&stack, &clients, &format!("user{number}"), breaking, repairing, reason).await;
    }
    let auditor = stack.auditor().await;
    for organization in &organizations {
        auditor.verify(&organization.id).await;
        assert_eq!(auditor.compare_with_tables(&organization.id).await, faults.len());
    }
}

/// How often the worker has logged that a partition is stopped.
fn stops(stack: &Stack) -> usize {
    let log = stack.instance.worker_log();
    log.lines().filter(|line| line.contains("the partition has stopped")).count()
}

/// The broker dead-letters a message after too many deliveries, so a lasting fault must not use up
/// deliveries.
#[tokio::test]
async fn a_stopped_partition_takes_no_messages_until_a_trial_succeeds() {
    let mut stack = Stack::private_with("trial", &[], &[("ROLLCALL_WORKER__HOLD_SECONDS", "1")]).await;
    let organizations = organizations(&stack);
    let clients = organizations.each_ref().map(Organization::client);
    let owner = stack.database("postgres").await;
    let breaking = "CREATE TABLE kept AS SELECT organization_id, peaks FROM rollcall.log_heads;
        UPDATE rollcall.log_heads SET peaks = '{}' WHERE size > 0";
    owner.batch_execute(breaking).await.unwrap();
    for client in &clients {
        accepted(client, "ada").await;
    }
    // Two partitions log this, while they hold their batch and at every trial.
    eventually("trials", async || (stops(&stack) > 20).then_some(())).await;
    drop(stack.worker.take());
    let sender = Sender::connect(&stack.instance).await;
    for organization in &organizations[..2] {
        assert_eq!(sender.failed_deliveries(organization.id.parse().unwrap()).await, 1);
    }
    owner
        .batch_execute(
            "UPDATE rollcall.log_heads h SET peaks = k.peaks FROM kept k WHERE k.organization_id = h.organization_id",
        )
        .await
        .unwrap();
    stack.worker = Some(Service::worker(&stack.instance));
    for client in &clients {
        eventually("the user", async || {
            (client.find("userName eq \"ada\"").await.expect(200)["totalResults"] == 1).then_some(())
        })
        .await;
    }
    assert_eq!(dead_letters(&stack).await, 0);
}

/// Triggers that make requests fail, by user name: Postgres refuses `bad`, takes too long for `slow` once,
/// and for `slower` every time.
const FAULTS: &str = "
    CREATE SEQUENCE rollcall.tried;
    CREATE FUNCTION rollcall.fail() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
        IF NEW.user_name_key = 'bad' THEN RAISE EXCEPTION 'refused' USING ERRCODE = '23514'; END IF;
        IF NEW.user_name_key = 'slower' OR (NEW.user_name_key = 'slow' AND nextval('rollcall.tried') = 1) THEN
            RAISE EXCEPTION 'too slow' USING ERRCODE = '57014';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER fail BEFORE INSERT ON rollcall.users FOR EACH ROW EXECUTE FUNCTION rollcall.fail()";

#[tokio::test]
async fn the_same_failure_in_two_organizations_does_not_stop_a_partition_if_others_succeed() {
    let stack = Stack::private("alike", &[]).await;
    let organizations = organizations(&stack);
    let clients = organizations.each_ref().map(Organization::client);
    let [first, elsewhere, same] = &clients;
    stack.database("postgres").await.batch_execute(FAULTS).await.unwrap();
    accepted(first, "bad").await;
    accepted(same, "bad").await;
    stopped(&stack).await;
    accepted(elsewhere, "good").await;
    eventually("both dead letters", async || (dead_letters(&stack).await == 2).then_some(())).await;
    ready(&stack.url).await;
    for client in &clients {
        client.create(user("good2")).await.expect(201);
    }
}

#[tokio::test]
async fn a_request_that_times_out_is_retried_once() {
    let stack = Stack::private("slow", &[]).await;
    let clients = organizations(&stack).each_ref().map(Organization::client);
    stack.database("postgres").await.batch_execute(FAULTS).await.unwrap();
    clients[0].create(user("slow")).await.expect(201);
    assert_eq!(dead_letters(&stack).await, 0);
    clients[1].create(user("slower")).await.expect(500);
    eventually("the dead letter", async || (dead_letters(&stack).await == 1).then_some(())).await;
    for client in &clients {
        client.create(user("good")).await.expect(201);
    }
}
