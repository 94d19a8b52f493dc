//! Erasure: a deleted person is removed from the log, and every proof still verifies.

use rollcall_events::call_log::CallRecord;
use rollcall_events::outcome::Outcome;
use rollcall_events::request::{EraseUser, Request, RequestBody, UserOperation};
use rollcall_events::{Timestamp, UserId};
use rollcall_queue::envelope::{encode, properties};
use rollcall_queue::framing::Message;
use rollcall_tests::amqp::Sender;
use rollcall_tests::audit::id;
use rollcall_tests::client::{user, user_with};
use rollcall_tests::requests::{about, observed_call, request, together};
use rollcall_tests::service::{command, verified, verify};
use rollcall_tests::{Organization, Stack, eventually};
use serde_json::{Value, json};
use tokio_postgres::error::SqlState;
use uuid::Uuid;

/// A text that must not be found anywhere after the erasure.
const SECRET: &str = "Wollstonecraft";

async fn note(organization: &Organization, file: &str) -> String {
    let auditor = organization.auditor();
    let size = auditor.get("/events?count=1").await.expect(200)["entries"][0]["header"]["seq"].clone();
    let note = eventually("a checkpoint of the whole log", async || {
        let answer = auditor.get(&format!("/checkpoint?size={size}")).await;
        (answer.status == 200).then(|| answer.body.as_str().unwrap().to_owned())
    })
    .await;
    let path = organization.folder().join(file);
    std::fs::write(&path, note).unwrap();
    path.to_str().unwrap().to_owned()
}

fn erase(stack: &Stack, organization: &Organization, user: &str) -> (bool, String) {
    let output = command(&stack.instance, &["user", "erase", "--organization", &organization.id, user]);
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[tokio::test]
async fn an_erased_user_is_nowhere_in_the_database_and_the_log_still_verifies() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let mary = client.create(user_with("mary", &json!({"name": {"familyName": SECRET}}))).await.id();
    client.patch(&mary, json!([{"op": "replace", "path": "userName", "value": SECRET}])).await.expect(204);
    client.create(user_with(SECRET, &json!({"title": "refused"}))).await.expect_error(409, Some("uniqueness"));
    let ada = client.create(user_with("ada", &json!({}))).await.id();
    client.create_group("Authors", &[&mary, &ada]).await.expect(201);
    let (done, output) = erase(&stack, &organization, &mary);
    assert!(!done && output.contains("the user is not deleted"), "{output}");
    client.delete(&mary).await.expect(204);
    let before = note(&organization, "before.checkpoint").await;
    let sender = Sender::connect(&stack.instance).await;
    sender.publish_dead_letter(&mary, json!({"user": mary, "name": SECRET}).to_string().as_bytes()).await;
    sender.publish_dead_letter(&ada, json!({"user": ada}).to_string().as_bytes()).await;

    let (done, output) = erase(&stack, &organization, &mary);
    assert!(done, "{output}");
    assert_eq!(serde_json::from_str::<Value>(&output).unwrap()["erased"], true);
    assert!(!erase(&stack, &organization, "00000000-0000-7000-8000-000000000001").0, "nobody");

    let auditor = organization.auditor();
    let export = auditor.get("/export").await.expect(200).as_str().unwrap().to_owned();
    assert!(!export.contains(SECRET), "{export}");
    let owner = stack.database("postgres").await;
    for table in ["events", "users", "groups"] {
        let sql =
            format!("SELECT count(*) FROM rollcall.{table} t WHERE organization_id = $1 AND t::text LIKE '%{SECRET}%'");
        assert_eq!(owner.query_one(&sql, &[&id(&organization.id)]).await.unwrap().get::<_, i64>(0), 0, "{table}");
    }
    let history = auditor.get(&format!("/users/{mary}/history")).await.expect(200);
    let steps: Vec<_> = history["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["type"].as_str().unwrap(), step["erased"].as_bool().unwrap()))
        .collect();
    let erased = [
        ("UserCreated", true),
        ("UserUpdated", true),
        ("RequestRejected", true),
        ("RequestRejected", true),
        ("UserDeleted", true),
        ("UserErased", false),
    ];
    assert_eq!(steps, erased, "the entry says what happened, but not to whom");
    eventually("the other dead letter", async || stack.dead_letter(&ada).await).await;
    assert_eq!(stack.dead_letter(&mary).await, None);

    let (after, key) = (note(&organization, "after.checkpoint").await, organization.checkpoint_key());
    let file = organization.folder().join("export.ndjson");
    std::fs::write(&file, auditor.get("/export").await.expect(200).as_str().unwrap()).unwrap();
    let (code, output) =
        verify(&["log", file.to_str().unwrap(), "--checkpoint", &before, "--checkpoint", &after, "--key", &key]);
    assert!(code == 0 && output.contains("records the erasure of entry"), "{output}");
    assert_eq!(output.matches("(payload)").count(), 5, "every erased entry is named: {output}");
    let whole = verified(&stack.instance, &organization.id).await;
    assert!(whole.0, "a replay gives the same state without the erased data: {}", whole.1);
}

#[tokio::test]
async fn no_payload_can_be_erased_without_an_entry_in_the_log() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let ada = organization.client().create(user_with("ada", &json!({}))).await.id();
    let worker = stack.database("rollcall_worker").await;
    let sql = "SELECT rollcall.erase_user($1, $2)";
    let refused = worker.query(sql, &[&id(&organization.id), &id(&ada)]).await.unwrap_err();
    assert!(refused.as_db_error().unwrap().message().contains("the log is append-only"), "{refused:?}");
    assert_eq!(refused.code().map(SqlState::code), Some("RC002"), "the error is not about a missing privilege");
    let api = stack.database("rollcall_api").await;
    assert!(
        api.query(sql, &[&id(&organization.id), &id(&ada)])
            .await
            .unwrap_err()
            .as_db_error()
            .unwrap()
            .message()
            .contains("permission denied")
    );
}

fn creation(organization: &Organization, user: UserId, name: &str) -> Request {
    about(organization, user, UserOperation::Create(json!({"userName": name}).as_object().cloned().unwrap()))
}

fn erasure(organization: &Organization, user: UserId) -> Request {
    request(organization, RequestBody::settings(EraseUser { user_id: user }))
}

async fn publish_together(sender: &Sender, requests: &[Request]) {
    let Message { properties, body } = together(&requests.iter().collect::<Vec<_>>());
    sender.publish(requests[0].organization_id, properties, &body).await;
}

/// The log entries about a user, in order: the type, and whether the payload is erased.
async fn entries_about(stack: &Stack, organization: &Organization, user: UserId) -> Vec<(String, bool)> {
    let sql =
        "SELECT type, payload IS NULL FROM rollcall.events WHERE organization_id = $1 AND subject_id = $2 ORDER BY seq";
    let rows = stack.database("postgres").await.query(sql, &[&id(&organization.id), &user.0]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn entries(expected: &[(&str, bool)]) -> Vec<(String, bool)> {
    expected.iter().map(|(name, is_erased)| ((*name).to_owned(), *is_erased)).collect()
}

const ERASED: (&str, bool) = ("UserErased", false);
const DELETED: (&str, bool) = ("UserDeleted", true);
const REFUSED: (&str, bool) = ("RequestRejected", false);
const REFUSED_AND_ERASED: (&str, bool) = ("RequestRejected", true);

#[tokio::test]
async fn erasures_and_rejections_about_the_same_users_in_one_message_are_all_applied() {
    let stack = Stack::shared().await;
    let sender = Sender::connect(&stack.instance).await;
    for organization in [stack.organization(), stack.organization()] {
        let [mary, ada, grace, later] = [(); 4].map(|()| UserId::generate());
        let delete = |user| about(&organization, user, UserOperation::Delete);
        publish_together(
            &sender,
            &[
                creation(&organization, mary, "mary"),
                creation(&organization, ada, "ada"),
                creation(&organization, grace, "grace"),
                creation(&organization, UserId::generate(), "GRACE"),
                delete(mary),
                delete(mary),
                delete(ada),
                erasure(&organization, mary),
                delete(mary),
                erasure(&organization, ada),
                creation(&organization, later, "Mary"),
                creation(&organization, UserId::generate(), "MARY"),
                erasure(&organization, mary),
                delete(mary),
                delete(ada),
                erasure(&organization, grace),
            ],
        )
        .await;
        let outcomes = Sender::connect(&stack.instance).await;
        let last = outcomes
            .submit(&[
                creation(&organization, UserId::generate(), "last"),
                delete(grace),
                erasure(&organization, grace),
            ])
            .await;
        assert!(matches!(last[0], Outcome::Applied { .. }), "the partition continues: {last:?}");
        assert!(last.iter().all(|outcome| !matches!(outcome, Outcome::Failed | Outcome::Rejected(_))), "{last:?}");

        let created = ("UserCreated", true);
        let about_mary = [created, DELETED, REFUSED_AND_ERASED, ERASED, REFUSED_AND_ERASED, ERASED, REFUSED];
        assert_eq!(entries_about(&stack, &organization, mary).await, entries(&about_mary));
        assert_eq!(entries_about(&stack, &organization, ada).await, entries(&[created, DELETED, ERASED, REFUSED]));
        let about_grace = [created, REFUSED_AND_ERASED, REFUSED_AND_ERASED, DELETED, ERASED];
        assert_eq!(
            entries_about(&stack, &organization, grace).await,
            entries(&about_grace),
            "a refused name goes with the holder"
        );
        assert_eq!(
            entries_about(&stack, &organization, later).await,
            entries(&[("UserCreated", false), REFUSED]),
            "the living stay"
        );
        let owner = stack.database("postgres").await;
        let sql = "SELECT count(*) FROM rollcall.events
        WHERE organization_id = $1 AND payload ->> 'userName' IS NOT NULL AND subject_id <> $2";
        let left: i64 = owner.query_one(sql, &[&id(&organization.id), &later.0]).await.unwrap().get(0);
        assert_eq!(left, 0, "a rejection that names a user is about the user with that name");
        let whole = verified(&stack.instance, &organization.id).await;
        assert!(whole.0, "{}", whole.1);
    }
}

#[tokio::test]
async fn an_entry_after_an_erasure_cannot_be_erased() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let mary = client.create(user("mary")).await.id();
    client.delete(&mary).await.expect(204);
    assert!(erase(&stack, &organization, &mary).0);
    client.delete(&mary).await.expect(404);
    let owner = stack.database("postgres").await;
    let sql = "UPDATE rollcall.events SET payload = NULL, payload_salt = NULL
        WHERE organization_id = $1 AND subject_id = $2
            AND seq = (SELECT max(seq) FROM rollcall.events WHERE organization_id = $1)";
    let refused = owner.execute(sql, &[&id(&organization.id), &id(&mary)]).await.unwrap_err();
    assert_eq!(refused.code().map(SqlState::code), Some("RC002"));
}

/// Calls that name a user, each in another field. `in_body` names the user only in a body.
struct Calls {
    naming: Vec<CallRecord>,
    in_body: CallRecord,
}

impl Calls {
    fn naming(organization: &Organization, at: Timestamp, user: &str, name: &str) -> Self {
        let quoted = serde_json::to_string(name).unwrap();
        let base = || observed_call(organization, at);
        Self {
            naming: vec![
                CallRecord { query: Some(format!("filter=userName eq {quoted}&count=1")), ..base() },
                CallRecord { subject: Some(name.to_owned()), subject_id: Some(Uuid::now_v7()), status: 409, ..base() },
                CallRecord { detail: Some(format!("no user {name} is here")), status: 404, ..base() },
                CallRecord { path: format!("/Users/{user}"), ..base() },
            ],
            in_body: CallRecord {
                response_body: Some(json!({"Resources": [{"userName": name}]}).to_string()),
                ..base()
            },
        }
    }

    fn all(&self) -> Vec<CallRecord> {
        self.naming.iter().chain([&self.in_body]).cloned().collect()
    }
}

/// The stored call records of an organization, each with whether it has a body.
async fn kept(stack: &Stack, organization: &Organization) -> Vec<(Uuid, bool)> {
    let sql = "SELECT id, response_body IS NOT NULL FROM rollcall.requests
    WHERE organization_id = $1 AND label = 'observed' ORDER BY id";
    let rows = stack.database("postgres").await.query(sql, &[&id(&organization.id)]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Waits until a call record is stored. All earlier records are processed by then.
async fn arrived(stack: &Stack, organization: &Organization, last: &CallRecord) {
    eventually("the last call", async || {
        kept(stack, organization).await.iter().any(|(id, _)| *id == last.id).then_some(())
    })
    .await;
}

/// The names of users, each with another spelling that is equal ignoring case.
const NAMES: [(&str, &str); 5] = [
    ("Stra\u{df}e", "STRASSE"),
    ("\u{130}pek", "i\u{307}PEK"),
    ("jose\u{301}@example.com", "JOS\u{c9}@example.com"),
    ("Mary Shelley", "mary shelley"),
    ("\u{3a3}\u{3af}\u{3c3}\u{3c5}\u{3c6}\u{3bf}\u{3c2}", "\u{3a3}\u{38a}\u{3a3}\u{3a5}\u{3a6}\u{39f}\u{3a3}"),
];

#[tokio::test]
async fn call_records_that_name_an_erased_person_are_removed_and_late_ones_are_not_stored() {
    let stack = Stack::shared().await;
    let (organization, other) = (stack.organization(), stack.organization());
    let sender = Sender::connect(&stack.instance).await;
    for (name, variant) in NAMES {
        let [mary, same] =
            [organization.client().create(user(name)).await.id(), other.client().create(user(name)).await.id()];
        let before = Timestamp::now();
        let naming = |of: &Organization, user: &str| Calls::naming(of, before, user, variant);
        let (early, late) = (naming(&organization, &mary), naming(&organization, &mary));
        let [early_elsewhere, late_elsewhere] = [naming(&other, &same), naming(&other, &same)];
        let control = observed_call(&organization, before);
        sender.observe(&early_elsewhere.all()).await;
        sender.observe(&early.all()).await;
        sender.observe(std::slice::from_ref(&control)).await;
        arrived(&stack, &organization, &control).await;
        assert_eq!(kept_of(&stack, &organization, &early).await.len(), 5);

        organization.client().delete(&mary).await.expect(204);
        assert!(erase(&stack, &organization, &mary).0);
        let left = |calls: &Calls| vec![(calls.in_body.id, false)];
        assert_eq!(
            kept_of(&stack, &organization, &early).await,
            left(&early),
            "{name}: stored records are removed before the erasure is answered"
        );

        sender.observe(&late_elsewhere.all()).await;
        sender.observe(&late.all()).await;
        let control = observed_call(&organization, before);
        sender.observe(std::slice::from_ref(&control)).await;
        arrived(&stack, &organization, &control).await;
        assert_eq!(kept_of(&stack, &organization, &late).await, left(&late), "{name}: what arrives late is not kept");
        for calls in [&early_elsewhere, &late_elsewhere] {
            assert_eq!(kept_of(&stack, &other, calls).await.len(), 5, "{name}: the other organization's user stays");
        }

        // A new user with the same name is not the person who was erased.
        let heir = organization.client().create(user(variant)).await.id();
        let later = Calls::naming(&organization, Timestamp::now(), &heir, name);
        let about = CallRecord {
            subject: Some(name.to_owned()),
            subject_id: Some(id(&heir)),
            ..observed_call(&organization, before)
        };
        sender.observe(&later.all()).await;
        sender.observe(std::slice::from_ref(&about)).await;
        arrived(&stack, &organization, &about).await;
        assert_eq!(kept_of(&stack, &organization, &later).await.len(), 5, "{name}: the new user's calls are kept");
    }
    let owner = stack.database("postgres").await;
    let sql = "SELECT count(*), count(names), count(calls_after) FROM rollcall.erased_users WHERE organization_id = $1";
    let row = owner.query_one(sql, &[&id(&organization.id)]).await.unwrap();
    assert_eq!(
        [0, 1, 2].map(|column| row.get::<_, i64>(column)),
        [5, 0, 0],
        "no name is kept, and nothing is left to be done"
    );
}

/// The kept ones of these calls, and whether each has a body.
async fn kept_of(stack: &Stack, of: &Organization, calls: &Calls) -> Vec<(Uuid, bool)> {
    let ids: Vec<_> = calls.all().iter().map(|call| call.id).collect();
    kept(stack, of).await.into_iter().filter(|(id, _)| ids.contains(id)).collect()
}

#[tokio::test]
async fn an_erased_person_is_recognized_by_every_former_name() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let sender = Sender::connect(&stack.instance).await;
    let client = organization.client();
    let mary = client.create(user("Godwin")).await.id();
    client.patch(&mary, json!([{"op": "replace", "path": "userName", "value": "Shelley"}])).await.expect(204);
    client.delete(&mary).await.expect(204);
    // Created, deleted and erased in one batch: nobody could ever read the name in the log.
    let brief = UserId::generate();
    let requests = [
        creation(&organization, brief, "Brief"),
        about(&organization, brief, UserOperation::Delete),
        erasure(&organization, brief),
    ];
    let before = Timestamp::now();
    publish_together(&sender, &requests).await;
    assert!(erase(&stack, &organization, &mary).0);
    let calls: Vec<_> = ["godwin", "SHELLEY", "brief"]
        .iter()
        .map(|name| CallRecord {
            query: Some(format!("filter=userName eq \"{name}\"")),
            ..observed_call(&organization, before)
        })
        .collect();
    sender.observe(&calls).await;
    let control =
        CallRecord { query: Some("filter=userName eq \"percy\"".to_owned()), ..observed_call(&organization, before) };
    sender.observe(std::slice::from_ref(&control)).await;
    arrived(&stack, &organization, &control).await;
    assert_eq!(kept(&stack, &organization).await, [(control.id, false)]);
}

#[tokio::test]
async fn dead_letters_that_name_an_erased_person_are_removed_and_late_ones_are_not_stored() {
    let stack = Stack::shared().await;
    let (organization, other) = (stack.organization(), stack.organization());
    let sender = Sender::connect(&stack.instance).await;
    for (name, variant) in NAMES {
        let mary = organization.client().create(user(name)).await.id();
        let letter = |of: &Organization, name: &str| creation(of, UserId::generate(), name);
        let publish_dead_letter = async |letter: &Request| {
            sender.dead_letter_by_broker(properties(letter, "test", None), &encode(letter).unwrap()).await;
        };
        let [early, late, unrelated] = [variant, variant, "percy"].map(|name| letter(&organization, name));
        let elsewhere = letter(&other, variant);
        publish_dead_letter(&early).await;
        eventually("the dead letter", async || stack.dead_letter(&early.id.to_string()).await).await;
        organization.client().delete(&mary).await.expect(204);
        assert!(erase(&stack, &organization, &mary).0);
        assert_eq!(
            stack.dead_letter(&early.id.to_string()).await,
            None,
            "{name}: it is gone when the erasure is answered"
        );
        let heir = letter(&organization, variant);
        for letter in [&late, &elsewhere, &heir, &unrelated] {
            publish_dead_letter(letter).await;
        }
        eventually("the last dead letter", async || stack.dead_letter(&unrelated.id.to_string()).await).await;
        assert_eq!(stack.dead_letter(&late.id.to_string()).await, None, "{name}: it names whom nobody may find");
        for letter in [&elsewhere, &heir] {
            assert!(stack.dead_letter(&letter.id.to_string()).await.is_some(), "{name}: it names another person");
        }
    }
}
