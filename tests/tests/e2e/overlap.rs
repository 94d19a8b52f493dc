//! A batch is decided while the one before is written. Whatever becomes of that one, every caller gets the answer that
//! is recorded, and the tables are a fold of the log.

use futures_util::{StreamExt, stream};
use rollcall_tests::client::{user, user_with};
use rollcall_tests::service::{Service, all_verified, attempt, owner_command};
use rollcall_tests::{Client, Organization, Stack};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};

const CALLERS: usize = 24;
const ROUNDS: usize = 12;

/// Commits that fail at random, as if another writer had been faster, or as if the server had refused them for a while.
const FAILING_COMMITS: &str = "
    CREATE FUNCTION rollcall.fail_at_random() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF random() < 0.2 THEN RAISE EXCEPTION 'moved' USING ERRCODE = 'RC001'; END IF;
        IF random() < 0.005 THEN RAISE EXCEPTION 'aborted' USING ERRCODE = '40001'; END IF;
        RETURN NULL;
    END $$;
    GRANT EXECUTE ON FUNCTION rollcall.fail_at_random() TO rollcall_worker;
    CREATE CONSTRAINT TRIGGER fail_at_random AFTER UPDATE ON rollcall.log_heads
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION rollcall.fail_at_random()";

/// What a caller does to a user and a group, and the statuses that it must get. `turn` is the caller's own, but the
/// name `shared` is one that all callers want.
async fn life(client: &Client, turn: &str, shared: &str) {
    let id = client.create(user(turn)).await.expect(201)["id"].as_str().unwrap().to_owned();
    client.create(user(&turn.to_uppercase())).await.expect_error(409, Some("uniqueness"));
    let renamed = format!("{turn}-renamed");
    let rename = json!([{"op": "replace", "path": "userName", "value": renamed}]);
    client.patch(&id, rename).await.expect(204);
    let second = client.create(user_with(turn, &json!({"active": false}))).await.expect(201);
    assert_eq!(second["active"], false);
    let group = client.create_group(turn, &[&id, second["id"].as_str().unwrap()]).await.expect(201);
    let group = group["id"].as_str().unwrap().to_owned();
    let contended = client.create(user(shared)).await;
    assert!([201, 409].contains(&contended.status), "{}", contended.body);
    client.delete(&id).await.expect(204);
    let members = client.get(&format!("/Groups/{group}")).await.expect(200)["members"].as_array().unwrap().len();
    assert_eq!(members, 1, "a deleted user is in no group");
    client.create(user(&renamed)).await.expect(201);
    if contended.status == 201 {
        client.delete(&contended.id()).await.expect(204);
    }
}

/// Runs many lives at once in two organizations.
async fn lives(organizations: &[Organization; 2]) {
    let clients = organizations.each_ref().map(Organization::client);
    stream::iter(0..CALLERS)
        .for_each_concurrent(CALLERS, async |caller| {
            for round in 0..ROUNDS {
                life(&clients[caller % 2], &format!("user-{caller}-{round}"), "everybody").await;
            }
        })
        .await;
}

/// Checks logs and tables, and that each organization has the users that its callers left.
async fn check(stack: &Stack, organizations: &[Organization; 2]) {
    let (is_valid, output) = all_verified(&stack.instance).await;
    assert!(is_valid, "{output}");
    let auditor = stack.auditor().await;
    for organization in organizations {
        let left = auditor.compare_with_tables(&organization.id).await;
        assert_eq!(left, CALLERS / 2 * ROUNDS * 2, "each life leaves two users");
    }
}

const SETTINGS: [(&str, &str); 3] = [
    ("ROLLCALL_API__CALLS_PER_SECOND", "1000000"),
    ("ROLLCALL_API__BURST", "1000000"),
    ("ROLLCALL_API__WAIT_SECONDS", "60"),
];

#[tokio::test]
async fn a_commit_that_fails_changes_no_answer_although_the_next_batch_is_decided() {
    let stack = Stack::private("failing-commits", &SETTINGS).await;
    let organizations = [stack.organization(), stack.organization()];
    let owner = stack.database("postgres").await;
    owner.batch_execute(FAILING_COMMITS).await.unwrap();
    lives(&organizations).await;
    owner.batch_execute("DROP TRIGGER fail_at_random ON rollcall.log_heads").await.unwrap();
    let readers = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'rollcall-worker/%/read'";
    let readers: i64 = owner.query_one(readers, &[]).await.unwrap().get(0);
    assert!(readers > 0, "a second connection is only opened beside a batch that is written");
    check(&stack, &organizations).await;
}

#[tokio::test]
async fn another_writer_in_between_changes_no_answer() {
    let mut stack = Stack::private("other-writers", &SETTINGS).await;
    let organizations = [stack.organization(), stack.organization()];
    let is_over = AtomicBool::new(false);
    let owner = stack.database("postgres").await;
    let (instance, mut worker) = (stack.instance.clone(), stack.worker.take().unwrap());
    // Repairs advance the heads, settings are written between the batches, and another worker takes over.
    let disturbing = async {
        let mut round = 0;
        while !is_over.load(Ordering::Relaxed) {
            round += 1;
            owner.batch_execute("UPDATE rollcall.log_heads SET version = version + 1").await.unwrap();
            let (instance, id) = (instance.clone(), organizations[round % 2].id.clone());
            let disturb = move || {
                let output = owner_command(&instance, &["replay", "--organization", &id]);
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                let name = format!("Workspace {round}");
                attempt(&instance, &["workspace", "create", "--organization", &id, &name]).unwrap();
            };
            tokio::task::spawn_blocking(disturb).await.unwrap();
            if round % 3 == 0 {
                let mut standby = Service::worker(&stack.instance);
                std::mem::swap(&mut worker, &mut standby);
                standby.kill();
            }
        }
        assert!(round >= 3, "the lives were disturbed {round} times");
    };
    let living = async {
        lives(&organizations).await;
        is_over.store(true, Ordering::Relaxed);
    };
    tokio::join!(living, disturbing);
    check(&stack, &organizations).await;
}

/// A name is taken for free until Postgres says otherwise. The answers are the same as if it were looked up.
#[tokio::test]
async fn a_taken_name_does_not_change_which_error_is_reported() {
    let stack = Stack::shared().await;
    for organization in [stack.organization(), stack.organization()] {
        let client = organization.client();
        client.create(user("ada")).await.expect(201);
        let elsewhere = json!({"urn:ietf:params:scim:schemas:extension:rollcall:2.0:User": {
            "workspaces": [{"value": uuid::Uuid::new_v4()}]
        }});
        client.create(user_with("mary", &elsewhere)).await.expect_error(400, Some("invalidValue"));
        for _ in 0..3 {
            client.create(user_with("ADA", &elsewhere)).await.expect_error(400, Some("invalidValue"));
            client.create(user("Ada")).await.expect_error(409, Some("uniqueness"));
        }
        assert_eq!(client.get("/Users").await.expect(200)["totalResults"], 1);
    }
}
