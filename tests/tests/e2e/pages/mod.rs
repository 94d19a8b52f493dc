//! The pages for administrators, in a real browser.

mod audit;
mod browser;
mod look;
mod oidc;
mod operations;
mod people;
mod requests;
mod security;
mod sign_in;
mod tokens;

use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use rollcall_tests::{Organization, Stack, eventually};
use thirtyfour::prelude::By;

use browser::Browser;

/// Opens a browser, signs an administrator in, and opens the page of tokens.
async fn signed_in(stack: &Stack, organization: &Organization) -> Browser {
    let browser = Browser::open("en").await;
    browser.goto(&organization.sign_in_link("administrator")).await;
    browser.press("#sign-in").await;
    browser.sees("h1", "SCIM provisioning").await;
    assert!(browser.driver.current_url().await.unwrap().as_str().starts_with(&stack.url));
    browser
}

/// Fills the form for a new token.
async fn fill(browser: &Browser, label: &str, origin: &str) {
    browser.type_in("#label", label).await;
    browser
        .find("#workspace")
        .await
        .find(By::XPath("option[text()='Marketing']"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    browser.type_in("#origin", origin).await;
}

async fn is_ready(browser: &Browser) -> bool {
    browser.find("#generate").await.is_enabled().await.unwrap_or(false)
}

/// Generates a token. Returns it as the page shows it.
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

/// A signed-in administrator without a browser. The test chooses cookie and headers.
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
        let answer = http
            .post(format!("{}/sign-in", stack.url))
            .body(format!("link={secret}"))
            .header("content-type", FORM)
            .send()
            .await
            .unwrap();
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
        let request =
            self.http.post(format!("{}{path}", self.url)).header(COOKIE, &self.cookie).header("content-type", FORM);
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
