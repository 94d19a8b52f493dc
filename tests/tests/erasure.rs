//! A deleted person can be forgotten, and every proof still holds.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test, what goes wrong is to be seen at once")]

use rollcall_tests::amqp::Sender;
use rollcall_tests::audit::id;
use rollcall_tests::client::user_with;
use rollcall_tests::service::{command, verified, verify};
use rollcall_tests::{Organization, Stack, eventually};
use serde_json::{Value, json};

/// What nobody may find afterwards.
const SECRET: &str = "Wollstonecraft";

async fn note(organization: &Organization, file: &str) -> String {
    let auditor = organization.auditor();
    let size = auditor.get("/events?count=1").await.expect(200)["entries"][0]["header"]["seq"].clone();
    let note = eventually("a checkpoint of all that there is", async || {
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
async fn what_is_erased_is_nowhere_and_the_log_holds_all_the_same() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let mary = client.create(user_with("mary", &json!({"name": {"familyName": SECRET}}))).await.id();
    client.patch(&mary, json!([{"op": "replace", "path": "userName", "value": SECRET}])).await.expect(204);
    client.create(user_with(SECRET, &json!({"title": "refused"}))).await.expect_error(409, Some("uniqueness"));
    let ada = client.create(user_with("ada", &json!({}))).await.id();
    client.create_group("Authors", &[&mary, &ada]).await.expect(201);
    let (done, told) = erase(&stack, &organization, &mary);
    assert!(!done && told.contains("the user is not deleted"), "{told}");
    client.delete(&mary).await.expect(204);
    let before = note(&organization, "before.checkpoint").await;
    let sender = Sender::connect(&stack.instance).await;
    sender.bury(&mary, json!({"user": mary, "name": SECRET}).to_string().as_bytes()).await;
    sender.bury(&ada, json!({"user": ada}).to_string().as_bytes()).await;

    let (done, told) = erase(&stack, &organization, &mary);
    assert!(done, "{told}");
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["erased"], true);
    assert!(!erase(&stack, &organization, "00000000-0000-7000-8000-000000000001").0, "nobody");

    let auditor = organization.auditor();
    let export = auditor.get("/export").await.expect(200).as_str().unwrap().to_owned();
    assert!(!export.contains(SECRET), "{export}");
    let owner = stack.database("postgres").await;
    for table in ["events", "users", "groups"] {
        let sql = format!("SELECT count(*) FROM rollcall.{table} t WHERE organization_id = $1 AND t::text LIKE '%{SECRET}%'");
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
    assert_eq!(steps, erased, "what happened is known, and not to whom");
    eventually("the other dead letter", async || stack.dead_letter(&ada).await).await;
    assert_eq!(stack.dead_letter(&mary).await, None);

    let (after, key) = (note(&organization, "after.checkpoint").await, organization.checkpoint_key());
    let file = organization.folder().join("export.ndjson");
    std::fs::write(&file, auditor.get("/export").await.expect(200).as_str().unwrap()).unwrap();
    let (code, told) = verify(&["log", file.to_str().unwrap(), "--checkpoint", &before, "--checkpoint", &after, "--key", &key]);
    assert!(code == 0 && told.contains("5 entries were erased"), "{told}");
    let whole = verified(&stack.instance, &organization.id).await;
    assert!(whole.0, "a replay gives the same without what was erased: {}", whole.1);
}

#[tokio::test]
async fn nothing_can_be_erased_that_the_log_does_not_say_is() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let ada = organization.client().create(user_with("ada", &json!({}))).await.id();
    let worker = stack.database("rollcall_worker").await;
    let sql = "SELECT rollcall.erase_user($1, $2)";
    let refused = worker.query(sql, &[&id(&organization.id), &id(&ada)]).await.unwrap_err();
    assert!(refused.as_db_error().unwrap().message().contains("the log is append-only"), "{refused:?}");
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
