//! What administrators are promised of the pages, in a real browser.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test, what goes wrong is to be seen at once")]

mod browser;

use reqwest::header::{COOKIE, HeaderMap, LOCATION, ORIGIN, SET_COOKIE};
use rollcall_tests::client::{user, user_with};
use rollcall_tests::{Client, Organization, Stack, eventually};
use serde_json::json;
use thirtyfour::prelude::By;

use browser::Browser;

/// A browser in which somebody is signed in, on the page of tokens.
async fn signed_in(stack: &Stack, organization: &Organization) -> Browser {
    let browser = Browser::open("en").await;
    browser.goto(&organization.sign_in_link("administrator")).await;
    browser.press("#sign-in").await;
    browser.sees("h1", "SCIM provisioning").await;
    assert!(browser.driver.current_url().await.unwrap().as_str().starts_with(&stack.url));
    browser
}

/// Fills the form of a new token.
async fn fill(browser: &Browser, label: &str, origin: &str) {
    browser.type_in("#label", label).await;
    browser.find("#workspace").await.find(By::XPath("option[text()='Marketing']")).await.unwrap().click().await.unwrap();
    browser.type_in("#origin", origin).await;
}

async fn is_ready(browser: &Browser) -> bool {
    browser.find("#generate").await.is_enabled().await.unwrap_or(false)
}

/// Generates a token; what the page shows.
async fn generate(browser: &Browser, label: &str) -> String {
    fill(browser, label, "hr.example.com").await;
    eventually("the button", async || is_ready(browser).await.then_some(())).await;
    browser.press("#generate").await;
    browser.text("#token").await
}

async fn accessible(browser: &Browser, name: &str) {
    browser.picture(name).await;
    assert_eq!(browser.barriers().await, [] as [String; 0], "barriers on {name}");
}

#[tokio::test]
async fn an_administrator_signs_in_by_a_link_that_works_once_and_signs_out() {
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
    assert_eq!((&cookie["httpOnly"], &cookie["sameSite"], &cookie["session"]), (&json!(true), &json!("Lax"), &json!(true)));

    let other = Browser::open("en").await;
    other.goto(&link).await;
    other.sees("h1", "This link cannot be used").await;
    accessible(&other, "bad-link").await;
    other.goto(&format!("{}/settings/scim", stack.url)).await;
    other.sees("h1", "You are not signed in").await;

    // The page that is left behind in another tab can do nothing any more.
    browser.press("form[action='/sign-out'] button").await;
    browser.sees("h1", "You are not signed in").await;
    browser.driver.back().await.unwrap();
    browser.sees("h1", "You are not signed in").await;
    let log =
        organization.auditor().query("/events", &[("type", "SignInLinkIssued,SignedIn,SignedOut"), ("order", "oldest")]).await.expect(200);
    let types: Vec<_> = log["entries"].as_array().unwrap().iter().map(|entry| entry["header"]["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["SignInLinkIssued", "SignedIn", "SignedOut"]);
    browser.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_token_is_generated_shown_once_and_provisions() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let browser = signed_in(&stack, &organization).await;
    accessible(&browser, "scim-empty").await;
    assert!(!is_ready(&browser).await, "nothing is filled in");
    fill(&browser, "Okta production", "https://HR.example.com/").await;
    eventually("the button", async || is_ready(&browser).await.then_some(())).await;
    browser.type_in("#allow", "127.0.0.0/8, 10.0.0").await;
    browser.sees("#problem-allow", "“10.0.0” is not an address").await;
    assert!(!is_ready(&browser).await, "the list is wrong");
    accessible(&browser, "scim-wrong").await;
    browser.type_in("#allow", "127.0.0.0/8, 10.0.0.1").await;
    eventually("the button", async || is_ready(&browser).await.then_some(())).await;
    browser.press("details summary").await;
    for (address, answer) in [("203.0.113.7", "would be refused"), ("10.0.0.1", "would be let in"), ("here", "is not an address")] {
        browser.type_in("#address", address).await;
        browser.press(".inline button").await;
        browser.sees("#address-answer", &format!("{address}{}", if address == "here" { "” is not an address" } else { "" })).await;
        browser.sees("#address-answer", answer).await;
    }
    browser.press("#generate").await;
    let token = browser.text("#token").await;
    accessible(&browser, "token").await;
    assert_eq!(browser.text("#endpoint").await, format!("{}/scim/v2", stack.url));
    assert!(browser.text("#try").await.contains(&token), "the line to try is filled in");

    let client = Client::new(&stack.url, &token, Some("hr.example.com"));
    client.create(user("ada")).await.expect(201);
    Client::new(&stack.url, &token, None).get("/Users").await.expect_error(403, None);

    browser.driver.refresh().await.unwrap();
    // The browser asks whether to send the form again; there may be nobody to ask.
    let _ = browser.driver.accept_alert().await;
    browser.sees("h1", "This token was generated already").await;
    assert!(!browser.source().await.contains(&token), "reloading does not show it again");
    browser.driver.back().await.unwrap();
    assert!(!browser.source().await.contains(&token), "nor does going back");
    browser.goto(&format!("{}/settings/scim", stack.url)).await;
    browser.sees("tbody", "Okta production").await;
    let row = browser.text("tbody tr").await;
    assert!(row.contains("Active") && row.contains("Marketing") && row.contains("hr.example.com") && row.contains("127.0.0.1"), "{row}");
    assert!(row.contains("Ada Lovelace"), "who made it: {row}");
    assert!(!browser.source().await.contains(&token), "the list holds nothing of it");
    accessible(&browser, "scim").await;
    let log = organization.auditor().query("/events", &[("type", "TokenIssued")]).await.expect(200);
    assert_eq!(log["entries"][0]["header"]["actor"]["label"], "Ada Lovelace");
    browser.close().await;
}

#[tokio::test]
async fn a_token_is_reset_with_an_overlap_changed_and_revoked() {
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
    browser.sees(".card", "The old token works as well until").await;
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
    eventually("the refusal of the old token", async || (with(&old).get("/Users").await.status == 401).then_some(())).await;
    with(&new).get("/Users").await.expect(200);

    browser.press(".row-actions a").await;
    browser.sees("h1", "Edit a token").await;
    accessible(&browser, "edit").await;
    browser.type_in("#origin", "not a host").await;
    browser.press("button.primary").await;
    browser.sees("#problem-origin", "A host name such as hr.example.com is needed.").await;
    browser.type_in("#origin", "pay.example.com").await;
    browser.press("button.primary").await;
    browser.sees("tbody", "pay.example.com").await;
    eventually("the new origin to count", async || (with(&new).get("/Users").await.status == 403).then_some(())).await;
    Client::new(&stack.url, &new, Some("pay.example.com")).get("/Users").await.expect(200);
    let log = organization.auditor().query("/events", &[("type", "TokenIssued,TokenChanged,TokenRevoked"), ("order", "oldest")]).await;
    let log = log.expect(200);
    let types: Vec<_> = log["entries"].as_array().unwrap().iter().map(|entry| entry["header"]["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["TokenIssued", "TokenIssued", "TokenChanged", "TokenRevoked", "TokenChanged"]);
    browser.close().await;
}

#[tokio::test]
async fn the_pages_speak_the_language_that_is_liked_or_chosen() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let browser = Browser::open("es-MX,es").await;
    browser.goto(&organization.sign_in_link("administrator")).await;
    browser.sees("h1", "Iniciar sesión en Test").await;
    browser.press("#sign-in").await;
    browser.sees("h1", "Aprovisionamiento SCIM").await;
    browser.type_in("#origin", "?").await;
    browser.sees("#problem-origin", "Hace falta un nombre de host").await;
    accessible(&browser, "scim-es").await;
    browser.press("button[lang=en]").await;
    browser.sees("h1", "SCIM provisioning").await;
    browser.goto(&format!("{}/settings/scim/guides/okta", stack.url)).await;
    browser.sees("h1", "Set up Okta").await;
    accessible(&browser, "okta").await;
    browser.goto(&format!("{}/settings/scim/guides/entra", stack.url)).await;
    accessible(&browser, "entra").await;
    browser.close().await;
}

#[tokio::test]
async fn what_people_type_is_text_everywhere_and_a_page_is_light() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let browser = signed_in(&stack, &organization).await;
    let attack = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">'\"&";
    generate(&browser, attack).await;
    browser.sees("h1", attack).await;
    browser.press("a.button").await;
    browser.sees("tbody", attack).await;
    browser.press(".row-actions a").await;
    assert_eq!(browser.find("#label").await.value().await.unwrap().unwrap(), attack);
    assert!(!browser.driver.title().await.unwrap().contains("owned"));
    browser.goto(&format!("{}/settings/scim", stack.url)).await;
    browser.find("#generate").await;
    let (bytes, from) = browser.transfers().await;
    assert!(bytes < 100 * 1024, "{bytes} bytes");
    assert!(from.iter().all(|name| name.starts_with(&stack.url) || !name.contains("://")), "{from:?}");
    browser.close().await;
}

#[tokio::test]
async fn an_auditor_watches_the_log_filters_it_and_reads_what_changed() {
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
    assert!(places.is_sorted_by(|one, other| one == &(other + 1)), "each entry once, the newest on top: {places:?}");
    accessible(&browser, "audit").await;

    browser.press("#outcome option[value=rejected]").await;
    browser.press(".filters button").await;
    browser.sees("#rows tr", "Request refused").await;
    assert_eq!(browser.driver.find_all(By::Css("#rows tr")).await.unwrap().len(), 1);
    assert!(browser.driver.current_url().await.unwrap().query().unwrap().contains("outcome=rejected"), "the view can be shared");
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
    assert!(status == 200 && csv.lines().count() > 5 && headers["content-disposition"].to_str().unwrap().contains(&organization.id));
    let stranger = Bare::sign_in(&stack, &stack.organization(), "auditor").await;
    assert!(!stranger.get("/audit/export?format=ndjson").await.1.contains("Countess"));
    assert!(!stranger.get("/audit").await.1.contains("Countess"));
}

#[tokio::test]
async fn an_administrator_has_a_deleted_person_forgotten_and_an_auditor_cannot() {
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
async fn an_administrator_finds_users_and_sees_where_they_belong_and_why() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let ada = client.create(user_with("ada<i>", &json!({"displayName": "Countess", "emails": [{"value": "ada@example.com"}]}))).await.id();
    client.create(user("bob")).await.expect(201);
    let group = client.create_group("Authors & co", &[&ada]).await.id();
    organization.map_group(&group, &[&format!("{}=publish", organization.sales)]);
    let browser = signed_in(&stack, &organization).await;
    browser.goto(&format!("{}/users", stack.url)).await;
    browser.sees("#found", "Users: 2").await;
    accessible(&browser, "users").await;
    for asked in ["COUNT", "ada@EXAMPLE", "userName sw \"ada\" and active eq true"] {
        browser.type_in("#q", asked).await;
        browser.press(".inline button").await;
        browser.sees("#found", "Users: 1").await;
    }
    browser.type_in("#q", "nothing eq 1").await;
    browser.press(".inline button").await;
    browser.sees(".problem", "nothing").await;
    browser.goto(&format!("{}/users?q=count", stack.url)).await;
    browser.press("#users a").await;
    browser.sees("h1", "ada<i>").await;
    let belongings = browser.text("#belongings").await;
    assert!(
        belongings.contains("Marketing by the account itself") && belongings.contains("Sales by the group Authors & co publish"),
        "{belongings}"
    );
    browser.sees("#rows", "User created").await;
    accessible(&browser, "user").await;
    browser.close().await;
    let stranger = Bare::sign_in(&stack, &stack.organization(), "owner").await;
    assert_eq!(stranger.get(&format!("/users/{ada}")).await.0, 404);
    assert!(!stranger.get("/users").await.1.contains("Countess"));
    assert_eq!(Bare::sign_in(&stack, &organization, "auditor").await.get("/users").await.0, 403);
}

#[tokio::test]
async fn a_group_is_mapped_to_a_workspace_and_its_members_are_in_it() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let ada = client.create(user("ada")).await.id();
    client.create_group("Authors", &[&ada]).await.expect(201);
    let browser = signed_in(&stack, &organization).await;
    browser.goto(&format!("{}/workspaces", stack.url)).await;
    browser.sees("#workspaces", "Marketing").await;
    accessible(&browser, "workspaces").await;
    browser.press("#groups a").await;
    browser.sees("h1", "Workspaces of the group Authors").await;
    let sales = format!("[value='{}']", organization.sales);
    browser.press(&format!("input{sales}")).await;
    browser.type_in(&format!("input[name='permissions-{}']", organization.sales), "publish, edit").await;
    accessible(&browser, "group").await;
    browser.press("main button.primary").await;
    browser.sees("#groups", "Sales").await;
    browser.goto(&format!("{}/workspaces/{}", stack.url, organization.sales)).await;
    browser.sees("#members", "ada by the group Authors").await;
    accessible(&browser, "workspace").await;
    let log = organization.auditor().query("/events", &[("type", "GroupMapped")]).await.expect(200);
    assert_eq!(log["entries"][0]["payload"]["workspaces"], json!({&organization.sales: ["edit", "publish"]}));
    assert_eq!(log["entries"][0]["header"]["actor"]["label"], "Ada Lovelace");
    browser.goto(&format!("{}/workspaces", stack.url)).await;
    browser.press("#groups a").await;
    browser.press(&format!("input{sales}")).await;
    browser.press("main button.primary").await;
    eventually("the end of the mapping", async || (!browser.text("#groups").await.contains("Sales")).then_some(())).await;
    browser.close().await;
    let stranger = Bare::sign_in(&stack, &stack.organization(), "owner").await;
    assert_eq!(stranger.get(&format!("/workspaces/{}", organization.sales)).await.0, 404);
}

/// Somebody who is signed in, without a browser: cookie and headers as one likes.
struct Bare {
    http: reqwest::Client,
    url: String,
    cookie: String,
}

impl Bare {
    async fn sign_in(stack: &Stack, organization: &Organization, role: &str) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let link = organization.sign_in_link(role);
        let secret = link.split_once("link=").unwrap().1;
        let answer =
            http.post(format!("{}/sign-in", stack.url)).body(format!("link={secret}")).header("content-type", FORM).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        assert_eq!(answer.headers()[LOCATION], format!("{}/", stack.url));
        let cookie = answer.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        Self { http, url: stack.url.clone(), cookie }
    }

    async fn get(&self, path: &str) -> (u16, String, HeaderMap) {
        let answer = self.http.get(format!("{}{path}", self.url)).header(COOKIE, &self.cookie).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        (status, answer.text().await.unwrap(), headers)
    }

    async fn post(&self, path: &str, body: String, headers: &[(&'static str, &str)]) -> (u16, String) {
        let request = self.http.post(format!("{}{path}", self.url)).header(COOKIE, &self.cookie).header("content-type", FORM);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn hidden(page: &str, name: &str) -> String {
    let field = page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap();
    field.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_form_that_is_not_ours_changes_nothing() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let admin = Bare::sign_in(&stack, &organization, "administrator").await;
    let (status, page, headers) = admin.get("/settings/scim").await;
    assert_eq!(status, 200);
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(headers["cache-control"], "no-store");
    let (csrf, id) = (hidden(&page, "csrf"), hidden(&page, "id"));
    let body =
        |csrf: &str| format!("csrf={csrf}&id={id}&label=x&workspace={}&origin=hr.example.com&dialect=standard", organization.marketing);
    assert_eq!(admin.post("/settings/scim/tokens", body(""), &[]).await.0, 403, "without what the page holds");
    assert_eq!(admin.post("/settings/scim/tokens", body(&"0".repeat(64)), &[]).await.0, 403);
    assert_eq!(
        admin.post("/settings/scim/tokens", body(&csrf), &[(ORIGIN.as_str(), "https://evil.example")]).await.0,
        403,
        "from elsewhere"
    );
    assert_eq!(admin.post("/settings/scim/tokens", body(&csrf), &[("sec-fetch-site", "cross-site")]).await.0, 403);
    let other = Bare::sign_in(&stack, &organization, "administrator").await;
    assert_eq!(other.post("/settings/scim/tokens", body(&csrf), &[]).await.0, 403, "of somebody else");
    let issued = organization.auditor().query("/events", &[("type", "TokenIssued")]).await.expect(200);
    assert_eq!(issued["entries"], json!([]));
    let (status, page) = admin.post("/settings/scim/tokens", body(&csrf), &[(ORIGIN.as_str(), &stack.url)]).await;
    assert_eq!(status, 200, "{page}");
    assert_eq!(admin.post("/settings/scim/tokens", body(&csrf), &[]).await.0, 409, "sent twice, it is one token");
    let (status, _) = admin.post("/language", "language=es&path=//evil.example/".to_owned(), &[]).await;
    assert_eq!(status, 303);
}

#[tokio::test]
async fn nobody_does_or_sees_what_is_not_theirs() {
    let stack = Stack::shared().await;
    let (organization, other) = (stack.organization(), stack.organization());
    let (token, _) = organization.issue(&[]);
    let auditor = Bare::sign_in(&stack, &organization, "auditor").await;
    assert_eq!(auditor.get("/").await.2[LOCATION], format!("{}/audit", stack.url));
    assert_eq!(auditor.get("/audit").await.0, 200);
    for path in ["/settings/scim", &format!("/settings/scim/tokens/{token}"), "/settings/scim/guides/okta"] {
        assert_eq!(auditor.get(path).await.0, 403, "an auditor at {path}");
    }
    let stranger = Bare::sign_in(&stack, &other, "owner").await;
    assert!(!stranger.get("/settings/scim").await.1.contains(&token));
    for path in ["", "/revoke", "/reset"] {
        assert_eq!(stranger.get(&format!("/settings/scim/tokens/{token}{path}")).await.0, 404, "another organization's {path}");
    }
    let csrf = hidden(&stranger.get("/settings/scim").await.1, "csrf");
    assert_eq!(stranger.post(&format!("/settings/scim/tokens/{token}/revoke"), format!("csrf={csrf}"), &[]).await.0, 404);
    assert_eq!(organization.client().get("/Users").await.status, 200);

    // A session is what the service gave, and not what somebody makes of it.
    let (name, value) = stranger.cookie.split_once('=').unwrap();
    let parts: Vec<_> = value.split('.').collect();
    for forged in [format!("{}.{}.{}", parts[0], parts[1].parse::<u64>().unwrap() + 1, parts[2]), parts[0].to_owned(), String::new()] {
        let forged = Bare { cookie: format!("{name}={forged}"), http: stranger.http.clone(), url: stranger.url.clone() };
        assert_eq!(forged.get("/settings/scim").await.0, 401);
    }
    stranger.post("/sign-out", format!("csrf={csrf}"), &[]).await;
    assert_eq!(stranger.get("/settings/scim").await.0, 401, "a session that ended stays ended");
}
