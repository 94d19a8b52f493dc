//! Signing in and out.

use super::browser::Browser;
use super::{FORM, accessible};
use rollcall_tests::Stack;
use serde_json::json;

#[tokio::test]
async fn an_administrator_signs_in_by_a_link_once_and_signs_out() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let link = organization.sign_in_link("owner");
    let browser = Browser::open("en").await;
    browser.goto(&link).await;
    browser.goto(&link).await;
    browser.sees("h1", "Sign in to Test").await;
    accessible(&browser, "sign-in").await;
    browser.press("#sign-in").await;
    browser.sees("h1", "SCIM provisioning").await;
    assert!(browser.text(".who").await.contains("Ada Lovelace"));
    let cookies = browser.cookies().await;
    let cookie = cookies.iter().find(|cookie| cookie["name"] == "rollcall").unwrap();
    assert_eq!(
        (&cookie["httpOnly"], &cookie["sameSite"], &cookie["session"]),
        (&json!(true), &json!("Lax"), &json!(true))
    );

    let other = Browser::open("en").await;
    other.goto(&link).await;
    other.sees("h1", "This link cannot be used").await;
    accessible(&other, "bad-link").await;
    other.goto(&format!("{}/settings/scim", stack.url)).await;
    other.sees("h1", "You are not signed in").await;

    // After the sign-out, a page that is still open in another tab cannot change anything.
    browser.press("form[action='/sign-out'] button").await;
    browser.sees("h1", "You are not signed in").await;
    browser.driver.back().await.unwrap();
    browser.sees("h1", "You are not signed in").await;
    let log = organization
        .auditor()
        .query("/events", &[("type", "SignInLinkIssued,SignedIn,SignedOut"), ("order", "oldest")])
        .await
        .expect(200);
    let types: Vec<_> =
        log["entries"].as_array().unwrap().iter().map(|entry| entry["header"]["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["SignInLinkIssued", "SignedIn", "SignedOut"]);
    browser.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_used_link_is_refused_and_the_attempt_is_logged() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let link = organization.sign_in_link("owner");
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let secret = link.split_once("link=").unwrap().1;
    let sign_in = async || {
        let request = http.post(format!("{}/sign-in", stack.url)).header("content-type", FORM);
        request.body(format!("link={secret}")).send().await.unwrap()
    };
    let both = tokio::join!(sign_in(), sign_in());
    let mut statuses = [both.0.status().as_u16(), both.1.status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 403], "of two concurrent uses, one succeeds");
    assert_eq!(sign_in().await.status(), 403);
    let log = organization.auditor().query("/events", &[("outcome", "rejected")]).await.expect(200);
    let refusals = log["entries"].as_array().unwrap();
    assert_eq!(refusals.len(), 2);
    assert_eq!(refusals[0]["payload"]["detail"], "the link was used before");
    let nobody = http
        .post(format!("{}/sign-in", stack.url))
        .header("content-type", FORM)
        .body("link=rc_no")
        .send()
        .await
        .unwrap();
    assert_eq!(nobody.status(), 403);
}
