//! Sends a request to a witness.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, USER_AGENT};
use hyper::{Method, Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::io;
use std::time::Duration;

use super::failure::Failure;

/// Maximum number of bytes of an answer.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What a witness answered.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) media_type: Option<String>,
    pub(super) body: Bytes,
}

/// Sends requests to witnesses. It uses no proxy and follows no redirect. Operators choose the addresses, so any
/// address is allowed.
pub(super) struct Client {
    client: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
}

impl Client {
    /// # Errors
    /// If the system has no trusted certificates.
    pub(super) fn new(timeout: Duration) -> io::Result<Self> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(timeout));
        let provider = rustls::crypto::ring::default_provider();
        let tls = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
        let tls = tls.https_or_http().enable_http1().wrap_connector(connector);
        Ok(Self { client: legacy::Client::builder(TokioExecutor::new()).build(tls), timeout })
    }

    /// Posts a body and reads the answer.
    ///
    /// # Errors
    /// If there is no answer in time, or it is too long.
    pub(super) async fn post(&self, address: &Uri, body: String) -> Result<Reply, Failure> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(address)
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .header(USER_AGENT, concat!("rollcall/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(Bytes::from(body)))?;
        let sending = async {
            let response = self.client.request(request).await?;
            let status = response.status().as_u16();
            let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let media_type = media_type.map(str::to_owned);
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
            Ok(Reply { status, media_type, body: body.map_err(|_| Failure::Unreadable)?.to_bytes() })
        };
        tokio::time::timeout(self.timeout, sending).await.map_err(|_| Failure::TimedOut)?
    }
}
