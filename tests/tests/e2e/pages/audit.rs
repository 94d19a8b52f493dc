//! The log on the pages: watching it, checking proofs, and erasing a person.

use super::browser::Browser;
use super::{Bare, accessible, signed_in};
use reqwest::header::COOKIE;
use rollcall_tests::client::user;
use rollcall_tests::{Stack, eventually};
use serde_json::json;
use thirtyfour::prelude::By;

#[tokio::test]
async fn an_auditor_follows_and_filters_the_log_and_reads_the_changes() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let ada = client.create(user("ada<b>")).await.id();
    let browser = Browser::open("en").await;
    browser.goto(&organization.sign_in_link("auditor")).await;
    browser.press("#sign-in").await;
    browser.sees("h1", "Audit log").await;
    browser.sees("#rows tr:first-child", "Signed in").await;
    browser.sees("#rows", "ada<b>").await;
    client.patch(&ada, json!([{"op": "replace", "path": "title", "value": "Countess"}])).await.expect(204);
    browser.sees("#rows tr:first-child", "User changed").await;
    client.create(user("ADA<b>")).await.expect_error(409, Some("uniqueness"));
    browser.sees("#rows tr:first-child", "userName is taken by another user").await;
    let rows = browser.driver.find_all(By::Css("#rows tr")).await.unwrap();
    let mut places = Vec::new();
    for row in &rows {
        places.push(row.attr("data-seq").await.unwrap().unwrap().parse::<u64>().unwrap());
    }
    assert!(places.is_sorted_by(|one, other| one == &(other + 1)), "each entry once, the newest first: {places:?}");
    accessible(&browser, "audit").await;

    browser.press("#outcome option[value=rejected]").await;
    browser.press(".filters button").await;
    browser.sees("#rows tr", "Request rejected").await;
    assert_eq!(browser.driver.find_all(By::Css("#rows tr")).await.unwrap().len(), 1);
    assert!(
        browser.driver.current_url().await.unwrap().query().unwrap().contains("outcome=rejected"),
        "the view can be shared"
    );
    client.patch(&ada, json!([{"op": "replace", "path": "title", "value": "Lady"}])).await.expect(204);
    client.create(user("ADA<b>")).await.expect_error(409, Some("uniqueness"));
    eventually("the second refusal", async || {
        let rows = browser.driver.find_all(By::Css("#rows tr")).await.ok()?;
        (rows.len() == 2).then_some(())
    })
    .await;

    browser.goto(&format!("{}/audit?userName=ada%3Cb%3E&type=UserUpdated", stack.url)).await;
    browser.press("#rows a").await;
    browser.sees("h1", "User changed: ada<b>").await;
    assert_eq!((browser.text("td.was").await, browser.text("td.is").await), ("Countess".to_owned(), "Lady".to_owned()));
    accessible(&browser, "entry").await;
    browser.goto(&format!("{}/audit?since=yesterday", stack.url)).await;
    browser.sees(".problem", "since: yesterday is not a time").await;
    browser.close().await;

    let auditor = Bare::sign_in(&stack, &organization, "auditor").await;
    let (status, csv, headers) = auditor.get("/audit/export?format=csv").await;
    assert!(
        status == 200
            && csv.lines().count() > 5
            && headers["content-disposition"].to_str().unwrap().contains(&organization.id)
    );
    let stranger = Bare::sign_in(&stack, &stack.organization(), "auditor").await;
    assert!(!stranger.get("/audit/export?format=ndjson").await.1.contains("Countess"));
    assert!(!stranger.get("/audit").await.1.contains("Countess"));
}

#[tokio::test]
async fn an_administrator_can_erase_a_deleted_person_and_an_auditor_cannot() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let mary = client.create(user("Wollstonecraft")).await.id();
    let path = format!("/audit/users/{mary}/erase");
    let auditor = Bare::sign_in(&stack, &organization, "auditor").await;
    assert_eq!(auditor.get(&path).await.0, 403);
    let browser = signed_in(&stack, &organization).await;
    browser.goto(&format!("{}{path}", stack.url)).await;
    browser.press("button.danger").await;
    browser.sees(".detail", "the user is not deleted").await;
    client.delete(&mary).await.expect(204);
    browser.goto(&format!("{}/audit?type=UserDeleted", stack.url)).await;
    browser.press("#rows a").await;
    browser.press("main a.danger").await;
    browser.sees("h1", "Erase this person?").await;
    accessible(&browser, "erase").await;
    browser.press("button.danger").await;
    browser.sees("#rows tr:first-child", "User erased").await;
    assert!(!browser.source().await.contains("Wollstonecraft"));
    let export = organization.auditor().get("/export").await.expect(200);
    assert!(!export.as_str().unwrap().contains("Wollstonecraft"));
    browser.close().await;
}

#[tokio::test]
async fn an_erased_actor_is_shown_as_erased_in_both_languages() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let [erased, kept] = ["administrator", "owner"].map(|role| Bare::sign_in(&stack, &organization, role));
    let (erased, kept) = (erased.await, kept.await);
    let shown = async |path: &str, language: &str| {
        let request = kept.http.get(format!("{}{path}", stack.url)).header(COOKIE, &kept.cookie);
        request.header("accept-language", language).send().await.unwrap().text().await.unwrap()
    };
    let page = shown("/audit?type=SignedIn", "en").await;
    assert!(!page.contains("<td>erased</td>") && page.matches("Ada Lovelace").count() >= 2, "{page}");
    let sessions = organization.command(&["admin", "list"]).unwrap();
    let administrator = sessions.iter().find(|session| session["role"] == "administrator").unwrap();
    organization.command(&["admin", "erase", administrator["id"].as_str().unwrap()]).unwrap();
    assert_eq!(erased.get("/audit").await.0, 401, "the erased session has ended");
    for (language, word) in [("en", "erased"), ("es", "borrado")] {
        let page = shown("/audit?type=SignedIn", language).await;
        assert_eq!(page.matches(&format!("<td>{word}</td>")).count(), 1, "{language}: {page}");
    }
}

#[tokio::test]
async fn an_auditor_verifies_an_entry_in_the_browser_and_reads_the_users_at_a_date() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let ada = client.create(user("ada")).await.id();
    client.create_group("Poets", &[ada.as_str()]).await;
    client.patch(&ada, json!([{"op": "replace", "path": "title", "value": "Countess"}])).await.expect(204);
    client.create(user("ADA")).await.expect_error(409, Some("uniqueness"));
    client.delete(&ada).await.expect(204);
    let auditor = organization.auditor();
    eventually("a checkpoint of the whole log", async || {
        (auditor.get("/events/6/proof").await.status == 200).then_some(())
    })
    .await;
    let browser = Browser::open("en").await;
    browser.goto(&organization.sign_in_link("auditor")).await;
    browser.press("#sign-in").await;
    browser.sees(".chart", "Rejections 1").await;
    browser.sees(".chart", "Groups 1").await;
    browser.goto(&format!("{}/audit?subject={ada}&type=UserUpdated", stack.url)).await;
    browser.press("#rows a").await;
    browser.press("#check-proof").await;
    for step in [
        "The content matches",
        "details of the actor match",
        "hash of the entry is this leaf",
        "leads to the root in the signed checkpoint below",
    ] {
        browser.sees("#proof-steps", step).await;
    }
    let steps = browser.text("#proof-steps").await;
    assert!(!steps.contains('✗') && steps.matches('✓').count() == 4, "{steps}");
    accessible(&browser, "proof").await;
    // The browser checks the proof. If the page showed another leaf or another commitment, it would say so.
    for (attribute, message) in [("leaf", "✗ The hash of the entry"), ("commitment", "✗ The content matches")] {
        let change = format!("document.getElementById('proof-steps').dataset.{attribute} = '{}'", "0".repeat(64));
        browser.driver.execute(change, Vec::new()).await.unwrap();
        browser.press("#check-proof").await;
        browser.sees("#proof-steps", message).await;
    }

    browser.goto(&format!("{}/audit?subject={ada}&type=UserCreated", stack.url)).await;
    browser.press("#rows a").await;
    browser.press("dd a[href*='?at=']").await;
    browser.sees("h1", "ada").await;
    assert!(!browser.text("main").await.contains("Countess"), "that came later");
    browser.goto(&format!("{}/audit/users/{ada}", stack.url)).await;
    browser.sees("h1", "There was no such user at that time").await;
    browser.goto(&format!("{}/audit/users", stack.url)).await;
    browser.sees("main", "There were no users at that time").await;
    let updated = auditor.query("/events", &[("type", "UserUpdated")]).await.expect(200);
    let at = updated["entries"][0]["header"]["recorded_at"].as_str().unwrap();
    browser.goto(&format!("{}/audit/users?at={at}", stack.url)).await;
    accessible(&browser, "past").await;
    browser.press("#users a").await;
    browser.sees(".facts", "Countess").await;
    accessible(&browser, "past-user").await;
    browser.close().await;
}
