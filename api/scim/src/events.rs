//! `/Events/{txn}`: the outcome of a request that was answered 202 (RFC 9967 section 2.5.1).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::{Data, Path};
use rollcall_api_core::SCIM_JSON;
use rollcall_api_core::auth::Caller;
use rollcall_api_core::error::ApiResult;
use rollcall_api_core::http::Base;
use rollcall_api_core::openapi::Errors;
use rollcall_api_core::read::{Database, LogEntry, ReadError, find_dead_letter, find_event};
use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::set::{MEDIA_TYPE, SetKeys};
use rollcall_events::{EventId, OrganizationId, Timestamp};
use rollcall_scim::ScimError;
use rollcall_scim::event::ASYNC_RESPONSE;
use rollcall_scim::schema::{GROUP, ResourceType, USER};
use serde_json::{Value, json};

/// Reads the outcome of a request that was answered 202 (RFC 9967 section 2.5.1).
///
/// It is a Security Event Token. Without an outcome yet, the answer is 404 with `Retry-After`. A request that
/// became a dead letter has failed.
#[utoipa::path(
    method(get, head),
    path = "/Events/{id}",
    tag = "Outcomes",
    operation_id = "event",
    params(("id" = String, Path)),
    responses(Errors, (status = 200, description = "The outcome.", body = String, content_type = MEDIA_TYPE))
)]
pub(super) async fn read(
    caller: Caller,
    txn: Path<String>,
    database: Data<Database>,
    base: Data<Base>,
    keys: Data<SetKeys>,
) -> ApiResult {
    let claims = match event_id(&caller, &txn) {
        Some(id) => completion(&database, &base, caller.organization_id(), id).await?,
        None => None,
    };
    let Some(claims) = claims else {
        let error = ScimError::new(404, "there is no outcome of such a request, or none yet");
        return Ok(HttpResponse::NotFound()
            .insert_header((RETRY_AFTER, "1"))
            .content_type(SCIM_JSON)
            .body(error.to_body().to_string()));
    };
    Ok(HttpResponse::build(StatusCode::OK).content_type(MEDIA_TYPE).body(keys.sign(&claims)))
}

/// The claims of the completion of a request; `None` before it is complete.
async fn completion(
    database: &Database,
    base: &Base,
    organization: OrganizationId,
    id: EventId,
) -> Result<Option<Value>, ReadError> {
    if let Some(entry) = find_event(database, organization, id).await? {
        return Ok(Some(claims(base, id, &entry)));
    }
    Ok(find_dead_letter(database, organization, id).await?.map(|since| failure(base, id, since)))
}

fn failure(base: &Base, txn: EventId, since: Timestamp) -> Value {
    let error = ScimError::new(
        500,
        "the request could not be processed, and changed nothing; it is kept for the operator of the service",
    );
    let response = json!({"status": "500", "response": error.to_body()});
    json!({
        "iss": base.as_str(), "iat": since.as_second(), "jti": txn, "txn": txn, "events": {ASYNC_RESPONSE: response}
    })
}

/// Reads the id of a request, or of one operation of a bulk request: `txn:index`.
fn event_id(caller: &Caller, txn: &str) -> Option<EventId> {
    let Some((txn, index)) = txn.split_once(':') else { return txn.parse().ok() };
    let txn: EventId = txn.parse().ok()?;
    Some(txn.of_operation(caller.organization_id(), index.parse().ok()?))
}

fn claims(base: &Base, txn: EventId, entry: &LogEntry) -> Value {
    let mut response = json!({"status": status(entry).to_string()});
    if let Some(method) = &entry.operation.as_deref().and_then(method) {
        response["method"] = json!(method);
    }
    if let Some(error) = &entry.error {
        response["response"] = error.to_body();
    }
    if let Some(version) = &entry.version {
        response["version"] = json!(version);
    }
    let mut claims = json!({"iss": base.as_str(), "iat": entry.recorded_at.as_second(), "jti": txn, "txn": txn});
    if let Some(id) = entry.subject_id.filter(|_| entry.error.is_none()) {
        let resource_type: &ResourceType = if entry.subject_type == Some(SubjectType::Group) { &GROUP } else { &USER };
        response["location"] = json!(base.location(resource_type, &id.to_string()));
        claims["sub_id"] = json!({"format": "scim", "uri": format!("{}/{id}", resource_type.endpoint)});
    }
    claims["events"] = json!({ASYNC_RESPONSE: response});
    claims
}

fn status(entry: &LogEntry) -> u16 {
    match (&entry.error, entry.event_type) {
        (Some(error), _) => error.status,
        (None, EventType::UserCreated | EventType::GroupCreated) => 201,
        (None, EventType::UserDeleted | EventType::GroupDeleted) => 204,
        (None, _) => 200,
    }
}

fn method(operation: &str) -> Option<&'static str> {
    match operation {
        "create" => Some("POST"),
        "replace" => Some("PUT"),
        "patch" => Some("PATCH"),
        "delete" => Some("DELETE"),
        _ => None,
    }
}

/// Reads the keys that verify Security Event Tokens.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "Outcomes",
    operation_id = "jwks",
    security(),
    responses(
        Errors,
        (status = 200, description = "A JWK Set.", body = Object, content_type = "application/jwk-set+json"),
    )
)]
pub(crate) async fn jwks(keys: Data<SetKeys>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/jwk-set+json").body(keys.to_jwks().to_string())
}
