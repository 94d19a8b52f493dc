//! What identity providers asked for.

use rollcall_tests::client::user;
use rollcall_tests::{Stack, eventually, service};
use serde_json::json;

use crate::{Bare, accessible, signed_in};

#[tokio::test]
async fn an_administrator_sees_each_request_what_it_meant_and_how_it_was_answered() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let browser = signed_in(&stack, &organization).await;
    browser.goto(&format!("{}/requests", stack.url)).await;
    browser.sees("main", "No requests yet").await;
    let client = organization.client();
    let mary = client.create(user("Mary")).await.id();
    browser.sees("#calls", "Create Mary").await;
    client.find("userName eq \"percy\"").await;
    client.create(user("Mary")).await.expect(409);
    client.patch(&mary, json!([{"op": "replace", "path": "active", "value": false}])).await.expect(204);
    let strange = rollcall_tests::client::Client::new(&stack.url, &organization.issue(&[]).1, Some("evil.example"));
    strange.get(&format!("/Users/{mary}")).await.expect(403);
    for seen in ["Look-up", "userName eq \"percy\"", "uniqueness", "Deactivate", "403", "may not be used with this origin"] {
        browser.sees("#calls", seen).await;
    }
    accessible(&browser, "requests").await;
    browser.goto(&format!("{}/requests?outcome=failed", stack.url)).await;
    let shown = browser.text("#calls").await;
    assert!(shown.contains("409") && shown.contains("403") && !shown.contains("Look-up"), "{shown}");
    browser.goto(&format!("{}/requests?q=PERCY", stack.url)).await;
    let shown = browser.text("#calls").await;
    assert!(shown.contains("Look-up") && !shown.contains("Create"), "{shown}");
    browser.goto(&format!("{}/requests?meaning=deactivate", stack.url)).await;
    browser.press("#calls a").await;
    browser.sees("#rows", "User deactivated").await;
    browser.close().await;
}

#[tokio::test]
async fn requests_are_for_administrators_of_the_organization_and_end_with_whoever_is_erased() {
    let stack = Stack::shared().await;
    let (organization, other) = (stack.organization(), stack.organization());
    let client = organization.client();
    let mary = client.create(user("Mary-<b>")).await.id();
    client.find("userName eq \"MARY-<b>\"").await;
    client.find("userName eq \"percy\"").await;
    client.delete(&mary).await;
    let (admin, auditor) = (Bare::sign_in(&stack, &organization, "owner").await, Bare::sign_in(&stack, &organization, "auditor").await);
    let stranger = Bare::sign_in(&stack, &other, "owner").await;
    let seen = eventually("the requests", async || {
        let (_, page, _) = admin.get("/requests").await;
        ["Delete <strong>", "MARY-", "percy"].iter().all(|wanted| page.contains(wanted)).then_some(page)
    })
    .await;
    assert!(seen.contains("Mary-&#60;b&#62;") && !seen.contains("Mary-<b>"), "{seen}");
    assert_eq!(auditor.get("/requests").await.0, 403);
    assert_eq!(auditor.get("/requests/new").await.0, 403);
    let (status, page, _) = stranger.get("/requests").await;
    assert!(status == 200 && page.contains("No requests yet"));
    let (status, _, headers) = admin.get("/requests/new?after=00000000-0000-0000-0000-000000000000").await;
    assert!(status == 200 && !headers.contains_key("set-cookie"), "an open page does not keep a session alive");
    let (status, page, _) = admin.get("/requests?meaning=x").await;
    assert!(status == 200 && page.contains("there is no such meaning"));

    let output = service::command(&stack.instance, &["user", "erase", "--organization", &organization.id, &mary]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (_, page, _) = admin.get("/requests").await;
    assert!(!page.to_lowercase().contains("mary-") && !page.contains(&mary) && page.contains("percy"), "{page}");
}
