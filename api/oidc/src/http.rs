//! The HTTP client for the provider: HTTP/1.1, no proxy, no redirects, and a time limit.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::TokioExecutor;
use rollcall_service::cause::root;
use std::error::Error;
use std::io;
use std::time::Duration;

/// Maximum number of bytes to read from an answer.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// Maximum time for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("the provider did not answer within {} s", TIMEOUT.as_secs())]
    TimedOut,
    #[error("the provider cannot be reached: {}", root(.0))]
    Unreachable(#[from] legacy::Error),
    #[error("the provider's answer cannot be read: {0}")]
    Unreadable(#[from] Box<dyn Error + Send + Sync>),
}

/// The HTTP client.
pub(super) struct Http(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Http {
    /// # Errors
    /// If the system has no trusted certificates.
    pub(super) fn new() -> io::Result<Self> {
        let provider = rustls::crypto::ring::default_provider();
        let tls = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
        Ok(Self(Client::builder(TokioExecutor::new()).build(tls.https_or_http().enable_http1().build())))
    }

    /// Sends a request and returns the answer.
    pub(super) async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, HttpError> {
        let sending = async {
            let (head, body) = self.0.request(request.map(|body| Full::new(Bytes::from(body)))).await?.into_parts();
            let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await?;
            Ok(Response::from_parts(head, body.to_bytes().to_vec()))
        };
        tokio::time::timeout(TIMEOUT, sending).await.map_err(|_| HttpError::TimedOut)?
    }
}
