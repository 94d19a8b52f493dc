//! The pages for the call log.

use reqwest::Method;
use rollcall_tests::client::{user, user_with};
use rollcall_tests::{Organization, Stack, eventually, service};
use serde_json::json;

use super::{Bare, accessible, hidden, signed_in};

#[tokio::test]
async fn an_administrator_sees_each_call_with_its_meaning_and_answer() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let browser = signed_in(&stack, &organization).await;
    browser.goto(&format!("{}/call-log", stack.url)).await;
    browser.sees("main", "There are no calls yet").await;
    let client = organization.client();
    let mary = client.create(user("Mary")).await.id();
    browser.sees("#calls", "Create Mary").await;
    client.find("userName eq \"percy\"").await;
    client.create(user("Mary")).await.expect(409);
    client.patch(&mary, json!([{"op": "replace", "path": "active", "value": false}])).await.expect(204);
    let strange = rollcall_tests::client::Client::new(&stack.url, &organization.issue(&[]).1, Some("evil.example"));
    strange.get(&format!("/Users/{mary}")).await.expect(403);
    for seen in
        ["Look-up", "userName eq \"percy\"", "uniqueness", "Deactivate", "403", "may not be used with this origin"]
    {
        browser.sees("#calls", seen).await;
    }
    accessible(&browser, "requests").await;
    browser.goto(&format!("{}/call-log?outcome=failed", stack.url)).await;
    let shown = browser.text("#calls").await;
    assert!(shown.contains("409") && shown.contains("403") && !shown.contains("Look-up"), "{shown}");
    browser.goto(&format!("{}/call-log?q=PERCY", stack.url)).await;
    let shown = browser.text("#calls").await;
    assert!(shown.contains("Look-up") && !shown.contains("Create"), "{shown}");
    browser.goto(&format!("{}/call-log?meaning=deactivate", stack.url)).await;
    browser.press("#calls a[href^='/audit']").await;
    browser.sees("#rows", "User deactivated").await;
    browser.close().await;
}

#[tokio::test]
async fn only_the_organizations_administrators_see_calls_and_erasure_removes_them() {
    let stack = Stack::shared().await;
    let (organization, other) = (stack.organization(), stack.organization());
    let client = organization.client();
    let mary = client.create(user("Mary-<b>")).await.id();
    client.find("userName eq \"MARY-<b>\"").await;
    client.find("userName eq \"percy\"").await;
    client.delete(&mary).await;
    let (admin, auditor) =
        (Bare::sign_in(&stack, &organization, "owner").await, Bare::sign_in(&stack, &organization, "auditor").await);
    let stranger = Bare::sign_in(&stack, &other, "owner").await;
    let seen = eventually("the requests", async || {
        let (_, page, _) = admin.get("/call-log").await;
        ["Delete <strong>", "MARY-", "percy"].iter().all(|wanted| page.contains(wanted)).then_some(page)
    })
    .await;
    assert!(seen.contains("Mary-&#60;b&#62;") && !seen.contains("Mary-<b>"), "{seen}");
    assert_eq!(auditor.get("/call-log").await.0, 403);
    assert_eq!(auditor.get("/call-log/new").await.0, 403);
    let (status, page, _) = stranger.get("/call-log").await;
    assert!(status == 200 && page.contains("There are no calls yet"));
    let (status, _, headers) = admin.get("/call-log/new?after=00000000-0000-0000-0000-000000000000").await;
    assert!(status == 200 && !headers.contains_key("set-cookie"), "an open page does not keep a session alive");
    let (status, page, _) = admin.get("/call-log?meaning=x").await;
    assert!(status == 200 && page.contains("there is no such meaning"));

    let output = service::command(&stack.instance, &["user", "erase", "--organization", &organization.id, &mary]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (_, page, _) = admin.get("/call-log").await;
    assert!(!page.to_lowercase().contains("mary-") && !page.contains(&mary) && page.contains("percy"), "{page}");
}

/// Waits for a call that the search finds by this text. Returns its id.
async fn call_with(admin: &Bare, text: &str) -> String {
    eventually("the call", async || {
        let (_, page, _) = admin.get(&format!("/call-log?q={text}")).await;
        let row = page.split("<tr><td><a href=\"/call-log/").nth(1)?;
        row.split('"').next().map(str::to_owned)
    })
    .await
}

#[tokio::test]
async fn bodies_of_calls_are_recorded_on_request_for_a_limited_time_without_secrets() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    client.create(user("before")).await.expect(201);
    let browser = signed_in(&stack, &organization).await;
    browser.goto(&format!("{}/call-log", stack.url)).await;
    browser.press("#recording button").await;
    browser.sees("#recording", "recording until").await;
    accessible(&browser, "recording").await;
    // The api learns of the setting within a second.
    let admin = Bare::sign_in(&stack, &organization, "owner").await;
    let mut tries = 0;
    let recorded = eventually("a body that is recorded", async || {
        tries += 1;
        let name = format!("mary{tries}");
        client.create(user_with(&name, &json!({"password": "hunter2", "title": "<b>Countess</b>"}))).await.expect(201);
        let (_, page, _) = admin.get(&format!("/call-log/{}", call_with(&admin, &name).await)).await;
        page.contains("body-request").then_some(name)
    })
    .await;
    let path = format!("/call-log/{}", call_with(&admin, &recorded).await);
    let (_, page, _) = admin.get(&path).await;
    assert!(!page.contains("hunter2") && page.contains("•••") && page.contains("&#60;b&#62;Countess"), "{page}");
    assert!(page.contains("body-response") && page.contains("&#34;meta&#34;"), "{page}");
    browser.goto(&format!("{}{path}", stack.url)).await;
    browser.sees("main", "Countess").await;
    accessible(&browser, "request").await;
    let (_, page, _) = admin.get(&format!("/call-log/{}", call_with(&admin, "before").await)).await;
    assert!(page.contains("were not recorded"), "what came before");
    let raw = client.call(Method::POST, "/Users").body("{\"password\": \"hunter2\"", "application/json").send().await;
    assert_eq!(raw.status, 400);
    let (_, page, _) = admin.get(&format!("/call-log/{}", call_with(&admin, "invalidSyntax").await)).await;
    assert!(page.contains("22 bytes that are not JSON") && !page.contains("hunter2"), "{page}");

    an_erasure_removes_bodies(&stack, &organization, &admin, &recorded).await;

    browser.goto(&format!("{}/call-log", stack.url)).await;
    browser.press("#recording button").await;
    browser.sees("#recording", "Duration").await;
    let log =
        organization.auditor().query("/events", &[("type", "RecordingChanged"), ("order", "oldest")]).await.expect(200);
    let entries = log["entries"].as_array().unwrap();
    assert!(
        entries.len() == 2 && entries[0]["payload"]["until"].is_string() && entries[1]["payload"]["until"].is_null(),
        "{log}"
    );
    browser.close().await;
}

/// The answer to a list contains the names of its users. An erasure removes the body, and the call stays.
async fn an_erasure_removes_bodies(stack: &Stack, organization: &Organization, admin: &Bare, recorded: &str) {
    let client = organization.client();
    let path = format!("/call-log/{}", call_with(admin, recorded).await);
    let found = client.find(&format!("userName eq \"{recorded}\"")).await.expect(200);
    let id = found["Resources"][0]["id"].as_str().unwrap().to_owned();
    client.query("/Users", &[("count", "7")]).await.expect(200);
    let list = format!("/call-log/{}", call_with(admin, "count=7").await);
    assert!(admin.get(&list).await.1.contains(recorded));
    client.delete(&id).await.expect(204);
    call_with(admin, &format!("{id}&meaning=delete")).await;
    // A shortened body is removed too, because it may break off inside a name.
    let (database, shortened) = (
        stack.database("postgres").await,
        "UPDATE rollcall.requests SET response_body = '[{\"emails\":…' WHERE id = $1::text::uuid",
    );
    let first = format!("/call-log/{}", call_with(admin, "before").await);
    assert_eq!(database.execute(shortened, &[&first.trim_start_matches("/call-log/")]).await.unwrap(), 1);
    assert!(admin.get(&first).await.1.contains("body-response"));
    let output = service::command(&stack.instance, &["user", "erase", "--organization", &organization.id, &id]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(admin.get(&first).await.1.contains("were not recorded"));
    let (status, page, _) = admin.get(&list).await;
    assert!(status == 200 && !page.contains(recorded) && page.contains("were not recorded"), "{page}");
    assert_eq!(admin.get(&path).await.0, 404);
}

#[tokio::test]
async fn only_the_organizations_administrators_see_bodies_of_calls() {
    let stack = Stack::shared().await;
    let (organization, other) = (stack.organization(), stack.organization());
    organization.client().create(user("mary")).await.expect(201);
    let (admin, auditor) =
        (Bare::sign_in(&stack, &organization, "owner").await, Bare::sign_in(&stack, &organization, "auditor").await);
    let path = format!("/call-log/{}", call_with(&admin, "mary").await);
    assert_eq!(Bare::sign_in(&stack, &other, "owner").await.get(&path).await.0, 404);
    assert_eq!(auditor.get(&path).await.0, 403);
    let csrf = hidden(&admin.get("/call-log").await.1, "csrf");
    let record = async |who: &Bare, csrf: &str, hours: &str| {
        who.post("/call-log/recording", format!("csrf={csrf}&hours={hours}"), &[]).await.0
    };
    assert_eq!(record(&auditor, &csrf, "1").await, 403);
    assert_eq!(record(&admin, "", "1").await, 403);
    assert_eq!(record(&admin, &csrf, "9999").await, 303);
    let is_recorded = async || admin.get("/call-log").await.1.contains("recording until");
    assert!(!is_recorded().await, "not longer than the page allows");
    assert_eq!(record(&admin, &csrf, "168").await, 303);
    assert!(is_recorded().await);
}

#[tokio::test]
async fn old_calls_are_deleted_and_their_bodies_earlier() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let database = stack.database("postgres").await;
    let insert = "
        INSERT INTO rollcall.requests (organization_id, id, at, micros, method, path, meaning, status, token_id, label,
            request_body)
        VALUES ($1::text::uuid, gen_random_uuid(), now() - make_interval(days => $2), 1, 'GET', '/Users', 'list', 200,
            gen_random_uuid(), 'HR', '{}')";
    for days in [6, 8, 31] {
        database.execute(insert, &[&organization.id, &days]).await.unwrap();
    }
    // A worker prunes when it starts.
    let _worker = service::Service::worker(&stack.instance);
    let left = "SELECT request_body FROM rollcall.requests WHERE organization_id = $1::text::uuid ORDER BY at";
    eventually("the removal of old calls", async || {
        let rows = database.query(left, &[&organization.id]).await.unwrap();
        let bodies: Vec<Option<&str>> = rows.iter().map(|row| row.get(0)).collect();
        (bodies == [None, Some("{}")]).then_some(())
    })
    .await;
}
