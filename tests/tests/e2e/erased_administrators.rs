//! Erasure of administrators: their names leave the log, and what they did stays provable.

use rollcall_events::actor::{Actor, ActorDetails};
use rollcall_events::outcome::Outcome;
use rollcall_events::request::{CreateWorkspace, Request, RequestBody};
use rollcall_events::{SessionId, WorkspaceId};
use rollcall_tests::amqp::Sender;
use rollcall_tests::audit::id;
use rollcall_tests::requests::request;
use rollcall_tests::service::{answers, attempt, verified, verify};
use rollcall_tests::{Organization, Stack, eventually};
use serde_json::Value;
use tokio_postgres::error::SqlState;

/// A name that must not be found anywhere after the erasure.
const SECRET: &str = "Wollstonecraft";

/// Creates a workspace in the name of a session.
async fn create_workspace(stack: &Stack, organization: &Organization, session: SessionId, name: &str) {
    let details = ActorDetails { label: Some(name.to_owned()), ..ActorDetails::default() };
    let workspace_id = WorkspaceId::generate();
    let create =
        CreateWorkspace { workspace_id, name: format!("Workspace {}", workspace_id.0.simple()).parse().unwrap() };
    let request = Request {
        actor: Actor::administrator(session, details),
        ..request(organization, RequestBody::settings(create))
    };
    let outcomes = Sender::connect(&stack.instance).await.submit(&[request]).await;
    assert!(matches!(outcomes[0], Outcome::Applied { .. }), "{outcomes:?}");
}

/// Invites a person, and creates a workspace in the name of the person's session.
async fn administrator(stack: &Stack, organization: &Organization, name: &str) -> SessionId {
    let link = ["admin", "link", "--organization", &organization.id, "--name", name];
    let session: SessionId = answers(&stack.instance, &link)[0]["id"].as_str().unwrap().parse().unwrap();
    create_workspace(stack, organization, session, name).await;
    session
}

/// The entries by and about a session: the type, and whether payload and actor are erased.
async fn entries(stack: &Stack, organization: &Organization, session: SessionId) -> Vec<(String, bool, bool)> {
    let sql = "
        SELECT type, payload IS NULL, actor IS NULL FROM rollcall.events
        WHERE organization_id = $1 AND (subject_id = $2 OR actor_id = $2) ORDER BY seq";
    let rows = stack.database("postgres").await.query(sql, &[&id(&organization.id), &session.0]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

fn row(name: &str, has_no_payload: bool, has_no_actor: bool) -> (String, bool, bool) {
    (name.to_owned(), has_no_payload, has_no_actor)
}

/// Exports the log with a checkpoint of all of it, and verifies it.
async fn verified_export(organization: &Organization) -> (i32, String) {
    let auditor = organization.auditor();
    let size = auditor.get("/events?count=1").await.expect(200)["entries"][0]["header"]["seq"].clone();
    let note = eventually("a checkpoint of the whole log", async || {
        let answer = auditor.get(&format!("/checkpoint?size={size}")).await;
        (answer.status == 200).then(|| answer.body.as_str().unwrap().to_owned())
    })
    .await;
    let path = |name: &str| organization.folder().join(name).to_str().unwrap().to_owned();
    let (export, checkpoint) = (path("export.ndjson"), path("checkpoint"));
    std::fs::write(&export, auditor.get("/export").await.expect(200).as_str().unwrap()).unwrap();
    std::fs::write(&checkpoint, note).unwrap();
    verify(&["log", &export, "--checkpoint", &checkpoint, "--key", &organization.checkpoint_key()])
}

#[tokio::test]
async fn an_erased_administrator_is_nowhere_in_the_log_and_the_log_still_verifies() {
    let stack = Stack::shared().await;
    let (organization, other) = (stack.organization(), stack.organization());
    let mary = administrator(&stack, &organization, SECRET).await;
    let ada = administrator(&stack, &organization, "Ada").await;
    let elsewhere = administrator(&stack, &other, SECRET).await;
    let list = ["admin", "list", "--organization", &organization.id];
    let names =
        |rows: Vec<Value>| -> Vec<String> { rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect() };
    assert_eq!(names(answers(&stack.instance, &list)), [SECRET, "Ada"]);

    let session = mary.to_string();
    let erase = ["admin", "erase", "--organization", &organization.id, &session];
    assert_eq!(answers(&stack.instance, &erase)[0]["erased"], true);
    assert_eq!(names(answers(&stack.instance, &list)), ["Ada"]);
    let again = attempt(&stack.instance, &erase).unwrap_err();
    assert!(again.contains("there is no such session"), "{again}");

    let erased = [
        row("SignInLinkIssued", true, false),
        row("WorkspaceCreated", false, true),
        row("AdministratorErased", false, false),
        row("RequestRejected", false, false),
        row("WorkspaceCreated", false, false),
    ];
    create_workspace(&stack, &organization, mary, SECRET).await;
    assert_eq!(entries(&stack, &organization, mary).await, erased, "a late request does not bring the name back");
    for (organization, session) in [(&organization, ada), (&other, elsewhere)] {
        let kept = [row("SignInLinkIssued", false, false), row("WorkspaceCreated", false, false)];
        assert_eq!(entries(&stack, organization, session).await, kept, "everybody else stays");
    }
    let export = organization.auditor().get("/export").await.expect(200).as_str().unwrap().to_owned();
    assert!(!export.contains(SECRET), "{export}");
    let (code, output) = verified_export(&organization).await;
    assert!(code == 0 && output.contains("(payload)") && output.contains("(actor)"), "{output}");
    for organization in [&organization, &other] {
        let whole = verified(&stack.instance, &organization.id).await;
        assert!(whole.0, "a replay gives the same rows: {}", whole.1);
    }
}

#[tokio::test]
async fn no_part_can_be_erased_without_a_recorded_erasure_of_the_person() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let [mary, ada] =
        [administrator(&stack, &organization, "Mary").await, administrator(&stack, &organization, "Ada").await];
    let worker = stack.database("rollcall_worker").await;
    let sql = "SELECT rollcall.erase_administrator($1, $2)";
    let refused = worker.query(sql, &[&id(&organization.id), &mary.0]).await.unwrap_err();
    assert_eq!(refused.code().map(SqlState::code), Some("RC002"), "{refused:?}");

    let session = mary.to_string();
    answers(&stack.instance, &["admin", "erase", "--organization", &organization.id, &session]);
    let owner = stack.database("postgres").await;
    for (part, whose, session) in [
        ("payload = NULL, payload_salt = NULL", "subject_id", ada),
        ("actor = NULL, actor_salt = NULL", "actor_id", ada),
        ("payload = NULL, payload_salt = NULL", "type = 'AdministratorErased' AND subject_id", mary),
        ("actor = NULL, actor_salt = NULL", "type = 'AdministratorErased' AND subject_id", mary),
    ] {
        let sql = format!("UPDATE rollcall.events SET {part} WHERE organization_id = $1 AND {whose} = $2");
        let refused = owner.execute(&sql, &[&id(&organization.id), &session.0]).await.unwrap_err();
        assert_eq!(refused.code().map(SqlState::code), Some("RC002"), "{part} of {whose}: {refused:?}");
    }
}
