//! The body of a SCIM call: bounded in size and time, of the right media type, strict JSON.

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use rollcall_scim::{ScimError, json};
use serde_json::Value;

use super::{Bounds, set_up};
use crate::call_log::{CallToken, RequestBody};
use crate::error::ApiError;
use crate::offload::offload;

/// A body: its bytes and its JSON.
pub struct ScimBody {
    /// The body as it was received.
    pub bytes: Bytes,
    /// The JSON of the body.
    pub json: Value,
}

impl ScimBody {
    /// Reads the meaning of the body. A large body is read away from the threads that serve other calls. This
    /// takes the JSON and leaves the bytes.
    pub async fn read<T: Send + 'static>(
        &mut self,
        read: impl FnOnce(Value) -> Result<T, ScimError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let json = std::mem::take(&mut self.json);
        Ok(offload(self.bytes.len(), move || read(json)).await??)
    }
}

impl FromRequest for ScimBody {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            check_media_type(&request)?;
            check_coding(&request)?;
            let bounds: Data<Bounds> = set_up(&request, "the bounds")?;
            let receiving = tokio::time::timeout(bounds.receive, receive(payload, bounds.max_body_bytes));
            let bytes = receiving.await.map_err(|_| ScimError::new(408, "the body did not arrive in time"))??;
            if request.extensions().get::<CallToken>().is_some_and(|by| by.is_recorded) {
                request.extensions_mut().insert(RequestBody(bytes.clone()));
            }
            let text = bytes.clone();
            let json = offload(bytes.len(), move || json::parse(&text)).await??;
            Ok(Self { bytes, json })
        })
    }
}

/// Accepts SCIM's own media type and plain JSON, with any parameters (RFC 7644 section 3.1). A body without
/// the header is taken for JSON.
fn check_media_type(request: &HttpRequest) -> Result<(), ScimError> {
    match media_type(request).as_deref() {
        None | Some("application/scim+json" | "application/json") => Ok(()),
        Some(_) => Err(ScimError::new(415, "Content-Type must be application/scim+json or application/json")),
    }
}

/// The media type in lower case and without its parameters; `None` without the header.
fn media_type(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(CONTENT_TYPE)?.to_str().unwrap_or_default();
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Refuses compressed bodies: the bound on the size would say little about the size after decompression.
fn check_coding(request: &HttpRequest) -> Result<(), ScimError> {
    match request.headers().get(CONTENT_ENCODING).map(|coding| coding.to_str().unwrap_or("something unreadable").trim())
    {
        None | Some("") => Ok(()),
        Some(coding) if coding.eq_ignore_ascii_case("identity") => Ok(()),
        Some(coding) => {
            let shown: String = coding.chars().take(64).collect();
            Err(ScimError::new(415, format!("Content-Encoding is {shown}: send the body without it")))
        }
    }
}

/// Reads a body to its end. A body that is too large is refused, but read on for a while: otherwise its
/// sender would not get the answer.
async fn receive(mut payload: Payload, max_bytes: usize) -> Result<Bytes, ApiError> {
    let mut received = Vec::new();
    let mut total = 0;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| ScimError::invalid_syntax(format!("the body broke off: {error}")))?;
        total += chunk.len();
        if total <= max_bytes {
            received.extend_from_slice(&chunk);
        } else if total > 16 * max_bytes {
            break;
        }
    }
    if total > max_bytes {
        return Err(ScimError::new(413, format!("the body is larger than {max_bytes} bytes")).into());
    }
    Ok(received.into())
}
