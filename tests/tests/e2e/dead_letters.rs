//! A dead letter that cannot be stored or retried does not block the others. Neither does a call record.

use lapin::BasicProperties;
use rollcall_events::call_log::CallRecord;
use rollcall_events::{OrganizationId, Timestamp};
use rollcall_queue::topology::partition;
use rollcall_tests::amqp::{PARTITIONS, Sender};
use rollcall_tests::requests::observed_call;
use rollcall_tests::{Organization, Stack, eventually};
use serde_json::json;
use uuid::Uuid;

/// Publishes a dead letter of an organization that cannot be decoded. Returns its message id.
async fn publish_dead_letter(sender: &Sender, organization: &Organization) -> String {
    let id = Uuid::now_v7().to_string();
    let body = json!({"version": 99, "organization_id": organization.id}).to_string();
    sender.dead_letter_by_broker(BasicProperties::default().with_message_id(id.as_str().into()), body.as_bytes()).await;
    id
}

#[tokio::test]
async fn a_dead_letter_that_cannot_be_stored_does_not_block_others() {
    let stack = Stack::shared().await;
    let (broken, sound) = (stack.organization(), stack.organization());
    let owner = stack.database("postgres").await;
    let constraint = format!("refused_{}", Uuid::parse_str(&broken.id).unwrap().simple());
    let refuse = format!(
        "ALTER TABLE rollcall.dead_letters ADD CONSTRAINT {constraint} CHECK (organization_id <> '{}')",
        broken.id
    );
    owner.batch_execute(&refuse).await.unwrap();
    let sender = Sender::connect(&stack.instance).await;
    let held = publish_dead_letter(&sender, &broken).await;
    for _ in 0..3 {
        let kept = publish_dead_letter(&sender, &sound).await;
        eventually("the other organization's dead letter", async || stack.dead_letter(&kept).await).await;
    }
    assert_eq!(stack.dead_letter(&held).await, None);
    owner.batch_execute(&format!("ALTER TABLE rollcall.dead_letters DROP CONSTRAINT {constraint}")).await.unwrap();
    eventually("the dead letter that could not be stored before", async || stack.dead_letter(&held).await).await;
}

#[tokio::test]
async fn a_dead_letter_that_cannot_be_retried_does_not_block_others() {
    let stack = Stack::private("dead-letters", &[]).await;
    let partition =
        |organization: &Organization| partition(organization.id.parse::<OrganizationId>().unwrap(), PARTITIONS);
    let broken = stack.organization();
    let sound =
        std::iter::repeat_with(|| stack.organization()).find(|other| partition(other) != partition(&broken)).unwrap();
    let sender = Sender::connect(&stack.instance).await;
    let (unsendable, other) = (publish_dead_letter(&sender, &broken).await, publish_dead_letter(&sender, &sound).await);
    for id in [&unsendable, &other] {
        eventually("the dead letter", async || stack.dead_letter(id).await).await;
    }
    let owner = stack.database("postgres").await;
    let broken_id: Uuid = broken.id.parse().unwrap();
    let mark = "UPDATE rollcall.dead_letters
        SET retried_at = now() - CASE WHEN organization_id = $1 THEN interval '1 hour' ELSE '0' END";
    // Its queue is deleted, so the retry of the older dead letter fails.
    sender.delete_queue(broken.id.parse().unwrap()).await;
    assert_eq!(owner.execute(mark, &[&broken_id]).await.unwrap(), 2);
    let is_there = async |organization: &Uuid| {
        let sql = "SELECT FROM rollcall.dead_letters WHERE organization_id = $1 AND retried_at IS NOT NULL";
        owner.query_opt(sql, &[organization]).await.unwrap().is_some()
    };
    let sound_id: Uuid = sound.id.parse().unwrap();
    eventually("the retry of the other dead letter", async || (!is_there(&sound_id).await).then_some(())).await;
}

#[tokio::test]
async fn a_call_record_that_cannot_be_stored_does_not_block_others() {
    let stack = Stack::shared().await;
    let organizations = [stack.organization(), stack.organization()];
    let call = |organization: &Organization, subject: &str| CallRecord {
        subject: Some(subject.to_owned()),
        ..observed_call(organization, Timestamp::now())
    };
    // Postgres cannot store a NUL. An api would remove it.
    let subjects = ["ada", "a\0b", "grace", "mary"];
    let calls: Vec<_> =
        organizations.iter().flat_map(|organization| subjects.map(|subject| call(organization, subject))).collect();
    Sender::connect(&stack.instance).await.observe(&calls).await;
    let database = stack.database("postgres").await;
    let sql = "SELECT subject FROM rollcall.requests WHERE organization_id = $1 AND label = 'observed' ORDER BY id";
    for organization in &organizations {
        let id: Uuid = organization.id.parse().unwrap();
        eventually("the other calls", async || {
            let rows = database.query(sql, &[&id]).await.unwrap();
            let kept: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
            (kept == ["ada", "grace", "mary"]).then_some(())
        })
        .await;
    }
}
