//! The auditors' endpoints: what an auditor can query, and who has access.

use reqwest::Method;
use rollcall_tests::client::user_with;
use rollcall_tests::service::answers;
use rollcall_tests::{Answer, Client, Stack, eventually, within};
use serde_json::{Value, json};

fn seqs(page: &Value) -> Vec<u64> {
    page["entries"].as_array().unwrap().iter().map(|entry| entry["header"]["seq"].as_u64().unwrap()).collect()
}

fn types(page: &Value) -> Vec<&str> {
    page["entries"].as_array().unwrap().iter().map(|entry| entry["header"]["type"].as_str().unwrap()).collect()
}

async fn events(auditor: &Client, parameters: &[(&str, &str)]) -> Value {
    auditor.query("/events", parameters).await.expect(200)
}

/// Gives an organization some history: two users, one renamed, one deleted, one rejected.
async fn create_history(client: &Client) -> (String, String) {
    let ada = client.create(user_with("ada", &json!({"title": "Countess", "externalId": "hr-1"}))).await.id();
    let bob = client.create(user_with("Bob", &json!({}))).await.id();
    client.create(user_with("ADA", &json!({}))).await.expect_error(409, Some("uniqueness"));
    client.patch(&ada, json!([{"op": "replace", "path": "title", "value": "Lady"}])).await.expect(204);
    client.patch(&bob, json!([{"op": "replace", "path": "userName", "value": "robert"}])).await.expect(204);
    client.patch(&ada, json!([{"op": "replace", "path": "active", "value": false}])).await.expect(204);
    client.delete(&bob).await.expect(204);
    (ada, bob)
}

#[tokio::test]
async fn an_auditor_finds_entries_by_user_name_actor_type_and_time() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let (token, secret) = organization.issue(&[]);
    let client = Client::new(&stack.url, &secret, Some("hr.example.com"));
    let (ada, bob) = create_history(&client).await;
    let auditor = organization.auditor();
    let all = events(&auditor, &[("order", "oldest")]).await;
    assert_eq!(seqs(&all), (1..=12).collect::<Vec<_>>());
    let of = async |name: &str, value: &str| events(&auditor, &[("order", "oldest"), (name, value)]).await;
    assert_eq!(types(&of("type", "UserCreated,UserDeleted").await), ["UserCreated", "UserCreated", "UserDeleted"]);
    assert_eq!(types(&of("type", "UserDeactivated").await), ["UserDeactivated"]);
    assert_eq!(types(&of("outcome", "rejected").await), ["RequestRejected"]);
    assert_eq!(types(&of("subject", &bob).await), ["UserCreated", "UserUpdated", "UserDeleted"]);
    assert_eq!(seqs(&of("userName", "BOB").await), seqs(&of("subject", &bob).await), "the filter matches former names");
    assert_eq!(seqs(&of("userName", "Robert").await), seqs(&of("subject", &bob).await));
    assert_eq!(seqs(&of("externalId", "hr-1").await), seqs(&of("subject", &ada).await));
    assert_eq!(of("userName", "nobody").await["entries"], json!([]));
    assert_eq!(
        of("token", &token).await["entries"].as_array().unwrap().len(),
        7,
        "the issue of the token is not an action of the token"
    );
    assert_eq!(of("origin", "HR.example.com").await["entries"].as_array().unwrap().len(), 7);
    assert_eq!(of("address", "127.0.0.0/8").await["entries"].as_array().unwrap().len(), 7);
    assert_eq!(of("address", "127.0.0.1").await["entries"].as_array().unwrap().len(), 7);
    assert_eq!(of("address", "203.0.113.7").await["entries"], json!([]));
    assert_eq!(of("address", "203.0.113.0/24").await["entries"], json!([]));
    assert_eq!(types(&of("workspace", &organization.marketing).await)[0], "WorkspaceCreated");
    assert_eq!(seqs(&of("filter", "title eq lady and active eq True").await).len(), 1);
    let refused = auditor.query("/events", &[("filter", "shoeSize eq 42")]).await;
    assert!(refused.expect_error(400, Some("invalidFilter")).starts_with("shoeSize"), "{}", refused.body);
    let txn = all["entries"][6]["header"]["event_id"].as_str().unwrap();
    assert_eq!(of("txn", txn).await["entries"], json!([all["entries"][6]]));
    let at = all["entries"][6]["header"]["recorded_at"].as_str().unwrap();
    assert_eq!(seqs(&of("until", at).await).last(), Some(&7));
    assert_eq!(seqs(&of("since", at).await).first(), Some(&7));
    assert_eq!(auditor.get("/events/7").await.expect(200), all["entries"][6]);
    assert_eq!(auditor.get("/events/99").await.expect_error(404, None), "the log has no such entry");
    for (name, value) in [
        ("type", "Nothing"),
        ("outcome", "maybe"),
        ("subject", "x"),
        ("address", "x"),
        ("since", "today"),
        ("order", "up"),
    ] {
        let refused = auditor.query("/events", &[(name, value)]).await;
        assert!(refused.expect_error(400, Some("invalidValue")).starts_with(name), "{name}");
    }
}

#[tokio::test]
async fn pages_in_both_directions_have_every_entry_once_while_the_log_grows() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    create_history(&client).await;
    let auditor = organization.auditor();
    let whole = seqs(&events(&auditor, &[("order", "oldest")]).await);
    for (order, filter) in [("oldest", false), ("newest", false), ("newest", true)] {
        let (mut found, mut pages, mut cursor) = (Vec::new(), 0, None::<String>);
        loop {
            let mut parameters = vec![("order", order), ("count", "3")];
            parameters.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            parameters.extend(filter.then_some(("filter", "userName pr")));
            let page = events(&auditor, &parameters).await;
            found.extend(seqs(&page));
            pages += 1;
            client.create(user_with(&format!("late-{order}-{filter}-{pages}"), &json!({}))).await.expect(201);
            match page["next"].as_str() {
                Some(next) if !found.contains(&(whole.len() as u64)) || order == "newest" => {
                    cursor = Some(next.to_owned());
                }
                _ => break,
            }
        }
        let distinct: std::collections::BTreeSet<_> = found.iter().collect();
        assert_eq!(distinct.len(), found.len(), "{order}: none twice");
        let expected = if filter { 5 } else { whole.len() };
        assert!(
            found.iter().filter(|seq| whole.contains(seq)).count() >= expected,
            "{order}: none is missing: {found:?}"
        );
    }
}

#[tokio::test]
async fn a_users_history_has_old_and_new_values_and_the_state_at_any_time() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let (ada, bob) = create_history(&client).await;
    let auditor = organization.auditor();
    let history = auditor.get(&format!("/users/{ada}/history")).await.expect(200);
    let steps = history["steps"].as_array().unwrap();
    let title =
        |step: &Value| step["changes"].as_array().unwrap().iter().find(|change| change["path"] == "title").cloned();
    assert_eq!(title(&steps[0]).unwrap()["to"], "Countess");
    assert_eq!(steps[1]["refused"]["scimType"], "uniqueness");
    assert_eq!(title(&steps[2]), Some(json!({"path": "title", "from": "Countess", "to": "Lady"})));
    assert_eq!(steps[3]["changes"], json!([{"path": "active", "from": true, "to": false}]));
    assert_eq!(steps[3]["by"]["label"], "test");
    let first = auditor.query(&format!("/users/{ada}/history"), &[("count", "2")]).await.expect(200);
    let rest = auditor
        .query(&format!("/users/{ada}/history"), &[("cursor", first["next"].as_str().unwrap())])
        .await
        .expect(200);
    assert_eq!(rest["steps"], json!(steps[2..]), "a later page has the old values");
    let beyond = auditor.get(&format!("/users/{ada}/history?cursor={}", u64::MAX)).await.expect(200);
    assert_eq!(beyond["steps"], json!([]), "a cursor beyond everything");
    let before = steps[2]["recorded_at"].as_str().unwrap();
    let just_before: jiff::Timestamp = before.parse().unwrap();
    let just_before = (just_before - jiff::SignedDuration::from_micros(1)).to_string();
    let then = async |id: &str, at: &str| auditor.query(&format!("/users/{id}"), &[("at", at)]).await;
    assert_eq!(then(&ada, &just_before).await.expect(200)["title"], "Countess");
    assert_eq!(then(&ada, before).await.expect(200)["title"], "Lady");
    assert_eq!(then(&bob, &just_before).await.expect(200)["userName"], "Bob");
    assert_eq!(then(&bob, "2100-01-01T00:00:00Z").await.status, 404);
    assert_eq!(then(&ada, "2000-01-01T00:00:00Z").await.status, 404);
    let users =
        async |at: &str| auditor.query("/users", &[("at", at)]).await.expect(200)["users"].as_array().unwrap().len();
    assert_eq!(
        (users(&just_before).await, users("2100-01-01T00:00:00Z").await, users("2000-01-01T00:00:00Z").await),
        (2, 1, 0)
    );
}

/// The log returns every earlier state of every user exactly as the test captured it at the time.
#[tokio::test]
async fn the_log_returns_every_earlier_state_of_a_user() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let (client, auditor) = (organization.client(), organization.auditor());
    let mut captured = Vec::new();
    let mut ids = Vec::new();
    for round in 0..12 {
        match round % 4 {
            0 | 1 => {
                ids.push(client.create(user_with(&format!("user{round}"), &json!({"nickName": "one"}))).await.id());
            }
            2 => drop(
                client
                    .patch(
                        &ids[round / 4],
                        json!([{"op": "replace", "path": "nickName", "value": format!("n{round}")}]),
                    )
                    .await
                    .expect(204),
            ),
            _ => drop(client.delete(&ids.remove(0)).await.expect(204)),
        }
        let at = jiff::Timestamp::now().to_string();
        let mut live = client.get("/Users?count=100").await.expect(200)["Resources"].as_array().unwrap().clone();
        for user in &mut live {
            user["meta"].as_object_mut().unwrap().remove("location");
            user["urn:ietf:params:scim:schemas:extension:rollcall:2.0:User"]["workspaces"]
                .as_array_mut()
                .unwrap()
                .iter_mut()
                .for_each(|workspace| {
                    workspace.as_object_mut().unwrap().remove("display");
                });
        }
        live.sort_by_key(|user| user["id"].as_str().unwrap().to_owned());
        captured.push((at, live));
    }
    for (at, live) in captured {
        assert_eq!(auditor.query("/users", &[("at", &at)]).await.expect(200)["users"], json!(live), "at {at}");
    }
}

#[tokio::test]
async fn every_export_format_has_the_whole_log() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    client.create(user_with("=cmd()", &json!({"title": "a \"quoted\",\nbroken one"}))).await.expect(201);
    let auditor = organization.auditor();
    let log = events(&auditor, &[("order", "oldest")]).await["entries"].clone();
    let text = |answer: Answer| answer.expect(200).as_str().unwrap().to_owned();
    let lines = |text: &str| -> Vec<Value> { text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
    assert_eq!(Value::from(lines(&text(auditor.get("/export").await))), log);
    let part = lines(&text(auditor.get("/export?from=2&to=3").await));
    assert_eq!(part, log.as_array().unwrap()[1..3]);
    assert_eq!(auditor.get("/export?from=99").await.status, 200);
    let csv = text(auditor.get("/export?format=csv").await);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(&reader.headers().unwrap()[0], "seq");
    let column = reader.headers().unwrap().iter().position(|name| name == "payload").unwrap();
    let records: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), log.as_array().unwrap().len());
    let created = records.iter().find(|record| &record[2] == "UserCreated").unwrap();
    let payload: Value = serde_json::from_str(&created[column]).unwrap();
    assert_eq!(payload["resource"]["title"], "a \"quoted\",\nbroken one");
    for encoding in ["gzip", "zstd"] {
        let packed = auditor.call(Method::GET, "/export").header("accept-encoding", encoding).send().await;
        assert_eq!((packed.status, packed.header("content-encoding")), (200, encoding));
    }
}

#[tokio::test]
async fn an_auditors_token_reads_one_log_and_allows_nothing_else() {
    let stack = Stack::shared().await;
    let (organization, other) = (stack.organization(), stack.organization());
    let client = organization.client();
    let ada = client.create(user_with("ada", &json!({}))).await.id();
    let (id, secret) = organization.issue_for_auditor(&[]);
    let auditor = Client::auditor(&stack.url, &secret);
    assert_eq!(
        events(&auditor, &[("type", "AuditorTokenIssued")]).await["entries"][0]["header"]["subject_id"],
        id,
        "the issue of the token is logged"
    );
    assert!(!events(&auditor, &[]).await.to_string().contains(&secret));
    let provisioning = Client::new(&stack.url, &secret, Some("hr.example.com"));
    assert_eq!(
        provisioning.create(user_with("eve", &json!({}))).await.status,
        401,
        "an auditor token cannot provision"
    );
    assert_eq!(
        Client::auditor(&stack.url, &client.token).get("/events").await.status,
        401,
        "and a SCIM token cannot audit"
    );
    assert_eq!(Client::auditor(&stack.url, "rc_nothing").get("/events").await.status, 401);
    assert_eq!(auditor.call(Method::POST, "/events").send().await.status, 405);
    let stranger = other.auditor();
    assert_eq!(stranger.query("/events", &[("subject", &ada)]).await.expect(200)["entries"], json!([]));
    assert_eq!(stranger.get(&format!("/users/{ada}")).await.status, 404);
    assert_eq!(stranger.get(&format!("/users/{ada}/history")).await.status, 404);
    let listed = answers(&stack.instance, &["auditor-token", "list", "--organization", &organization.id]);
    assert_eq!((listed[0]["id"].as_str(), listed[0].get("digest")), (Some(id.as_str()), None));
    let elsewhere = Client::auditor(&stack.url, &organization.issue_for_auditor(&["--allow", "203.0.113.0/24"]).1);
    assert_eq!(elsewhere.get("/events").await.status, 403);
    let expired =
        Client::auditor(&stack.url, &organization.issue_for_auditor(&["--expires", "2020-01-01T00:00:00Z"]).1);
    assert_eq!(expired.get("/events").await.status, 401);
    answers(&stack.instance, &["auditor-token", "revoke", "--organization", &organization.id, &id]);
    assert_eq!(auditor.get("/events").await.status, 401);
    let again = organization.auditor();
    let denied = eventually("the refusals in the log", async || {
        let denied = events(&again, &[("type", "AccessDenied"), ("token", &id)]).await;
        Some(denied["entries"].clone()).filter(|entries| !entries.as_array().unwrap().is_empty())
    })
    .await;
    assert_eq!(denied[0]["payload"]["reason"], "revokedToken");
}

/// Reads events from a tail until there are `count`. Returns the id and the type of each.
async fn read_events(response: &mut reqwest::Response, count: usize) -> Vec<(u64, String)> {
    let mut text = String::new();
    while text.matches("\ndata: ").count() < count {
        let chunk = within("an event", response.chunk()).await.unwrap().expect("more of the tail");
        text += std::str::from_utf8(&chunk).unwrap();
    }
    let field =
        |event: &str, name: &str| event.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned)).unwrap();
    text.split("\n\n")
        .filter(|event| event.contains("data: "))
        .map(|event| (field(event, "id: ").parse().unwrap(), field(event, "event: ")))
        .collect()
}

#[tokio::test]
async fn a_tail_delivers_each_entry_once_and_resumes_after_the_last() {
    let stack = Stack::shared().await;
    let (organization, other) = (stack.organization(), stack.organization());
    let (client, auditor) = (organization.client(), organization.auditor());
    let mut tail = auditor.call(Method::GET, "/tail").header("accept-encoding", "gzip").open().await;
    assert_eq!(tail.headers()["content-type"], "text/event-stream");
    other.client().create(user_with("eve", &json!({}))).await.expect(201);
    let ada = client.create(user_with("ada", &json!({}))).await.id();
    let seen = read_events(&mut tail, 1).await;
    assert_eq!(seen[0].1, "UserCreated", "no entry of another organization");
    client.delete(&ada).await.expect(204);
    assert_eq!(read_events(&mut tail, 1).await, [(seen[0].0 + 1, "UserDeleted".to_owned())]);
    drop(tail);
    for n in 0..5 {
        client.create(user_with(&format!("late{n}"), &json!({}))).await.expect(201);
    }
    let mut again =
        auditor.call(Method::GET, "/tail").header("last-event-id", &(seen[0].0 + 1).to_string()).open().await;
    let ids: Vec<_> = read_events(&mut again, 5).await.into_iter().map(|event| event.0).collect();
    assert_eq!(ids, (seen[0].0 + 2..seen[0].0 + 7).collect::<Vec<_>>());
    let mut refusals = auditor.call(Method::GET, "/tail?outcome=rejected").open().await;
    client.create(user_with("late0", &json!({}))).await.expect_error(409, Some("uniqueness"));
    assert_eq!(read_events(&mut refusals, 1).await[0].1, "RequestRejected");
    let refused = auditor.call(Method::GET, "/tail").header("last-event-id", "x").send().await;
    refused.expect_error(400, Some("invalidValue"));
    let (id, secret) = organization.issue_for_auditor(&[]);
    let mut ended = Client::auditor(&stack.url, &secret).call(Method::GET, "/tail").open().await;
    answers(&stack.instance, &["auditor-token", "revoke", "--organization", &organization.id, &id]);
    while within("the end of the tail", ended.chunk()).await.unwrap().is_some() {}
}
