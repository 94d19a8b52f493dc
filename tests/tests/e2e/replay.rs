//! Replay: projections that are rebuilt from the log are the same, row by row. If they differ, a replay finds
//! and repairs that.

use futures_util::{StreamExt, stream};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rollcall_tests::audit::id;
use rollcall_tests::client::user_with;
use rollcall_tests::service::{Service, owner_command};
use rollcall_tests::{Client, Organization, Stack, eventually};
use serde_json::{Value, json};
use tokio::sync::Mutex;

/// Allows one replay at a time, because there is one shadow schema.
static SHADOW: Mutex<()> = Mutex::const_new(());

/// Runs a command as the owner of the database. Returns whether it succeeded, and its output.
fn run_command(stack: &Stack, organization: &Organization, command: &[&str]) -> (bool, Vec<Value>) {
    let output = owner_command(&stack.instance, &[command, &["--organization", &organization.id]].concat());
    let lines = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// A step of a caller.
#[derive(Debug, Clone)]
enum Step {
    Create(u8),
    Patch(u8, Value),
    Rename(u8, u8),
    Replace(u8),
    Delete(u8),
    Group(u8, Vec<u8>),
    Join(u8, u8),
    Leave(u8, u8),
    DeleteGroup(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 0_u8..12;
    let edits = prop::sample::select(vec![
        json!([{"op": "replace", "path": "active", "value": false}]),
        json!([{"op": "add", "path": "emails", "value": [{"value": "x@example.com", "primary": true}]}]),
        json!([{"op": "remove", "path": "title"}]),
        json!([{"op": "replace", "path": "externalId", "value": "e"}]),
        json!([{"op": "replace", "path": "title", "value": "same"}]),
    ]);
    let step = prop_oneof![
        3 => who.clone().prop_map(Step::Create),
        3 => (who.clone(), edits).prop_map(|(n, edit)| Step::Patch(n, edit)),
        1 => (who.clone(), who.clone()).prop_map(|(n, to)| Step::Rename(n, to)),
        1 => who.clone().prop_map(Step::Replace),
        2 => who.clone().prop_map(Step::Delete),
        1 => (0_u8..3, prop::collection::vec(who.clone(), 0..4)).prop_map(|(n, members)| Step::Group(n, members)),
        2 => (0_u8..3, who.clone()).prop_map(|(n, member)| Step::Join(n, member)),
        1 => (0_u8..3, who).prop_map(|(n, member)| Step::Leave(n, member)),
        1 => (0_u8..3).prop_map(Step::DeleteGroup),
    ];
    prop::collection::vec(step, 60..120)
}

async fn found(client: &Client, path: &str, filter: String) -> Option<String> {
    let found = client.query(path, &[("filter", &filter)]).await.expect(200);
    found["Resources"][0]["id"].as_str().map(str::to_owned)
}

async fn user(client: &Client, n: u8) -> String {
    found(client, "/Users", format!("userName eq \"user{n}\"")).await.unwrap_or_else(|| uuid::Uuid::nil().to_string())
}

async fn group(client: &Client, n: u8) -> String {
    found(client, "/Groups", format!("displayName eq \"group{n}\""))
        .await
        .unwrap_or_else(|| uuid::Uuid::nil().to_string())
}

/// Takes a step. The answer does not matter: the log must record the outcome, also of a rejected call.
async fn take(client: &Client, step: Step) {
    let path = |id: &str| json!([{"op": "remove", "path": format!("members[value eq \"{id}\"]")}]);
    let answer = match step {
        Step::Create(n) => client.create(user_with(&format!("user{n}"), &json!({"title": "same"}))).await,
        Step::Patch(n, edit) => client.patch(&user(client, n).await, edit).await,
        Step::Rename(n, to) => {
            client
                .patch(
                    &user(client, n).await,
                    json!([{"op": "replace", "path": "userName", "value": format!("USER{to}")}]),
                )
                .await
        }
        Step::Replace(n) => {
            client.replace(&user(client, n).await, user_with(&format!("user{n}"), &json!({"nickName": "new"}))).await
        }
        Step::Delete(n) => client.delete(&user(client, n).await).await,
        Step::Group(n, members) => {
            let mut ids = Vec::new();
            for member in members {
                ids.push(user(client, member).await);
            }
            let ids: Vec<_> = ids.iter().map(String::as_str).collect();
            client.create_group(&format!("group{n}"), &ids).await
        }
        Step::Join(n, member) => {
            let member = user(client, member).await;
            client
                .patch_group(
                    &group(client, n).await,
                    json!([{"op": "add", "path": "members", "value": [{"value": member}]}]),
                )
                .await
        }
        Step::Leave(n, member) => client.patch_group(&group(client, n).await, path(&user(client, member).await)).await,
        Step::DeleteGroup(n) => {
            client.call(reqwest::Method::DELETE, &format!("/Groups/{}", group(client, n).await)).send().await
        }
    };
    assert!(answer.status < 500, "{}", answer.body);
}

#[tokio::test]
async fn any_sequence_of_requests_replays_to_the_stored_state() {
    let stack = Stack::shared().await;
    let mut runner = TestRunner::default();
    for _ in 0..3 {
        let organization = stack.organization();
        let client = organization.client();
        let steps = steps().new_tree(&mut runner).unwrap().current();
        stream::iter(steps.clone()).for_each_concurrent(4, |step| take(&client, step)).await;
        let _alone = SHADOW.lock().await;
        let (is_valid, output) = run_command(&stack, &organization, &["verify"]);
        assert!(is_valid, "{output:?} after {steps:?}");
        assert_eq!((&output[0]["broken"], &output[0]["different_rows"]), (&json!(0), &json!(0)));
    }
}

#[tokio::test]
async fn a_row_that_differs_from_the_log_is_found_and_repaired_while_the_service_runs() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let (ada, bob) = (
        client.create(user_with("ada", &json!({}))).await.id(),
        client.create(user_with("bob", &json!({}))).await.id(),
    );
    client.create_group("Engines", &[&ada, &bob]).await.expect(201);
    let owner = stack.database("postgres").await;
    for sql in [
        "UPDATE rollcall.users SET active = false WHERE id = $1",
        "DELETE FROM rollcall.group_members WHERE user_id = $1",
        "UPDATE rollcall.workspace_members SET permissions = '{admin}' WHERE user_id = $1",
    ] {
        assert_eq!(owner.execute(sql, &[&id(&bob)]).await.unwrap(), 1);
    }
    let _alone = SHADOW.lock().await;
    let (is_valid, differing) = run_command(&stack, &organization, &["replay", "--check"]);
    assert!(!is_valid, "{differing:?}");
    let tables: Vec<_> = differing.iter().filter_map(|line| line["difference"]["table"].as_str()).collect();
    assert_eq!(tables, ["users", "users", "workspace_members", "workspace_members", "group_members"]);
    assert_eq!(differing[0]["difference"]["is"]["active"], false);
    assert_eq!(differing[1]["difference"]["should_be"]["active"], true);
    let (is_valid, repaired) = run_command(&stack, &organization, &["replay"]);
    assert!(is_valid && repaired.last().unwrap()["repaired"] == true, "{repaired:?}");
    assert!(run_command(&stack, &organization, &["replay", "--check"]).0);
    assert_eq!(client.get(&format!("/Users/{bob}")).await.expect(200)["active"], true);
    client.patch(&bob, json!([{"op": "replace", "path": "title", "value": "Sir"}])).await.expect(204);
    assert!(
        run_command(&stack, &organization, &["replay", "--check"]).0,
        "later changes have the right counts and keys"
    );
}

#[tokio::test]
async fn a_log_changed_in_the_database_is_reported() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    organization.client().create(user_with("ada", &json!({}))).await.expect(201);
    let _alone = SHADOW.lock().await;
    assert!(run_command(&stack, &organization, &["verify"]).0);
    let owner = stack.database("postgres").await;
    let keep = "SET session_replication_role = replica; CREATE TEMP TABLE kept (LIKE rollcall.events)";
    owner.batch_execute(keep).await.unwrap();
    let of = id(&organization.id);
    owner.execute("INSERT INTO kept SELECT * FROM rollcall.events WHERE organization_id = $1", &[&of]).await.unwrap();
    let cases: [(&str, &[&str]); 2] = [
        (
            "UPDATE rollcall.events SET actor = jsonb_set(actor, '{label}', '\"nobody\"') WHERE organization_id = $1
            AND seq = 4",
            &["entry 4: the actor"],
        ),
        (
            "DELETE FROM rollcall.events WHERE organization_id = $1 AND seq = 2",
            &[
                "entry 3 is in the position of entry 2",
                "entry 4 is in the position of entry 3",
                "entry 5 is in the position of entry 4",
                "entry 6 is in the position of entry 5",
                "the head of the log counts 6 entries, and there are 5",
            ],
        ),
    ];
    for (change, expected) in cases {
        assert_eq!(owner.execute(change, &[&of]).await.unwrap(), 1);
        let (is_valid, lines) = run_command(&stack, &organization, &["verify"]);
        // A checkpoint may have been signed in the meantime, at any entry.
        let of_entries = |line: &&str| !line.starts_with("the checkpoint");
        let broken: Vec<_> = lines.iter().filter_map(|line| line["broken"].as_str()).filter(of_entries).collect();
        assert!(!is_valid && broken.len() >= expected.len(), "{lines:?}");
        assert!(broken.iter().zip(expected).all(|(broken, expected)| broken.starts_with(expected)), "{broken:?}");
        owner.execute("DELETE FROM rollcall.events WHERE organization_id = $1", &[&of]).await.unwrap();
        owner.execute("INSERT INTO rollcall.events SELECT * FROM kept", &[]).await.unwrap();
    }
    assert!(run_command(&stack, &organization, &["verify"]).0);
}

/// A replay repairs only from a log that verifies. Otherwise it would change users because somebody has changed the
/// log.
#[tokio::test]
async fn a_replay_does_not_repair_from_a_log_that_was_changed() {
    let stack = Stack::shared().await;
    let organizations = [stack.organization(), stack.organization()];
    let mut users = Vec::new();
    for organization in &organizations {
        users.push(organization.client().create(user_with("ada", &json!({}))).await.id());
    }
    let _alone = SHADOW.lock().await;
    let owner = stack.database("postgres").await;
    owner
        .batch_execute("SET session_replication_role = replica; CREATE TEMP TABLE kept (LIKE rollcall.events)")
        .await
        .unwrap();
    let (of, [changed, other]) = (id(&organizations[0].id), &organizations);
    owner.execute("INSERT INTO kept SELECT * FROM rollcall.events WHERE organization_id = $1", &[&of]).await.unwrap();
    let edits = [
        ("UPDATE rollcall.events SET payload = NULL, payload_salt = NULL", "has lost its payload"),
        (
            "UPDATE rollcall.events SET payload = jsonb_set(payload, '{resource,userName}', '\"mallory\"')",
            "the payload",
        ),
        ("UPDATE rollcall.events SET type = 'UserDeleted'", "the header"),
    ];
    for (edit, fault) in edits {
        let edit = format!("{edit} WHERE organization_id = $1 AND type = 'UserCreated'");
        assert_eq!(owner.execute(&edit, &[&of]).await.unwrap(), 1);
        let (succeeds, lines) = run_command(&stack, changed, &["replay"]);
        assert!(!succeeds && lines.iter().all(|line| line["repaired"] != true), "{lines:?}");
        let broken: Vec<_> = lines.iter().filter_map(|line| line["broken"].as_str()).collect();
        assert!(broken.iter().any(|line| line.contains(fault)), "{broken:?}");
        assert!(run_command(&stack, other, &["replay"]).0);
        owner.execute("DELETE FROM rollcall.events WHERE organization_id = $1", &[&of]).await.unwrap();
        owner.execute("INSERT INTO rollcall.events SELECT * FROM kept", &[]).await.unwrap();
    }
    for (organization, user) in organizations.iter().zip(&users) {
        let found = organization.client().get(&format!("/Users/{user}")).await.expect(200);
        assert_eq!(found["userName"], "ada");
        assert!(run_command(&stack, organization, &["verify"]).0);
    }
}

/// A resumed replay keeps what it had built: a change that the test made to that stays visible.
#[tokio::test]
async fn a_killed_replay_resumes_where_it_was() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    for part in 0..20 {
        let create = |n| {
            json!({
                "method": "POST", "path": "/Users", "bulkId": format!("{n}"),
                "data": user_with(&format!("{part}-{n}"), &json!({}))
            })
        };
        let operations: Vec<_> = (0..1000).map(create).collect();
        let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations});
        client.send(reqwest::Method::POST, "/Bulk", bulk).await.expect(200);
    }
    let owner = stack.database("postgres").await;
    let _alone = SHADOW.lock().await;
    let mut replay =
        Service::owner_command(&stack.instance, &["replay", "--check", "--afresh", "--organization", &organization.id]);
    eventually("the first part of the replay", async || {
        let progress = owner
            .query_opt("SELECT seq FROM rollcall_shadow.replayed WHERE organization_id = $1", &[&id(&organization.id)])
            .await;
        progress.ok().flatten()
    })
    .await;
    replay.kill();
    let first = "(SELECT id FROM rollcall_shadow.users WHERE organization_id = $1 ORDER BY id LIMIT 1)";
    let change = format!("UPDATE rollcall_shadow.users SET active = false WHERE organization_id = $1 AND id = {first}");
    assert_eq!(
        owner.execute(&change, &[&id(&organization.id)]).await.unwrap(),
        1,
        "the replay was killed before it removed its shadow tables"
    );
    let (is_valid, differing) = run_command(&stack, &organization, &["replay", "--check"]);
    assert!(!is_valid, "{differing:?}");
    assert_eq!(differing.last().unwrap()["different_rows"], 2, "one row, as it is and as it was rebuilt");
    assert!(run_command(&stack, &organization, &["replay", "--check", "--afresh"]).0);
}
