//! Sends batches to an HTTP server.

use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rollcall_service::cause::root;

use super::answer::judge;
use crate::background::sinks::batch::{Failure, Message};
use crate::background::sinks::sink::{Format, HttpReceiver};

/// Maximum number of bytes to read from an answer. A `_bulk` answers about 200 bytes for each entry.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// An HTTP server. The operator chose it, so it may have a private address. No redirect is followed.
pub(crate) struct HttpTarget {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    receiver: HttpReceiver,
    format: Format,
    /// The name of this service.
    host: String,
}

impl HttpTarget {
    pub(crate) fn new(receiver: HttpReceiver, format: Format, host: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(receiver.timeout));
        let tls = HttpsConnectorBuilder::new().with_tls_config((*receiver.tls).clone());
        let client =
            Client::builder(TokioExecutor::new()).build(tls.https_or_http().enable_http1().wrap_connector(connector));
        Self { client, receiver, format, host: host.to_owned() }
    }

    /// Delivers a batch. Returns when the server has accepted it.
    pub(crate) async fn deliver(&self, messages: &[Message]) -> Result<(), Failure> {
        let request = self.request(messages).map_err(Failure::unavailable)?;
        let sending = async {
            let answer = self.client.request(request).await;
            let answer = answer
                .map_err(|error| Failure::Unavailable(format!("the receiver cannot be reached: {}", root(&error))))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
            let body = body.map(Collected::to_bytes).unwrap_or_default();
            judge(self.receiver.envelope, status, &body)
        };
        tokio::time::timeout(self.receiver.timeout, sending)
            .await
            .map_err(|_| Failure::unavailable("the receiver did not answer in time"))?
    }

    fn request(&self, messages: &[Message]) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let envelope = self.receiver.envelope;
        let body = envelope.body(messages, self.format, &self.host);
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.receiver.address.clone())
            .body(Full::new(Bytes::from(body)))?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(envelope.content_type()));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("rollcall/", env!("CARGO_PKG_VERSION"))));
        self.receiver.headers.iter().for_each(|(name, value)| {
            headers.insert(name, value.clone());
        });
        Ok(request)
    }
}
