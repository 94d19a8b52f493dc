//! The log's promises to auditors: it has no gaps, nobody changes it, its hashes are right, and it adds up to
//! the tables.

use proptest::prelude::*;
use rollcall_events::log::canonical;
use rollcall_tests::Stack;
use rollcall_tests::client::{ROLLCALL, user, user_with};
use serde_json::{Value, json};
use test_case::test_case;
use tokio_postgres::error::SqlState;

#[tokio::test]
async fn every_change_has_one_entry_and_the_log_adds_up_to_the_tables() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let id = client
        .create(user_with("ada", &json!({"title": "Lady", "emails": [{"value": "A@x", "primary": true}]})))
        .await
        .id();
    client.patch(&id, json!([{"op": "replace", "path": "active", "value": false}])).await.expect(204);
    client.patch(&id, json!([{"op": "replace", "path": "active", "value": true}])).await.expect(204);
    client
        .replace(&id, user_with("augusta", &json!({ROLLCALL: {"workspaces": [{"value": organization.sales}]}})))
        .await
        .expect(200);
    assert_eq!(client.create(user("Augusta")).await.status, 409);
    let other = client.create(user("ada")).await.id();
    client.delete(&other).await.expect(204);

    let auditor = stack.auditor().await;
    let log = auditor.verify(&organization.id).await;
    let types: Vec<_> = log.iter().map(|entry| entry.header.event_type.as_str()).collect();
    let settings = ["WorkspaceCreated", "WorkspaceCreated", "WorkspaceCreated", "TokenIssued", "TokenIssued"];
    let users = [
        "UserCreated",
        "UserDeactivated",
        "UserReactivated",
        "UserUpdated",
        "RequestRejected",
        "UserCreated",
        "UserDeleted",
    ];
    assert_eq!(types, [&settings[..], &users].concat());
    let renamed = &log[8];
    assert_eq!(renamed.payload["changed"], json!(["emails", "title", format!("{ROLLCALL}:workspaces"), "userName"]));
    assert_eq!(renamed.actor.label.as_deref(), Some("test"));
    assert_eq!(auditor.compare_with_tables(&organization.id).await, 1);
}

#[test_case("rollcall_api")]
#[test_case("rollcall_worker")]
#[test_case("rollcall_auditor")]
#[test_case("rollcall_app")]
#[tokio::test]
async fn no_role_of_the_services_can_change_the_log(role: &str) {
    let stack = Stack::shared().await;
    let database = stack.database(role).await;
    let attempts = [
        "UPDATE rollcall.events SET outcome = 'rejected'",
        "DELETE FROM rollcall.events",
        "TRUNCATE rollcall.events",
        "UPDATE rollcall.events_0 SET outcome = 'rejected'",
        "DELETE FROM rollcall.events_0",
        "TRUNCATE rollcall.events_0",
        "ALTER TABLE rollcall.events DISABLE TRIGGER ALL",
        "ALTER TABLE rollcall.events ADD COLUMN more text",
        "DROP TABLE rollcall.events",
        "DROP TRIGGER events_are_kept ON rollcall.events",
        "SET session_replication_role = replica",
        "CREATE TABLE rollcall.mine (id int)",
    ];
    for attempt in attempts {
        let refused = database.batch_execute(attempt).await.unwrap_err();
        assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{role}: {attempt}: {refused}");
    }
}

#[tokio::test]
async fn no_role_of_the_services_has_the_right_to_change_the_log() {
    let stack = Stack::shared().await;
    let sql = "
        SELECT r.role, p.privilege FROM unnest($1::text[]) AS r (role), unnest($2::text[]) AS p (privilege)
        WHERE has_table_privilege(r.role, 'rollcall.events', p.privilege)";
    let roles = ["rollcall_api", "rollcall_worker", "rollcall_auditor", "rollcall_app"].as_slice();
    let privileges = ["UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"].as_slice();
    let rows = stack.database("postgres").await.query(sql, &[&roles, &privileges]).await.unwrap();
    let found: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(found, []);
}

#[tokio::test]
async fn the_owner_of_the_database_cannot_change_the_log_by_mistake() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let database = stack.database("postgres").await;
    let sql = "SELECT relname::text FROM rollcall.events e JOIN pg_class c ON c.oid = e.tableoid
    WHERE organization_id = $1 LIMIT 1";
    let partition: String =
        database.query_one(sql, &[&rollcall_tests::audit::id(&organization.id)]).await.unwrap().get(0);
    for attempt in [
        "UPDATE rollcall.events SET type = 'x'",
        "DELETE FROM rollcall.events",
        "TRUNCATE rollcall.events",
        "UPDATE rollcall.events_PART SET type = 'x'",
        "DELETE FROM rollcall.events_PART",
        "TRUNCATE rollcall.events_PART",
    ] {
        // Use the partition that has the organization's log, because a DELETE in an empty one would delete
        // nothing.
        let attempt = attempt.replace("events_PART", &partition);
        let refused = database.batch_execute(&attempt).await.unwrap_err();
        assert!(refused.as_db_error().unwrap().message().contains("append-only"), "{attempt}");
        assert_eq!(refused.code().map(SqlState::code), Some("RC002"), "{attempt}");
    }
    stack.auditor().await.verify(&organization.id).await;
}

#[test_case("rollcall_api", &[]; "the api")]
#[test_case(
    "rollcall_auditor", &["workspaces", "scim_tokens", "users", "workspace_members", "organizations"]; "an auditor"
)]
#[test_case("rollcall_app", &["events", "log_heads", "users", "scim_tokens"]; "an application")]
#[tokio::test]
async fn a_reading_role_can_only_read(role: &str, hidden: &[&str]) {
    let stack = Stack::shared().await;
    let database = stack.database(role).await;
    for table in ["organizations", "workspaces", "scim_tokens", "users", "workspace_members", "events", "log_heads"] {
        for attempt in [
            format!("INSERT INTO rollcall.{table} DEFAULT VALUES"),
            format!("UPDATE rollcall.{table} SET organization_id = NULL"),
            format!("DELETE FROM rollcall.{table}"),
        ] {
            let refused = database.batch_execute(&attempt).await.unwrap_err();
            let code = refused.code().unwrap();
            let no_such_column = table == "organizations" && *code == SqlState::UNDEFINED_COLUMN;
            assert!(*code == SqlState::INSUFFICIENT_PRIVILEGE || no_such_column, "{role}: {attempt}: {refused}");
        }
    }
    for table in hidden {
        let refused = database.batch_execute(&format!("SELECT FROM rollcall.{table}")).await.unwrap_err();
        assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{role}: {table}");
    }
}

#[tokio::test]
async fn an_application_reads_users_and_memberships_by_the_documented_views() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let created = organization.client().create(user_with("Ada", &json!({"displayName": "Ada King"}))).await;
    let sql = "
        SELECT u.user_name, u.display_name, u.active, w.name, o.name
        FROM users u
        JOIN memberships m ON m.organization_id = u.organization_id AND m.user_id = u.id
        JOIN workspaces w ON w.organization_id = m.organization_id AND w.id = m.workspace_id
        JOIN organizations o ON o.id = u.organization_id
        WHERE u.id = $1";
    let row = stack
        .database("rollcall_app")
        .await
        .query_one(sql, &[&rollcall_tests::audit::id(&created.id())])
        .await
        .unwrap();
    let texts: Vec<String> = [0, 1, 3, 4].iter().map(|&column| row.get(column)).collect();
    assert_eq!(
        (texts, row.get::<_, bool>(2)),
        (["Ada", "Ada King", "Marketing", "Test"].map(str::to_owned).to_vec(), true)
    );
}

#[tokio::test]
async fn an_organization_cannot_read_or_change_users_of_another() {
    let stack = Stack::shared().await;
    let (ours, theirs) = (stack.organization(), stack.organization());
    let (us, them) = (ours.client(), theirs.client());
    let created = them.create(user_with("ada", &json!({"externalId": "E1"}))).await;
    let id = created.id();
    us.get(&format!("/Users/{id}")).await.expect_error(404, None);
    us.replace(&id, user("eve")).await.expect_error(404, None);
    us.patch(&id, json!([{"op": "replace", "path": "active", "value": false}])).await.expect_error(404, None);
    us.delete(&id).await.expect_error(404, None);
    for filter in [format!("id eq \"{id}\""), "userName eq \"ada\"".to_owned(), "externalId eq \"E1\"".to_owned()] {
        assert_eq!(us.find(&filter).await.expect(200)["totalResults"], 0, "{filter}");
    }
    assert_eq!(us.get("/Users").await.expect(200)["totalResults"], 0);
    let foreign = us.create(user_with("eve", &json!({ROLLCALL: {"workspaces": [{"value": theirs.marketing}]}}))).await;
    foreign.expect_error(400, Some("invalidValue"));
    let accepted = them
        .call(reqwest::Method::DELETE, &format!("/Users/{id}"))
        .header("prefer", "respond-async")
        .header("if-match", "\"9\"")
        .send()
        .await;
    us.get(&format!("/Events/{}", accepted.header("set-txn"))).await.expect_error(404, None);
    assert_eq!(us.create(user("ada")).await.status, 201, "a name is taken in one organization only");
    assert_eq!(them.get(&format!("/Users/{id}")).await.body, created.body);
    let workspaces = us.get(&format!("/Schemas/{ROLLCALL}")).await.expect(200);
    assert!(!workspaces.to_string().contains(&theirs.marketing));
}

/// Any JSON that the api accepts.
fn acceptable_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        (-9e15..9e15).prop_map(|number: f64| json!(number)),
        (-1e-300..1e-300).prop_map(|number: f64| json!(number)),
        "[^\0]{0,12}".prop_map(Value::from),
        "[ßİΣσς\u{300}-\u{345}😀\u{e000}\u{fffd}\"\\\\/\u{1}-\u{1f}]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::hash_map("[^\0]{0,8}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A value must have the same canonical form after Postgres has stored and returned it.
#[test]
fn a_value_has_the_same_canonical_form_after_a_round_trip_through_the_database() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(async { Stack::shared().await.database("postgres").await });
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(64));
    runner
        .run(&proptest::collection::vec(acceptable_json(), 32), |values| {
            let parsed = values.iter().map(|value| rollcall_scim::json::parse(value.to_string().as_bytes()));
            let accepted = parsed.collect::<Result<Vec<_>, _>>().map_err(|error| TestCaseError::fail(error.detail))?;
            let rows =
                runtime
                    .block_on(database.query(
                        "SELECT v FROM unnest($1::jsonb[]) WITH ORDINALITY AS u (v, n) ORDER BY n",
                        &[&accepted],
                    ))
                    .unwrap();
            for (written, row) in accepted.iter().zip(&rows) {
                let read: Value = row.get(0);
                let text = |value: &Value| String::from_utf8(canonical(value).unwrap()).unwrap();
                prop_assert_eq!(text(written), text(&read));
            }
            Ok(())
        })
        .unwrap();
}
