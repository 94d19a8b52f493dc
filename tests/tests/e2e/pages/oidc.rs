//! Sign-in with OpenID Connect, against a real provider that the tests start.

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use rollcall_tests::service::{Service, free_port, verified};
use rollcall_tests::{Stack, eventually};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::browser::Browser;
use super::{Bare, FORM, accessible, hidden};

/// A provider, and an api that uses it for sign-in.
struct Provided {
    provider: Child,
    _api: Service,
    url: String,
}

impl Provided {
    /// Starts both. `accounts` has the roles that the provider returns for each user name.
    async fn start(stack: &Stack, accounts: &Value) -> Self {
        let port = free_port();
        let issuer = format!("http://127.0.0.1:{port}/o");
        let (api, url) = api(stack, &issuer).await;
        let folder = stack.instance.dir().join(format!("provider-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("provider/provider.py");
        let python = std::env::var("ROLLCALL_PYTHON").expect("the OpenID provider is set up by ./dev test");
        let mut command = Command::new(python);
        command.arg(program).arg(&folder).args([
            &port.to_string(),
            &format!("{url}/sign-in/oidc/callback"),
            &accounts.to_string(),
        ]);
        let mut provider = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(provider.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready");
        Self { provider, _api: api, url }
    }
}

impl Drop for Provided {
    fn drop(&mut self) {
        let _ = self.provider.kill();
        let _ = self.provider.wait();
    }
}

async fn api(stack: &Stack, issuer: &str) -> (Service, String) {
    let settings = [
        ("ROLLCALL_API__OIDC__ISSUER", issuer),
        ("ROLLCALL_API__OIDC__CLIENT_ID", "rollcall"),
        ("ROLLCALL_API__OIDC__CLIENT_SECRET", "the secret of rollcall"),
        ("ROLLCALL_API__DENIED_SECONDS", "1"),
    ];
    Service::api(&stack.instance, &settings).await
}

/// Signs in as a person does: opens a page without a session and signs in at the provider.
async fn sign_in(url: &str, account: &str) -> Browser {
    let browser = Browser::open("en").await;
    browser.goto(&format!("{url}/settings/scim")).await;
    browser.sees("h1", "You are not signed in").await;
    browser.press("#sign-in-oidc").await;
    browser.type_in("#id_username", account).await;
    browser.type_in("#id_password", "correct horse").await;
    browser.press("#submit").await;
    browser
}

#[tokio::test]
async fn an_administrator_signs_in_through_the_provider_with_the_role_in_its_claims() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let accounts = json!({
        "grace": {organization.id.as_str(): "administrator"}, "late": [format!("{}:auditor", organization.id)],
        "eve": ["wiki:owner"]
    });
    let provided = Provided::start(&stack, &accounts).await;

    let browser = sign_in(&provided.url, "grace").await;
    browser.sees("h1", "SCIM provisioning").await;
    assert!(browser.text(".who").await.contains("Grace Hopper"));
    let cookies = browser.cookies().await;
    let cookie = cookies.iter().find(|cookie| cookie["name"] == "rollcall").unwrap();
    assert_eq!((&cookie["httpOnly"], &cookie["sameSite"]), (&json!(true), &json!("Lax")));
    assert!(!cookies.iter().any(|cookie| cookie["name"] == "rollcall-oidc"), "the cookie of the flow is removed");
    browser.press("form[action='/sign-out'] button").await;
    browser.sees("h1", "You are not signed in").await;
    accessible(&browser, "sign-in-oidc").await;
    browser.close().await;

    let browser = sign_in(&provided.url, "late").await;
    browser.sees("h1", "Audit log").await;
    browser.goto(&format!("{}/settings/scim", provided.url)).await;
    browser.sees("h1", "Your role does not allow this").await;
    browser.close().await;

    let browser = sign_in(&provided.url, "eve").await;
    browser.sees("h1", "Your account cannot be used here").await;
    accessible(&browser, "not-vouched").await;
    browser.close().await;

    let log = organization
        .auditor()
        .query("/events", &[("type", "SignedIn,SignedOut"), ("order", "oldest")])
        .await
        .expect(200);
    let entries: Vec<_> = log["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (&entry["header"]["type"], &entry["payload"]["session"]["role"]))
        .collect();
    assert_eq!(
        entries,
        [
            (&json!("SignedIn"), &json!("administrator")),
            (&json!("SignedOut"), &Value::Null),
            (&json!("SignedIn"), &json!("auditor"))
        ]
    );
    let (is_valid, output) = verified(&stack.instance, &organization.id).await;
    assert!(is_valid, "{output}");
    refused(&stack).await;
}

/// Waits until the system organization's log records the denial of an unknown administrator.
async fn refused(stack: &Stack) {
    let database = stack.database("rollcall_auditor").await;
    let sql =
        "SELECT 1 FROM events WHERE type = 'AccessDenied' AND payload::text LIKE '%unknownAdministrator%' LIMIT 1";
    eventually("the refusal in the log", async || database.query_opt(sql, &[]).await.unwrap()).await;
}

#[tokio::test]
async fn an_administrator_of_several_organizations_chooses_one() {
    let stack = Stack::shared().await;
    let (one, other) = (stack.organization(), stack.organization());
    let accounts = json!({
        "grace": [
            format!("{}:owner", one.id), format!("{}:auditor", other.id), "01890000-0000-7000-8000-0000000000ff:owner"
        ]
    });
    let provided = Provided::start(&stack, &accounts).await;
    let browser = sign_in(&provided.url, "grace").await;
    browser.sees("h1", "Choose an organization").await;
    accessible(&browser, "choose").await;
    let known = hidden(&browser.source().await, "known");
    browser.press(&format!("button[value='{}']", other.id)).await;
    browser.sees("h1", "Audit log").await;
    browser.sees(".who", "Auditor").await;
    browser.close().await;

    // The form on the page works only in the browser that it was made for, and only unchanged.
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let post = async |cookie: &str, body: String| {
        let request =
            http.post(format!("{}/sign-in/oidc", provided.url)).header(COOKIE, cookie).header("content-type", FORM);
        request.body(body).send().await.unwrap().status()
    };
    let body = format!("organization={}&known={known}", one.id);
    assert_eq!(post("", body.clone()).await, 403);
    assert_eq!(post("rollcall-oidc=x.y.z", body).await, 403, "of another flow");
}

#[tokio::test]
async fn a_sign_in_begun_in_another_browser_is_refused() {
    let stack = Stack::shared().await;
    let provided = Provided::start(&stack, &json!({})).await;
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let begun = http.get(format!("{}/sign-in/oidc", provided.url)).send().await.unwrap();
    assert_eq!(begun.status(), 303);
    let to = begun.headers()[LOCATION].to_str().unwrap().to_owned();
    assert!(to.contains("code_challenge_method=S256") && to.contains("nonce=") && to.contains("scope=openid"), "{to}");
    let cookie = begun.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let (cookie, state) =
        (cookie.split(';').next().unwrap(), to.split("state=").nth(1).unwrap().split('&').next().unwrap());
    let back = async |cookie: &str, query: String| {
        let request = http.get(format!("{}/sign-in/oidc/callback?{query}", provided.url)).header(COOKIE, cookie);
        let answer = request.send().await.unwrap();
        assert!(
            answer.headers().get(SET_COOKIE).is_none_or(|cookie| !cookie.to_str().unwrap().starts_with("rollcall="))
        );
        answer.status()
    };
    assert_eq!(back("", format!("state={state}&code=x")).await, 403, "without the cookie");
    assert_eq!(back(cookie, "state=other&code=x".to_owned()).await, 403, "of another flow");
    assert_eq!(back(cookie, format!("state={state}&code=x")).await, 403, "a code that the provider did not issue");
    assert_eq!(back(cookie, format!("state={state}&error=access_denied")).await, 403);
    assert_eq!(back(cookie, String::new()).await, 403);
}

#[tokio::test]
async fn an_unavailable_provider_is_reported_and_links_still_work() {
    let stack = Stack::shared().await;
    let (_api, url) = api(&stack, &format!("http://127.0.0.1:{}/o", free_port())).await;
    let away = reqwest::get(format!("{url}/sign-in/oidc")).await.unwrap();
    assert_eq!(away.status(), 503);
    let none = reqwest::get(format!("{}/sign-in/oidc", stack.url)).await.unwrap();
    assert_eq!(none.status(), 404, "this api has no provider");
    let admin = Bare::sign_in(&stack, &stack.organization(), "owner").await;
    assert_eq!(admin.get("/settings/scim").await.0, 200);
}
