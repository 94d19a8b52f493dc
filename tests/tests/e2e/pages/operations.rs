//! Operations: retrying and discarding dead letters, and replays.

use reqwest::Method;
use rollcall_events::request::{Request, RequestBody, UserOperation, UserRequested};
use rollcall_events::{EventId, Timestamp, UserId};
use rollcall_queue::envelope::{encode, properties};
use rollcall_scim::resource::SizeLimit;
use rollcall_tests::amqp::Sender;
use rollcall_tests::client::user;
use rollcall_tests::service::{Service, answers, command, free_port, replay_command};
use rollcall_tests::{Organization, Stack, eventually};
use serde_json::{Value, json};

use super::{Bare, accessible, hidden, signed_in};

/// A request to create a user, in a version that no api sends.
fn unreadable_request(organization: &Organization, name: &str) -> (Request, Vec<u8>) {
    let user = UserRequested {
        user_id: UserId::generate(),
        default_workspace: organization.marketing.parse().unwrap(),
        if_match: None,
        size_limit: SizeLimit::default(),
        operation: UserOperation::Create(json!({"userName": name}).as_object().cloned().unwrap()),
    };
    let request = Request {
        id: EventId::generate(),
        organization_id: organization.id.parse().unwrap(),
        requested_at: Timestamp::now(),
        actor: rollcall_events::actor::Actor::service("test"),
        fingerprint: None,
        body: RequestBody::UserRequested(user),
    };
    let mut body: Value = serde_json::from_slice(&encode(&request).unwrap()).unwrap();
    body["version"] = json!(99);
    (request, body.to_string().into_bytes())
}

async fn publish_dead_letter(stack: &Stack, organization: &Organization, name: &str) -> (Request, String) {
    let (request, body) = unreadable_request(organization, name);
    let sender = Sender::connect(&stack.instance).await;
    sender.publish(request.organization_id, properties(&request, "test", None), &body).await;
    let id = request.id.to_string();
    let (letter, _, _) = eventually("the dead letter", async || stack.dead_letter(&id).await).await;
    (request, letter)
}

#[tokio::test]
async fn a_dead_letter_can_be_retried_after_a_repair_or_discarded() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let (ada, letter) = publish_dead_letter(&stack, &organization, "ada").await;
    let (_, other) = publish_dead_letter(&stack, &organization, "<b>mary</b>").await;
    // Repair the cause. Here it is the dead letter itself: give it a version that the worker reads.
    let repaired = encode(&ada).unwrap();
    let database = stack.database("rollcall_worker").await;
    let sql = "UPDATE rollcall.dead_letters SET body = $2 WHERE id = $1::text::uuid";
    assert_eq!(database.execute(sql, &[&letter, &repaired]).await.unwrap(), 1);

    let browser = signed_in(&stack, &organization).await;
    browser.goto(&format!("{}/operations", stack.url)).await;
    browser.sees("#waiting", "a worker serves it").await;
    browser.sees(&format!("[data-letter='{other}']"), "version 99").await;
    accessible(&browser, "operations").await;
    browser.press(&format!("[data-letter='{letter}'] button.primary")).await;
    let client = organization.client();
    eventually("the user", async || {
        (client.find("userName eq \"ada\"").await.expect(200)["totalResults"] == 1).then_some(())
    })
    .await;
    assert_eq!(stack.dead_letter(&ada.id.to_string()).await, None);

    browser.type_in(&format!("[data-letter='{other}'] input[name=reason]"), "a mistake of ours").await;
    browser.press(&format!("[data-letter='{other}'] button.danger")).await;
    browser.sees("main", "There are no dead letters.").await;
    let log = organization
        .auditor()
        .query("/events", &[("type", "DeadLetterRetried,DeadLetterDiscarded"), ("order", "oldest")])
        .await
        .expect(200);
    let entries: Vec<_> = log["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (&entry["header"]["type"], &entry["payload"]["reason"]))
        .collect();
    assert_eq!(
        entries,
        [(&json!("DeadLetterRetried"), &Value::Null), (&json!("DeadLetterDiscarded"), &json!("a mistake of ours"))]
    );
    browser.close().await;
}

#[tokio::test]
async fn a_failed_retry_is_a_dead_letter_again_and_only_its_own_administrators_decide() {
    let stack = Stack::shared().await;
    let (organization, other) = (stack.organization(), stack.organization());
    let (request, letter) = publish_dead_letter(&stack, &organization, "ada").await;
    let stranger = Bare::sign_in(&stack, &other, "owner").await;
    let (_, page, _) = stranger.get("/operations").await;
    assert!(!page.contains(&letter));
    let csrf = hidden(&stranger.get("/settings/scim").await.1, "csrf");
    let path = format!("/operations/dead-letters/{letter}/retry");
    assert_eq!(stranger.post(&path, format!("csrf={csrf}"), &[]).await.0, 404, "of somebody else");
    let auditor = Bare::sign_in(&stack, &organization, "auditor").await;
    assert_eq!(auditor.get("/operations").await.0, 403);
    let admin = Bare::sign_in(&stack, &organization, "administrator").await;
    assert_eq!(admin.post(&path, "csrf=".to_owned(), &[]).await.0, 403);
    let csrf = hidden(&admin.get("/operations").await.1, "csrf");
    assert_eq!(admin.post(&path, format!("csrf={csrf}"), &[]).await.0, 303);
    let id = request.id.to_string();
    let again = eventually("the dead letter again", async || {
        stack.dead_letter(&id).await.filter(|(again, _, _)| *again != letter)
    })
    .await;
    assert!(again.1.contains("version 99"), "{}", again.1);
    assert_eq!(admin.post(&path, format!("csrf={csrf}"), &[]).await.0, 404, "the failed retry has a new id");
}

#[tokio::test]
async fn an_operator_discards_an_unreadable_dead_letter() {
    let stack = Stack::shared().await;
    let nonsense = EventId::generate().to_string();
    Sender::connect(&stack.instance).await.publish_dead_letter(&nonsense, b"{").await;
    let (letter, reason, _) = eventually("the dead letter", async || stack.dead_letter(&nonsense).await).await;
    assert!(reason.contains("without an acknowledgement"), "{reason}");
    let system = "00000000-0000-0000-0000-000000000000";
    let listed = answers(&stack.instance, &["dead-letter", "list"]);
    assert!(
        listed.iter().any(|line| line["id"] == letter.as_str() && line["organization"] == system && line["bytes"] == 1),
        "{listed:?}"
    );
    answers(&stack.instance, &["dead-letter", "discard", "--organization", system, &letter, "--reason", "nonsense"]);
    assert_eq!(stack.dead_letter(&nonsense).await, None);
    let again = command(&stack.instance, &["dead-letter", "retry", "--organization", system, &letter]);
    assert!(
        !again.status.success() && String::from_utf8_lossy(&again.stderr).contains("no such dead letter"),
        "{again:?}"
    );
}

#[tokio::test]
async fn the_page_shows_waiting_requests_and_their_lag() {
    let listen = format!("127.0.0.1:{}", free_port());
    let mut stack = Stack::private("pages-waiting", &[("ROLLCALL_API__METRICS_LISTEN", &listen)]).await;
    let organization = stack.organization();
    let client = organization.client();
    client.create(user("ada")).await.expect(201);
    let admin = Bare::sign_in(&stack, &organization, "administrator").await;
    let status = async || admin.get("/operations/status").await.1;
    assert!(
        !admin.get("/operations/status").await.2.contains_key("set-cookie"),
        "an open page does not keep a session alive"
    );
    // The worker reports every second what it has in flight, so the last request can still be in the report.
    let is_idle = |page: &String| {
        page.contains("a worker serves it") && !page.contains("id=\"oldest\"") && page.contains("id=\"latency\"")
    };
    eventually("an idle partition", async || Some(status().await).filter(is_idle).map(drop)).await;

    let (database, reported) =
        (stack.database("rollcall_worker").await, "SELECT 1 FROM rollcall.partitions WHERE oldest_at IS NULL");
    eventually("the status of every partition", async || {
        (database.query(reported, &[]).await.unwrap().len() == 8).then_some(())
    })
    .await;
    stack.worker.as_mut().unwrap().kill();
    let later = client.call(Method::POST, "/Users").header("prefer", "respond-async").json(&user("mary"));
    assert_eq!(later.send().await.status, 202);
    let page = eventually("the request that waits", async || {
        Some(status().await).filter(|page| page.contains("id=\"oldest\""))
    })
    .await;
    assert!(page.contains("the oldest has waited for at most"), "{page}");
    eventually("a partition without a worker", async || status().await.contains("no worker serves it").then_some(()))
        .await;
    let oldest = async || {
        let metrics = reqwest::get(format!("http://{listen}/metrics")).await.unwrap().text().await.unwrap();
        let waits = metrics
            .lines()
            .filter_map(|line| line.strip_prefix("rollcall_queue_oldest_seconds{")?.split_once("} ")?.1.parse().ok());
        waits.fold(0.0, f64::max)
    };
    assert!(oldest().await > 0.0);

    stack.worker = Some(Service::worker(&stack.instance));
    eventually("the end of the wait", async || (!status().await.contains("id=\"oldest\"")).then_some(())).await;
    eventually("the user", async || {
        (client.find("userName eq \"mary\"").await.expect(200)["totalResults"] == 1).then_some(())
    })
    .await;
    eventually("an empty queue", async || (oldest().await == 0.0).then_some(())).await;
}

#[tokio::test]
async fn the_page_shows_the_progress_and_the_result_of_a_replay() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    organization.client().create(user("ada")).await.expect(201);
    let admin = Bare::sign_in(&stack, &organization, "administrator").await;
    assert!(!admin.get("/operations").await.1.contains("id=\"replay\""));
    // The recording setting of the organization comes from the log, so the replay covers it.
    let csrf = hidden(&admin.get("/call-log").await.1, "csrf");
    assert_eq!(admin.post("/call-log/recording", format!("csrf={csrf}&hours=1"), &[]).await.0, 303);
    let replay = async |arguments: &[&str]| {
        let command = [&["replay", "--organization", &organization.id], arguments].concat();
        replay_command(&stack.instance, &command).await
    };
    assert!(replay(&["--check"]).await.status.success());
    assert!(admin.get("/operations").await.1.contains("finished: no differences"));
    let database = stack.database("rollcall_worker").await;
    let spoil = "UPDATE rollcall.users SET active = false WHERE organization_id = $1::text::uuid";
    assert_eq!(database.execute(spoil, &[&organization.id]).await.unwrap(), 1);
    // A row that differs counts twice: as it is in one table, and as it should be in the other.
    assert!(!replay(&["--check"]).await.status.success());
    assert!(admin.get("/operations").await.1.contains("finished: 2 rows differ"));
    assert!(replay(&[]).await.status.success());
    assert!(admin.get("/operations").await.1.contains("finished: 2 rows differed and were repaired"));
    // A replay that was killed. Its lock is gone with its connection, so the page knows that it does not run.
    let (owner, ended) = (
        stack.database("postgres").await,
        "UPDATE rollcall.replays SET ended_at = NULL WHERE organization_id = $1::text::uuid",
    );
    assert_eq!(owner.execute(ended, &[&organization.id]).await.unwrap(), 1);
    // Another test may hold the lock for a moment.
    let shown = async || admin.get("/operations").await.1.contains("interrupted").then_some(());
    eventually("the end of the replay that was killed", shown).await;
    owner.execute("SELECT pg_advisory_lock(hashtext('rollcall_shadow'))", &[]).await.unwrap();
    assert!(admin.get("/operations").await.1.contains("running since"));
    drop(owner);
    let other = Bare::sign_in(&stack, &stack.organization(), "owner").await;
    assert!(!other.get("/operations").await.1.contains("id=\"replay\""), "of somebody else");
}
