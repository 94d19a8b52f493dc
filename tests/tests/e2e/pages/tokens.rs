//! Tokens: generated, shown once, reset, changed, revoked.

use super::{Bare, accessible, fill, generate, is_ready, signed_in};
use rollcall_tests::client::user;
use rollcall_tests::service::verified;
use rollcall_tests::{Client, Stack, eventually};
use serde_json::json;

#[tokio::test]
async fn a_token_is_generated_and_shown_once_and_provisions() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let browser = signed_in(&stack, &organization).await;
    accessible(&browser, "scim-empty").await;
    assert!(!is_ready(&browser).await, "the form is empty");
    fill(&browser, "Okta production", "https://HR.example.com/").await;
    eventually("the button", async || is_ready(&browser).await.then_some(())).await;
    browser.type_in("#allow", "127.0.0.0/8, 10.0.0").await;
    browser.sees("#problem-allow", "“10.0.0” is not an address").await;
    assert!(!is_ready(&browser).await, "the list is wrong");
    accessible(&browser, "scim-wrong").await;
    browser.type_in("#allow", "127.0.0.0/8, 10.0.0.1").await;
    eventually("the button", async || is_ready(&browser).await.then_some(())).await;
    browser.press("details summary").await;
    for (address, answer) in [("203.0.113.7", "is refused"), ("10.0.0.1", "is allowed"), ("here", "is not an address")]
    {
        browser.type_in("#address", address).await;
        browser.press(".inline button").await;
        browser
            .sees(
                "#address-answer",
                &format!("{address}{}", if address == "here" { "” is not an address" } else { "" }),
            )
            .await;
        browser.sees("#address-answer", answer).await;
    }
    browser.press("#generate").await;
    let token = browser.text("#token").await;
    accessible(&browser, "token").await;
    assert_eq!(browser.text("#endpoint").await, format!("{}/scim/v2", stack.url));
    assert!(browser.text("#try").await.contains(&token), "the example call is complete");

    let client = Client::new(&stack.url, &token, Some("hr.example.com"));
    client.create(user("ada")).await.expect(201);
    Client::new(&stack.url, &token, None).get("/Users").await.expect_error(403, None);

    browser.driver.refresh().await.unwrap();
    // The browser asks before it sends the form again. If it does not ask, ignore the error.
    let _ = browser.driver.accept_alert().await;
    browser.sees("h1", "This token was generated already").await;
    assert!(!browser.source().await.contains(&token), "reloading does not show it again");
    browser.driver.back().await.unwrap();
    assert!(!browser.source().await.contains(&token), "going back does not show it either");
    browser.goto(&format!("{}/settings/scim", stack.url)).await;
    browser.sees("tbody", "Okta production").await;
    let row = browser.text("tbody tr").await;
    assert!(
        row.contains("Active")
            && row.contains("Marketing")
            && row.contains("hr.example.com")
            && row.contains("127.0.0.1"),
        "{row}"
    );
    assert!(row.contains("Ada Lovelace"), "the creator of the token: {row}");
    assert!(row.contains(&format!("{}…", &token[..8])), "the prefix of the token: {row}");
    assert!(!browser.source().await.contains(&token[..12]), "and no further characters");
    accessible(&browser, "scim").await;
    let log = organization.auditor().query("/events", &[("type", "TokenIssued")]).await.expect(200);
    assert_eq!(log["entries"][0]["actor"]["label"], "Ada Lovelace");
    browser.close().await;
}

#[tokio::test]
async fn a_token_can_be_reset_with_an_overlap_changed_and_revoked() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let browser = signed_in(&stack, &organization).await;
    let old = generate(&browser, "HR job").await;
    browser.press("a.button").await;
    browser.press("a[href$='/reset']").await;
    browser.sees("h1", "Reset the token “HR job”?").await;
    accessible(&browser, "reset").await;
    browser.press("button.primary").await;
    let new = browser.text("#token").await;
    browser.sees(".card", "The old token stays valid until").await;
    let with = |token: &str| Client::new(&stack.url, token, Some("hr.example.com"));
    with(&old).get("/Users").await.expect(200);
    with(&new).get("/Users").await.expect(200);

    browser.press("a.button").await;
    let old_row = "tr:has(.badge.soon)";
    browser.press(&format!("{old_row} a[href$='/revoke']")).await;
    browser.sees("h1", "Revoke the token").await;
    accessible(&browser, "revoke").await;
    browser.press("button.danger").await;
    browser.sees("tbody", "Revoked").await;
    eventually("the refusal of the old token", async || (with(&old).get("/Users").await.status == 401).then_some(()))
        .await;
    with(&new).get("/Users").await.expect(200);

    browser.press(".row-actions a").await;
    browser.sees("h1", "Edit a token").await;
    accessible(&browser, "edit").await;
    browser.type_in("#origin", "not a host").await;
    browser.press("button.primary").await;
    browser.sees("#problem-origin", "Enter a host name such as hr.example.com.").await;
    browser.type_in("#origin", "pay.example.com").await;
    browser.type_in("#rate", "2").await;
    browser.press("button.primary").await;
    browser.sees("tbody", "pay.example.com").await;
    eventually("the new origin to count", async || (with(&new).get("/Users").await.status == 403).then_some(())).await;
    Client::new(&stack.url, &new, Some("pay.example.com")).get("/Users").await.expect(200);
    browser.sees("tbody", "2 calls per second").await;
    let hasty = Client::new(&stack.url, &new, Some("pay.example.com"));
    eventually("the token's own rate to count", async || (hasty.get("/Users").await.status == 429).then_some(())).await;
    let log = organization
        .auditor()
        .query("/events", &[("type", "TokenIssued,TokenChanged,TokenRevoked"), ("order", "oldest")])
        .await;
    let log = log.expect(200);
    let types: Vec<_> =
        log["entries"].as_array().unwrap().iter().map(|entry| entry["header"]["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["TokenIssued", "TokenIssued", "TokenChanged", "TokenRevoked", "TokenChanged"]);
    let (is_valid, output) = verified(&stack.instance, &organization.id).await;
    assert!(is_valid, "tokens and sessions match the log: {output}");
    browser.close().await;
}

#[tokio::test]
async fn an_expiring_token_is_announced_once_and_a_read_counts_as_use() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let in_days = |days: i64| {
        jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(24 * days)).unwrap().to_string()
    };
    let (id, token) = organization.issue(&["--expires", &in_days(5)]);
    let (late, _) = organization.issue(&["--expires", &in_days(40)]);
    organization.issue_for_auditor(&["--expires", &in_days(29)]);
    let auditor = organization.auditor();
    let announced = async || {
        auditor.query("/events", &[("type", "TokenExpiring"), ("order", "oldest")]).await.expect(200)["entries"].take()
    };
    let entries = eventually("both announcements", async || {
        Some(announced().await).filter(|entries| entries.as_array().unwrap().len() > 1)
    })
    .await;
    let days_by_label: std::collections::BTreeMap<_, _> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["payload"]["label"].as_str().unwrap(), &entry["payload"]["days"]))
        .collect();
    assert_eq!(days_by_label, [("auditor", &json!(30)), ("test", &json!(7))].into());

    let admin = Bare::sign_in(&stack, &organization, "administrator").await;
    Client::new(&stack.url, &token, Some("hr.example.com")).get("/Users").await.expect(200);
    let page = eventually("the use of the token", async || {
        let (_, page, _) = admin.get("/settings/scim").await;
        page.contains("<small>127.0.0.1</small>").then_some(page)
    })
    .await;
    let notices: Vec<_> =
        page.split("class=\"notice\"").skip(1).map(|rest| rest.split("</p>").next().unwrap()).collect();
    let [notice] = notices.as_slice() else { panic!("{notices:?}") };
    assert!(notice.contains("The token test expires soon") && notice.contains(&format!("{id}/reset")), "{notice}");
    assert!(page.contains(&late), "the token exists, and there is no announcement of it");
    // The worker has checked again by now. It must not repeat its announcements.
    assert_eq!(announced().await.as_array().unwrap().len(), 2);
}
