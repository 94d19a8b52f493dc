//! A SCIM client that returns every answer as it is.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};
use std::time::Duration;

/// The core user schema.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The core group schema.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The schema of Rollcall's user extension.
pub const ROLLCALL: &str = "urn:ietf:params:scim:schemas:extension:rollcall:2.0:User";
/// The schema of a PATCH body.
pub const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A caller with a token and a service origin.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    /// The token that calls carry.
    pub token: String,
    /// Another token of the organization, with another default workspace. If it is set, all calls but POST
    /// carry it.
    pub second_token: Option<String>,
    /// The value of `X-Request-Origin`, if the header is sent.
    pub origin: Option<String>,
}

/// The answer to a call.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null if there was none.
    pub body: Value,
}

/// A call that is not sent yet.
#[must_use]
#[derive(Debug)]
pub struct Call {
    request: reqwest::RequestBuilder,
}

/// Connections that are dropped long before the api drops them (`keep_alive_seconds`). A call on a connection that
/// is just being closed has no answer.
fn http() -> reqwest::Client {
    reqwest::Client::builder().pool_idle_timeout(Duration::from_secs(3)).build().expect("an HTTP client")
}

impl Client {
    /// A caller of the SCIM endpoints of the api at `url`.
    pub fn new(url: &str, token: &str, origin: Option<&str>) -> Self {
        let base = format!("{url}/scim/v2");
        Self { http: http(), base, token: token.to_owned(), second_token: None, origin: origin.map(str::to_owned) }
    }

    /// A caller of the auditors' endpoints.
    pub fn auditor(url: &str, token: &str) -> Self {
        Self {
            http: http(),
            base: format!("{url}/audit/v1"),
            token: token.to_owned(),
            second_token: None,
            origin: None,
        }
    }

    /// The receiver of an event stream.
    pub fn receiver(url: &str, token: &str) -> Self {
        Self {
            http: http(),
            base: format!("{url}/streams/v1"),
            token: token.to_owned(),
            second_token: None,
            origin: None,
        }
    }

    /// The same caller, with the api at another URL.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self { base: format!("{url}/scim/v2"), ..self.clone() }
    }

    /// The same caller, with a second token for all calls but POST.
    #[must_use]
    pub fn with_second_token(self, token: &str) -> Self {
        Self { second_token: Some(token.to_owned()), ..self }
    }

    /// A call with token and service origin.
    pub fn call(&self, method: Method, path: &str) -> Call {
        let token = self.second_token.as_ref().filter(|_| method != Method::POST).unwrap_or(&self.token);
        let request =
            self.http.request(method, format!("{}{path}", self.base)).header(AUTHORIZATION, format!("Bearer {token}"));
        match &self.origin {
            Some(origin) => Call { request: request.header("X-Request-Origin", origin) },
            None => Call { request },
        }
    }

    /// A call without token and service origin.
    pub fn bare(&self, method: Method, path: &str) -> Call {
        Call { request: self.http.request(method, format!("{}{path}", self.base)) }
    }

    /// Sends a `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path).send().await
    }

    /// Sends `GET /Users` with a filter.
    pub async fn find(&self, filter: &str) -> Answer {
        self.query("/Users", &[("filter", filter)]).await
    }

    /// Sends a `GET` with a query string.
    pub async fn query(&self, path: &str, parameters: &[(&str, &str)]) -> Answer {
        let mut call = self.call(Method::GET, path);
        call.request = call.request.query(parameters);
        call.send().await
    }

    /// Sends any method with a JSON body.
    pub async fn send(&self, method: Method, path: &str, body: Value) -> Answer {
        self.call(method, path).json(&body).send().await
    }

    /// Sends `POST /Groups`.
    pub async fn create_group(&self, name: &str, members: &[&str]) -> Answer {
        let members: Vec<_> = members.iter().map(|id| json!({"value": id})).collect();
        self.send(Method::POST, "/Groups", json!({"schemas": [GROUP], "displayName": name, "members": members})).await
    }

    /// Sends `PATCH /Groups/{id}`.
    pub async fn patch_group(&self, id: &str, operations: Value) -> Answer {
        self.send(Method::PATCH, &format!("/Groups/{id}"), json!({"schemas": [PATCH], "Operations": operations})).await
    }

    /// Sends `POST /Users`.
    pub async fn create(&self, user: Value) -> Answer {
        self.call(Method::POST, "/Users").json(&user).send().await
    }

    /// Sends `PUT /Users/{id}`.
    pub async fn replace(&self, id: &str, user: Value) -> Answer {
        self.call(Method::PUT, &format!("/Users/{id}")).json(&user).send().await
    }

    /// Sends `PATCH /Users/{id}`.
    pub async fn patch(&self, id: &str, operations: Value) -> Answer {
        self.call(Method::PATCH, &format!("/Users/{id}"))
            .json(&json!({"schemas": [PATCH], "Operations": operations}))
            .send()
            .await
    }

    /// Sends `DELETE /Users/{id}`.
    pub async fn delete(&self, id: &str) -> Answer {
        self.call(Method::DELETE, &format!("/Users/{id}")).send().await
    }
}

/// The body of a user with this `userName`.
pub fn user(name: &str) -> Value {
    json!({"schemas": [USER], "userName": name})
}

/// The body of a user with this `userName` and more attributes.
pub fn user_with(name: &str, more: &Value) -> Value {
    let mut user = user(name);
    user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    user
}

impl Call {
    /// Adds a header.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self { request: self.request.header(name, value) }
    }

    /// Sets a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.body(body.to_string(), "application/scim+json")
    }

    /// Sets any body.
    pub fn body(self, body: impl Into<reqwest::Body>, content_type: &str) -> Self {
        Self { request: self.request.header(CONTENT_TYPE, content_type).body(body) }
    }

    /// Sends the call and returns the response, so that the test can read the body as it arrives.
    pub async fn open(self) -> reqwest::Response {
        self.request.send().await.expect("an answer")
    }

    /// Sends the call; the error if no answer arrives.
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let response = self.request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body =
            serde_json::from_str(&text).unwrap_or(if text.is_empty() { Value::Null } else { Value::String(text) });
        Ok(Answer { status, headers, body })
    }

    /// Sends the call.
    pub async fn send(self) -> Answer {
        self.try_send().await.expect("an answer")
    }
}

impl Answer {
    /// The body. Panics if the status is another one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// The id of the resource in the body.
    #[track_caller]
    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {} {}", self.status, self.body)).to_owned()
    }

    /// The value of a header, or an empty text if it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The detail of a SCIM error (RFC 7644 section 3.12). Panics if the answer is not one with this status
    /// and `scimType`.
    #[track_caller]
    pub fn expect_error(&self, status: u16, scim_type: Option<&str>) -> &str {
        assert_eq!((self.status, self.body["scimType"].as_str()), (status, scim_type), "{}", self.body);
        assert_eq!(self.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
        assert_eq!(self.body["status"], status.to_string());
        assert_eq!(self.header("content-type"), "application/scim+json");
        self.body["detail"].as_str().unwrap()
    }
}
