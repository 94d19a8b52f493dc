//! A SCIM client that shows everything it is answered.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};

/// The core user schema.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The core group schema.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// Rollcall's extension.
pub const ROLLCALL: &str = "urn:ietf:params:scim:schemas:extension:rollcall:2.0:User";
/// The schema of a PATCH.
pub const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A caller with a token and an origin.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    /// The token.
    pub token: String,
    /// Another token of the organization, with another default workspace, which everything but a POST comes with.
    pub second_token: Option<String>,
    /// What goes into `X-Request-Origin`, if anything.
    pub origin: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null where there was none.
    pub body: Value,
}

/// One call before it is made.
#[must_use]
#[derive(Debug)]
pub struct Call {
    request: reqwest::RequestBuilder,
}

impl Client {
    /// A caller of the api at that address.
    pub fn new(url: &str, token: &str, origin: Option<&str>) -> Self {
        let base = format!("{url}/scim/v2");
        Self { http: reqwest::Client::new(), base, token: token.to_owned(), second_token: None, origin: origin.map(str::to_owned) }
    }

    /// A caller of the auditors' endpoints.
    pub fn auditor(url: &str, token: &str) -> Self {
        Self { http: reqwest::Client::new(), base: format!("{url}/audit/v1"), token: token.to_owned(), second_token: None, origin: None }
    }

    /// The receiver of an event stream.
    pub fn receiver(url: &str, token: &str) -> Self {
        Self { http: reqwest::Client::new(), base: format!("{url}/streams/v1"), token: token.to_owned(), second_token: None, origin: None }
    }

    /// The same caller at another address.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self { base: format!("{url}/scim/v2"), ..self.clone() }
    }

    /// The same caller, who has another token for everything but a POST.
    #[must_use]
    pub fn with_second_token(self, token: &str) -> Self {
        Self { second_token: Some(token.to_owned()), ..self }
    }

    /// A call with token and origin.
    pub fn call(&self, method: Method, path: &str) -> Call {
        let token = self.second_token.as_ref().filter(|_| method != Method::POST).unwrap_or(&self.token);
        let request = self.http.request(method, format!("{}{path}", self.base)).header(AUTHORIZATION, format!("Bearer {token}"));
        match &self.origin {
            Some(origin) => Call { request: request.header("X-Request-Origin", origin) },
            None => Call { request },
        }
    }

    /// A call with nothing but what is given.
    pub fn bare(&self, method: Method, path: &str) -> Call {
        Call { request: self.http.request(method, format!("{}{path}", self.base)) }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path).send().await
    }

    /// `GET /Users` with a filter.
    pub async fn find(&self, filter: &str) -> Answer {
        self.query("/Users", &[("filter", filter)]).await
    }

    /// `GET` with a query string.
    pub async fn query(&self, path: &str, parameters: &[(&str, &str)]) -> Answer {
        let mut call = self.call(Method::GET, path);
        call.request = call.request.query(parameters);
        call.send().await
    }

    /// Any method with a body.
    pub async fn send(&self, method: Method, path: &str, body: Value) -> Answer {
        self.call(method, path).json(&body).send().await
    }

    /// `POST /Groups`.
    pub async fn create_group(&self, name: &str, members: &[&str]) -> Answer {
        let members: Vec<_> = members.iter().map(|id| json!({"value": id})).collect();
        self.send(Method::POST, "/Groups", json!({"schemas": [GROUP], "displayName": name, "members": members})).await
    }

    /// `PATCH /Groups/{id}`.
    pub async fn patch_group(&self, id: &str, operations: Value) -> Answer {
        self.send(Method::PATCH, &format!("/Groups/{id}"), json!({"schemas": [PATCH], "Operations": operations})).await
    }

    /// `POST /Users`.
    pub async fn create(&self, user: Value) -> Answer {
        self.call(Method::POST, "/Users").json(&user).send().await
    }

    /// `PUT /Users/{id}`.
    pub async fn replace(&self, id: &str, user: Value) -> Answer {
        self.call(Method::PUT, &format!("/Users/{id}")).json(&user).send().await
    }

    /// `PATCH /Users/{id}`.
    pub async fn patch(&self, id: &str, operations: Value) -> Answer {
        self.call(Method::PATCH, &format!("/Users/{id}")).json(&json!({"schemas": [PATCH], "Operations": operations})).send().await
    }

    /// `DELETE /Users/{id}`.
    pub async fn delete(&self, id: &str) -> Answer {
        self.call(Method::DELETE, &format!("/Users/{id}")).send().await
    }
}

/// A user with that name.
pub fn user(name: &str) -> Value {
    json!({"schemas": [USER], "userName": name})
}

/// A user with that name and more.
pub fn user_with(name: &str, more: &Value) -> Value {
    let mut user = user(name);
    user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    user
}

impl Call {
    /// With a header.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self { request: self.request.header(name, value) }
    }

    /// With a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.body(body.to_string(), "application/scim+json")
    }

    /// With any body.
    pub fn body(self, body: impl Into<reqwest::Body>, content_type: &str) -> Self {
        Self { request: self.request.header(CONTENT_TYPE, content_type).body(body) }
    }

    /// Makes the call, and leaves its body to be read as it comes.
    pub async fn open(self) -> reqwest::Response {
        self.request.send().await.expect("an answer")
    }

    /// Makes the call; the error where no answer came.
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let response = self.request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(if text.is_empty() { Value::Null } else { Value::String(text) });
        Ok(Answer { status, headers, body })
    }

    /// Makes the call.
    pub async fn send(self) -> Answer {
        self.try_send().await.expect("an answer")
    }
}

impl Answer {
    /// The body, where the status is that.
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

    /// One header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The detail of a SCIM error that has that status and keyword (RFC 7644 section 3.12).
    #[track_caller]
    pub fn expect_error(&self, status: u16, scim_type: Option<&str>) -> &str {
        assert_eq!((self.status, self.body["scimType"].as_str()), (status, scim_type), "{}", self.body);
        assert_eq!(self.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
        assert_eq!(self.body["status"], status.to_string());
        assert_eq!(self.header("content-type"), "application/scim+json");
        self.body["detail"].as_str().unwrap()
    }
}
