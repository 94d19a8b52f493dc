//! Exports of the log, and what the auditors' endpoints do with parameters that they do not know.

use reqwest::Method;
use rollcall_tests::client::user_with;
use rollcall_tests::service::{answers, verify};
use rollcall_tests::{Client, Organization, Stack, eventually};
use serde_json::{Value, json};

/// Gives an organization some history: two users, one renamed and deleted, one rejected, and a mapped group.
async fn create_history(organization: &Organization) -> (String, String) {
    let client = organization.client();
    let ada = client.create(user_with("ada", &json!({"title": "Countess", "externalId": "hr-1"}))).await.id();
    let bob = client.create(user_with("Bob", &json!({}))).await.id();
    client.create(user_with("ADA", &json!({}))).await.expect_error(409, Some("uniqueness"));
    client.patch(&ada, json!([{"op": "replace", "path": "title", "value": "Lady"}])).await.expect(204);
    client.patch(&bob, json!([{"op": "replace", "path": "userName", "value": "robert"}])).await.expect(204);
    let group = client.create_group("Engines", &[&ada]).await.id();
    organization.map_group(&group, &[&organization.sales]);
    client.delete(&bob).await.expect(204);
    (ada, bob)
}

/// The lines of an export in NDJSON.
async fn lines(auditor: &Client, parameters: &[(&str, &str)]) -> Vec<Value> {
    match auditor.query("/export", parameters).await.expect(200) {
        Value::Null => Vec::new(),
        Value::String(text) => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        one => vec![one],
    }
}

/// The rows of an export in CSV, each as an object with the names of the columns.
async fn rows(auditor: &Client, parameters: &[(&str, &str)]) -> Vec<Value> {
    let text = auditor.query("/export", &[parameters, &[("format", "csv")]].concat()).await.expect(200);
    let mut reader = csv::Reader::from_reader(text.as_str().unwrap().as_bytes());
    let names = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| -> Value {
        names.iter().zip(&record).map(|(name, cell)| (name.to_owned(), json!(cell))).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

fn seq(entry: &Value) -> String {
    entry["header"]["seq"].to_string()
}

#[tokio::test]
async fn an_export_has_the_entries_that_a_query_with_the_same_conditions_finds() {
    let stack = Stack::shared().await;
    let [one, two] = [stack.organization(), stack.organization()];
    let mut histories = Vec::new();
    for organization in [&one, &two] {
        histories.push((organization, create_history(organization).await, organization.auditor()));
    }
    for (organization, (ada, bob), auditor) in &histories {
        let all = auditor.query("/events", &[("order", "oldest"), ("count", "1000")]).await.expect(200);
        let all = all["entries"].as_array().unwrap();
        assert_eq!(lines(auditor, &[]).await, *all, "without conditions, the export is the log and nothing else");
        let of_call = all.iter().find(|entry| entry["header"]["subject_id"] == json!(bob)).unwrap();
        let (token, txn) =
            (of_call["header"]["actor_id"].as_str().unwrap(), of_call["header"]["event_id"].as_str().unwrap());
        let middle = all[all.len() / 2]["header"]["recorded_at"].as_str().unwrap();
        let conditions: [&[(&str, &str)]; 16] = [
            &[("type", "UserCreated,UserDeleted")],
            &[("TYPE", "GroupMapped")],
            &[("outcome", "rejected")],
            &[("subject", bob)],
            &[("userName", "BOB")],
            &[("externalId", "hr-1")],
            &[("workspace", &organization.sales)],
            &[("token", token)],
            &[("origin", "HR.example.com")],
            &[("address", "127.0.0.0/8")],
            &[("address", "127.0.0.1")],
            &[("since", middle)],
            &[("until", middle)],
            &[("txn", txn)],
            &[("filter", "title eq \"lady\"")],
            &[("type", "UserUpdated"), ("subject", ada), ("since", "2020-01-01T00:00:00Z")],
        ];
        for asked in conditions {
            let found = auditor.query("/events", &[asked, &[("order", "oldest"), ("count", "1000")]].concat()).await;
            let found = found.expect(200)["entries"].as_array().unwrap().clone();
            assert!(!found.is_empty() && found.len() < all.len(), "{asked:?} selects some of the entries");
            let exported = lines(auditor, asked).await;
            let about = &exported[0]["filtered_export"];
            assert_eq!(
                (&about["organization_id"], &about["from"], &about["to"]),
                (&json!(organization.id), &json!(1), &json!(all.len()))
            );
            for (name, value) in asked {
                let name = if *name == "TYPE" { "type" } else { name };
                assert_eq!(about["conditions"][name], *value, "the first line states the conditions");
            }
            assert_eq!(exported[1..], found, "{asked:?}");
            let seqs: Vec<_> =
                rows(auditor, asked).await.iter().map(|row| row["seq"].as_str().unwrap().to_owned()).collect();
            assert_eq!(seqs, found.iter().map(seq).collect::<Vec<_>>(), "{asked:?} in CSV");
        }
        let part = lines(auditor, &[("type", "UserCreated,UserDeleted"), ("from", "7"), ("to", "8")]).await;
        assert!(part[1..].iter().all(|entry| ["7", "8"].contains(&seq(entry).as_str())) && part.len() > 1, "{part:?}");
        let named = auditor.query("/export", &[("type", "UserCreated")]).await;
        assert!(named.header("content-disposition").ends_with("-filtered.ndjson\""));
    }
    let (_, (ada, _), _) = &histories[0];
    let stranger = &histories[1].2;
    assert_eq!(lines(stranger, &[("subject", ada)]).await.len(), 1, "no entry of another organization");
    assert_eq!(rows(stranger, &[("subject", ada)]).await, [] as [Value; 0]);
    for (name, value, error) in [
        ("type", "Nothing", "invalidValue"),
        ("outcome", "maybe", "invalidValue"),
        ("since", "today", "invalidValue"),
        ("format", "xml", "invalidValue"),
        ("from", "x", "invalidValue"),
        ("filter", "shoeSize eq 42", "invalidFilter"),
    ] {
        stranger.query("/export", &[(name, value)]).await.expect_error(400, Some(error));
    }
}

#[tokio::test]
async fn a_filtered_export_is_checked_entry_by_entry_and_never_called_whole() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    create_history(&organization).await;
    let auditor = organization.auditor();
    let note = eventually("a checkpoint", async || {
        let answer = auditor.get("/checkpoint").await;
        (answer.status == 200).then(|| answer.body.as_str().unwrap().to_owned())
    })
    .await;
    let write = |name: &str, text: &str| {
        let path = organization.folder().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let checkpoint = write("log.checkpoint", &note);
    let check = |text: &str| {
        let export = write("filtered.ndjson", text);
        verify(&["log", &export, "--checkpoint", &checkpoint, "--key", &organization.checkpoint_key()])
    };
    let text = auditor.query("/export", &[("outcome", "applied")]).await.expect(200).as_str().unwrap().to_owned();
    let (code, output) = check(&text);
    assert_eq!(code, 2, "{output}");
    assert!(output.contains("a filtered export cannot be verified as a whole log"), "{output}");
    assert!(output.contains("matches its own hashes") && !output.contains("BROKEN"), "{output}");
    let (code, output) = check(&text.replacen("Countess", "Duchess", 1));
    assert!(code == 1 && output.contains("the payload does not match its commitment"), "{output}");
}

/// The routes come from the document, so a new route is covered by being described.
#[tokio::test]
async fn every_audit_route_refuses_a_parameter_that_the_document_does_not_name() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let (ada, _) = create_history(&organization).await;
    let auditor = organization.auditor();
    let document: Value = reqwest::get(format!("{}/openapi.json", stack.url)).await.unwrap().json().await.unwrap();
    let mut routes = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(below) = path.strip_prefix("/audit/v1") else { continue };
        let values =
            [("{id}", ada.as_str()), ("{seq}", "1"), ("{size}", "1"), ("{level}", "0"), ("{index}", "000.p/1")];
        let below = values.iter().fold(below.to_owned(), |path, (name, value)| path.replace(name, value));
        assert!(!below.contains('{'), "give a value to the parameter of {path}");
        for (method, operation) in methods.as_object().unwrap() {
            routes += 1;
            let send = async |query: &str| {
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                auditor.call(method, &format!("{below}?{query}")).open().await
            };
            for (query, name) in [("sinse=2026", "sinse"), ("count2=", "count2"), ("a%20b=x", "a b")] {
                let answer = send(query).await;
                assert_eq!(answer.status(), 400, "{method} {path}?{query}");
                let error: Value = answer.json().await.unwrap();
                let detail = error["detail"].as_str().unwrap().to_owned();
                assert!(detail.starts_with(&format!("{name}: there is no such parameter here")), "{path}: {detail}");
            }
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            for parameter in parameters.filter(|parameter| parameter["in"] == "query") {
                let name = parameter["name"].as_str().unwrap();
                let answer = send(&format!("{}=x", name.to_uppercase())).await;
                let text = if answer.status() == 400 { answer.text().await.unwrap() } else { String::new() };
                assert!(!text.contains("no such parameter"), "{path} refuses its own parameter {name}: {text}");
            }
        }
    }
    assert!(routes >= 16, "{routes} routes");
    let stranger = Client::auditor(&stack.url, "rc_nothing");
    assert_eq!(stranger.get("/events?sinse=2026").await.status, 401, "only an auditor learns the parameters");
    assert_eq!(auditor.call(Method::POST, "/events?sinse=2026").send().await.status, 405);
}

#[tokio::test]
async fn a_csv_is_for_spreadsheets_and_has_names_beside_ids() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let (ada, bob) = create_history(&organization).await;
    let client = organization.client();
    let formula = client.create(user_with("=cmd()", &json!({}))).await.id();
    let auditor = organization.auditor();
    let bytes = auditor.call(Method::GET, "/export").header("accept", "text/csv").open().await.bytes().await.unwrap();
    assert!(bytes.starts_with(b"\xef\xbb\xbfseq,event_id,type,"), "the mark of UTF-8, then the names of the columns");
    assert!(!bytes[3..].windows(3).any(|part| part == b"\xef\xbb\xbf"), "the mark is there once");
    let found = rows(&auditor, &[]).await;
    let cells = |name: &str, of: &dyn Fn(&Value) -> bool| -> Vec<String> {
        found.iter().filter(|row| of(row)).map(|row| row[name].as_str().unwrap().to_owned()).collect()
    };
    let about = |id: &str| {
        let id = id.to_owned();
        move |row: &Value| row["subject_id"] == *id
    };
    assert_eq!(cells("subject_name", &about(&bob)), ["Bob", "robert", "robert"], "the deletion has the last name");
    assert_eq!(cells("subject_name", &about(&ada)), ["ada", "ADA", "ada"], "a refusal has the refused name");
    assert_eq!(cells("subject_name", &about(&formula)), ["'=cmd()"]);
    assert_eq!(cells("workspace_names", &about(&formula)), ["Marketing"]);
    assert_eq!(cells("workspace_ids", &about(&formula)), [organization.marketing.as_str()]);
    assert_eq!(cells("subject_name", &about(&organization.sales)), ["Sales"]);
    let mapped = |row: &Value| row["type"] == "GroupMapped";
    assert_eq!(
        (cells("subject_name", &mapped), cells("workspace_names", &mapped)),
        (vec!["Engines".to_owned()], vec!["Sales".to_owned()])
    );
    let issued = |row: &Value| row["type"] == "TokenIssued";
    assert_eq!(cells("subject_name", &issued)[0], "test");
    let by_token = |row: &Value| row["actor_kind"] == "token";
    assert!(cells("actor_label", &by_token).iter().all(|label| label == "test"), "{found:?}");

    let erase = ["user", "erase", "--organization", &organization.id, &bob];
    answers(&stack.instance, &erase);
    let found = rows(&auditor, &[("subject", &bob)]).await;
    let erased: Vec<_> = found.iter().map(|row| (row["subject_name"].as_str(), row["erased"].as_str())).collect();
    assert_eq!(erased[..3], [(Some(""), Some("payload")); 3], "an erased name is nowhere");
    assert_eq!(erased[3], (Some(""), Some("")), "the erasure itself");
}
