//! Sends one token (RFC 8935 section 2).

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::TokioExecutor;
use rollcall_events::set::MEDIA_TYPE;
use rollcall_events::stream::Endpoint;
use rollcall_service::cause::root;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::io;
use std::time::Duration;

use super::address::{EndpointError, Resolver, check_endpoint};

/// Maximum number of bytes to read from an answer.
const MAX_ANSWER_BYTES: usize = 4096;
/// Maximum number of characters to keep from a receiver's error.
const MAX_ERROR_CHARS: usize = 200;

/// Why a token was not delivered.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    #[error(transparent)]
    Refused(#[from] EndpointError),
    #[error("the receiver did not answer in time")]
    TimedOut,
    #[error("the receiver cannot be reached: {}", root(.0))]
    Unreachable(#[from] legacy::Error),
    #[error("the receiver answered {0}{1}")]
    Answered(StatusCode, String),
    #[error("the request cannot be written: {0}")]
    Unwritable(#[from] hyper::http::Error),
    #[error("the value for Authorization cannot be sent")]
    Authorization,
}

/// Sends tokens to public addresses over TLS, unless others are allowed. Uses no proxy and follows no
/// redirect.
pub(super) struct Sender {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    private_allowed: bool,
    timeout: Duration,
}

impl Sender {
    /// # Errors
    /// If the system has no trusted certificates.
    pub(super) fn new(private_allowed: bool, timeout: Duration) -> io::Result<Self> {
        let mut connector = HttpConnector::new_with_resolver(Resolver { private_allowed });
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(timeout));
        let provider = rustls::crypto::ring::default_provider();
        let tls = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
        let client =
            Client::builder(TokioExecutor::new()).build(tls.https_or_http().enable_http1().wrap_connector(connector));
        Ok(Self { client, private_allowed, timeout })
    }

    /// Sends a token. Returns when the receiver has accepted it.
    ///
    /// # Errors
    /// If the receiver may not have accepted it.
    pub(super) async fn send(
        &self,
        endpoint: &Endpoint,
        authorization: Option<&SecretString>,
        token: String,
    ) -> Result<(), SendError> {
        check_endpoint(endpoint, self.private_allowed)?;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(endpoint.url().as_str())
            .header(CONTENT_TYPE, MEDIA_TYPE)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("rollcall/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(Bytes::from(token)))?;
        if let Some(value) = authorization {
            let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| SendError::Authorization)?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let sending = async {
            let response = self.client.request(request).await?;
            if response.status().is_success() {
                Ok(())
            } else {
                Err(SendError::Answered(response.status(), reason(response).await))
            }
        };
        tokio::time::timeout(self.timeout, sending).await.map_err(|_| SendError::TimedOut)?
    }
}

/// The reason in a receiver's error (RFC 8935 section 2.3), cut to fit on a line.
async fn reason(response: Response<Incoming>) -> String {
    let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
    let error: Value = body.ok().and_then(|body| serde_json::from_slice(&body.to_bytes()).ok()).unwrap_or_default();
    let parts = [&error["err"], &error["description"]].into_iter().filter_map(Value::as_str);
    let reason = parts.fold(String::new(), |reason, part| reason + ": " + part);
    reason.chars().filter(|c| !c.is_control()).take(MAX_ERROR_CHARS).collect()
}
