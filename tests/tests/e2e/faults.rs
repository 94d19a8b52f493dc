//! Kills processes at bad moments and checks the promise: every call that was answered 201 or 202 is in the
//! users table and in the log exactly once.
//!
//! Each test breaks a stack of its own.

use futures_util::{StreamExt, stream};
use reqwest::Method;
use rollcall_tests::client::user;
use rollcall_tests::service::{Service, ready};
use rollcall_tests::{Answer, Client, Organization, Stack, eventually};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

const CREATES: usize = 2000;
const CALLERS: usize = 32;
/// No limit on the calls of a token: the callers try again at once while a server is down.
const UNLIMITED: [(&str, &str); 2] =
    [("ROLLCALL_API__CALLS_PER_SECOND", "1000000"), ("ROLLCALL_API__BURST", "1000000")];
/// How often a worker is killed in one stream. Several times, because an early ack loses requests only in a
/// short part of each batch.
const KILLS: usize = 12;

/// Creates 2,000 users from 32 callers. A call without a 201 or 202 is repeated with its idempotency key.
/// `answered` counts the answered calls.
async fn stream_of_creates(client: &Client, answered: &AtomicUsize) {
    stream::iter(0..CREATES)
        .for_each_concurrent(CALLERS, async |n| {
            let name = format!("user{n}");
            let key = format!("key{n}");
            eventually("a promise", async || {
                let call = client.call(Method::POST, "/Users").header("idempotency-key", &key).json(&user(&name));
                match call.try_send().await {
                    Ok(Answer { status: 201 | 202, .. }) => Some(()),
                    Ok(answer) => {
                        assert_eq!(answer.status, 503, "{}", answer.body);
                        assert!(!answer.header("retry-after").is_empty());
                        None
                    }
                    Err(_) => None,
                }
            })
            .await;
            answered.fetch_add(1, Ordering::Relaxed);
        })
        .await;
}

async fn after(answered: &AtomicUsize, count: usize) {
    eventually("progress", async || (answered.load(Ordering::Relaxed) >= count).then_some(())).await;
}

/// Waits until everything accepted is applied. Then checks that it was applied exactly once, and that log,
/// tree and tables agree.
async fn check(stack: &Stack, organization: &Organization) {
    ready(&stack.url).await;
    let auditor = stack.auditor().await;
    eventually("the last accepted request", async || {
        (auditor.users(&organization.id).await.len() == CREATES).then_some(())
    })
    .await;
    assert_eq!(auditor.compare_with_tables(&organization.id).await, CREATES);
    let log = auditor.verify(&organization.id).await;
    let created: Vec<_> = log.iter().filter(|entry| entry.header.event_type.as_str() == "UserCreated").collect();
    let names: BTreeSet<_> =
        created.iter().filter_map(|entry| entry.payload["resource"]["userName"].as_str()).collect();
    assert_eq!((created.len(), names.len()), (CREATES, CREATES), "each of them once");
}

#[tokio::test]
async fn killing_a_worker_under_load_loses_and_duplicates_nothing() {
    let mut stack = Stack::private("worker-killed", &UNLIMITED).await;
    let organization = stack.organization();
    let (client, answered) = (organization.client(), AtomicUsize::new(0));
    let breaking = async {
        for round in 0..KILLS {
            // A standby worker: RabbitMQ gives it the partitions when the other one is gone.
            let mut standby = Service::worker(&stack.instance);
            after(&answered, (round + 1) * CREATES / (KILLS + 2)).await;
            std::mem::swap(stack.worker.as_mut().unwrap(), &mut standby);
            standby.kill();
        }
    };
    tokio::join!(stream_of_creates(&client, &answered), breaking);
    check(&stack, &organization).await;
}

#[tokio::test]
async fn killing_the_broker_under_load_loses_and_duplicates_nothing() {
    let stack = Stack::private("broker-killed", &UNLIMITED).await;
    let organization = stack.organization();
    let (client, answered) = (organization.client(), AtomicUsize::new(0));
    let breaking = async {
        after(&answered, CREATES / 3).await;
        in_background(&stack, "kill-rabbitmq").await;
        let refused =
            client.call(Method::POST, "/Users").header("idempotency-key", "key0").json(&user("user0")).send().await;
        let detail = refused.expect_error(503, None);
        assert!(detail.contains("may have been applied") && detail.contains("same Idempotency-Key"), "{detail}");
        assert_eq!(client.get("/Users?count=0").await.status, 200, "reads still work");
        in_background(&stack, "start-rabbitmq").await;
    };
    tokio::join!(stream_of_creates(&client, &answered), breaking);
    check(&stack, &organization).await;
}

#[tokio::test]
async fn killing_the_database_under_load_loses_and_duplicates_nothing() {
    let stack = Stack::private("database-killed", &UNLIMITED).await;
    let organization = stack.organization();
    let (client, answered) = (organization.client(), AtomicUsize::new(0));
    let breaking = async {
        after(&answered, CREATES / 3).await;
        in_background(&stack, "kill-postgres").await;
        let read = client.get("/Users").await;
        let detail = read.expect_error(503, None);
        assert!(!detail.contains("applied") && !detail.contains("Idempotency-Key"), "a read changes nothing: {detail}");
        in_background(&stack, "start-postgres").await;
    };
    tokio::join!(stream_of_creates(&client, &answered), breaking);
    check(&stack, &organization).await;
}

async fn in_background(stack: &Stack, what: &'static str) {
    let instance = stack.instance.clone();
    tokio::task::spawn_blocking(move || instance.servers(what)).await.unwrap();
}

#[tokio::test]
async fn a_service_finishes_accepted_requests_before_it_stops() {
    let mut stack = Stack::private("stopped", &[("ROLLCALL_API__WAIT_SECONDS", "30")]).await;
    let organization = stack.organization();
    let client = organization.client();

    // Without a worker, calls are accepted and wait.
    assert_eq!(reqwest::get(format!("{}/healthz", stack.url)).await.unwrap().status(), 200);
    stack.worker.as_mut().unwrap().terminate();
    assert!(stack.worker.as_mut().unwrap().ended().await, "the worker stops without errors");
    let log = stack.instance.worker_log();
    assert_eq!(log.matches("no message is left in flight").count(), 8, "{log}");
    assert!(!log.contains("restarts") && !log.contains("did not stop cleanly") && !log.contains("ERROR"), "{log}");
    eventually("the api to see that no worker is there", async || {
        let ready = reqwest::get(format!("{}/readyz", stack.url)).await.unwrap();
        assert_eq!(ready.status(), 200, "without a worker, the queue still accepts messages");
        ready.text().await.unwrap().contains("\"partitions_without_worker\":[0,1,2,3,4,5,6,7]").then_some(())
    })
    .await;
    let waited = client.call(Method::POST, "/Users").header("prefer", "wait=1").json(&user("patient")).send().await;
    assert_eq!(
        (waited.status, waited.header("preference-applied")),
        (202, ""),
        "the broker confirmed the message, but the outcome is not known in time"
    );

    let mut waiting = Vec::new();
    for n in 0..20 {
        let client = client.clone();
        waiting.push(tokio::spawn(async move { client.create(user(&format!("user{n}"))).await }));
        // One by one, because calls that arrive together can share one message.
        queued(&stack, n + 2).await;
    }
    stack.api.as_ref().unwrap().terminate();
    eventually("the end of listening", async || {
        client.call(Method::GET, "/Users").try_send().await.is_err().then_some(())
    })
    .await;
    stack.worker = Some(Service::worker(&stack.instance));
    for answer in waiting {
        assert_eq!(answer.await.unwrap().status, 201);
    }
    assert!(stack.api.as_mut().unwrap().ended().await, "the api stops without errors");
    assert_eq!(stack.auditor().await.compare_with_tables(&organization.id).await, 21);
}

#[tokio::test]
async fn a_call_gets_503_if_the_queue_does_not_take_its_message() {
    let mut stack = Stack::private("unroutable", &[]).await;
    let organization = stack.organization();
    let client = organization.client();
    stack.worker.as_mut().unwrap().terminate();
    assert!(stack.worker.as_mut().unwrap().ended().await);
    rollcall_tests::amqp::Sender::connect(&stack.instance).await.delete_queue(organization.id.parse().unwrap()).await;
    let refused = client.create(user("ada")).await;
    refused.expect_error(503, None);
    assert!(!refused.header("retry-after").is_empty());
    // The first process to start declares the queue again.
    stack.worker = Some(Service::worker(&stack.instance));
    // A call that was answered with 202 before the worker was ready creates the user too.
    let is_done = async || [201, 409].contains(&client.create(user("ada")).await.status).then_some(());
    eventually("a promise", is_done).await;
}

/// Waits until the queues have `count` messages.
async fn queued(stack: &Stack, count: u32) {
    let sender = rollcall_tests::amqp::Sender::connect(&stack.instance).await;
    eventually("the queued calls", async || (sender.ready_messages().await >= count).then_some(())).await;
}
