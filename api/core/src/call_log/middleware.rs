//! Records each call when it is answered.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::USER_AGENT;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};
use rollcall_events::actor::ActorDetails;
use rollcall_events::call_log::CallRecord;
use rollcall_events::{OrganizationId, Timestamp, TokenId};
use std::net::IpAddr;
use std::time::Instant;
use uuid::Uuid;

use super::body::{RequestBody, inspect_body, kept};
use super::{CallMeaning, CallRecorder};
use crate::error::ApiError;
use crate::http::BASE_PATH;
use crate::metrics::Metrics;
use crate::redact::redact_query;

/// Maximum stored length of a path, a query or an error, in characters.
const MAX_CHARS: usize = 500;

/// The token of a call and its organization. Authentication adds this to each call with a known token,
/// whether it refuses the call or not.
#[derive(Debug, Clone)]
pub struct CallToken {
    /// The token's organization.
    pub organization_id: OrganizationId,
    /// The token.
    pub token_id: TokenId,
    /// The token's label.
    pub label: String,
    /// The caller's address.
    pub address: Option<IpAddr>,
    /// Whether the organization records bodies.
    pub is_recorded: bool,
}

/// Middleware around authentication: records each call with its answer.
pub async fn record_call(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let (began, at) = (Instant::now(), Timestamp::now());
    let response = next.call(request).await?;
    if let Some(metrics) = response.request().app_data::<Data<Metrics>>() {
        metrics.count(response.request().method().as_str(), response.status().as_u16(), began.elapsed());
    }
    let by = response.request().extensions_mut().remove::<CallToken>();
    let (Some(recorder), Some(by)) = (response.request().app_data::<Data<CallRecorder>>().cloned(), by) else {
        return Ok(response.map_into_left_body());
    };
    if !by.is_recorded || !recorder.has_room_for_bodies() {
        recorder.record(|| call(&response, by, at, began, Bodies::default()));
        return Ok(response.map_into_left_body());
    }
    let asked = response.request().extensions_mut().remove::<RequestBody>();
    let (response, answered) = inspect_body(response);
    let bodies =
        Bodies { request: asked.and_then(|body| kept(&body.0)), response: answered.and_then(|body| kept(&body)) };
    recorder.record(|| call(&response, by, at, began, bodies));
    Ok(response)
}

/// The stored forms of the bodies of a call.
#[derive(Default)]
struct Bodies {
    request: Option<String>,
    response: Option<String>,
}

fn call<B>(response: &ServiceResponse<B>, by: CallToken, at: Timestamp, began: Instant, bodies: Bodies) -> CallRecord {
    let http = response.request();
    let path = http.path().strip_prefix(BASE_PATH).unwrap_or(http.path());
    let query = http.query_string();
    let guess = || CallMeaning::guess(http.method(), path, query.contains("filter="));
    let meant = http.extensions_mut().remove::<CallMeaning>();
    let meant = meant.unwrap_or_else(guess);
    let error = response.response().error().and_then(|error| error.as_error::<ApiError>()).map(ApiError::to_scim);
    CallRecord {
        id: Uuid::now_v7(),
        organization_id: by.organization_id,
        at,
        micros: u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX),
        method: http.method().to_string(),
        path: bounded(path),
        query: (!query.is_empty()).then(|| bounded(&redact_query(readable(query)))),
        meaning: meant.meaning,
        subject: meant.subject.map(|name| bounded(&name)),
        subject_id: meant.subject_id,
        status: response.status().as_u16(),
        scim_type: error.as_ref().and_then(|error| error.scim_type),
        detail: error.map(|error| bounded(&error.detail)),
        txn: meant.txn,
        token_id: by.token_id,
        label: by.label,
        address: by.address,
        user_agent: http
            .headers()
            .get(USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .map(ActorDetails::shortened_user_agent),
        request_body: bodies.request,
        response_body: bodies.response,
    }
}

/// A query string, decoded for people.
fn readable(query: &str) -> String {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs
        .map(|(name, value)| if value.is_empty() { name.into_owned() } else { format!("{name}={value}") })
        .collect::<Vec<_>>()
        .join("&")
}

/// A text that can be stored: shortened, and without characters that Postgres cannot store.
fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_queries_are_decoded_and_recorded_texts_are_short() {
        assert_eq!(
            readable("filter=userName%20eq%20%22ada%22&startIndex=1&x"),
            "filter=userName eq \"ada\"&startIndex=1&x"
        );
        assert_eq!(bounded(&"\0é".repeat(1000)), "é".repeat(MAX_CHARS));
    }
}
