//! `/audit/v1/users`: the past states of users and their histories, computed from the log alone.

use actix_web::web::{Data, Path};
use rollcall_api_core::audit::{Step, count, parameter, payload_size, steps, user_at, users_at};
use rollcall_api_core::auth::Auditor;
use rollcall_api_core::error::{ApiError, ApiResult};
use rollcall_api_core::http::Parameters;
use rollcall_api_core::offload;
use rollcall_api_core::openapi::Errors;
use rollcall_api_core::read::{Condition, Database, Entries, Order, log_entries};
use rollcall_events::{Timestamp, UserId};
use rollcall_scim::ScimError;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::parameters::PageParameters;
use super::{TAG, json, with_body, written};

/// How an error describes a time.
pub(super) const TIME: &str = "a time such as 2026-01-31T00:00:00Z";

/// The users at a time.
#[derive(Serialize)]
struct State {
    at: Timestamp,
    users: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Uuid>,
}

#[derive(Serialize)]
struct History {
    steps: Vec<Step>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Lists users as they were at a time, sorted by id.
#[utoipa::path(
    get,
    path = "/users",
    tag = TAG,
    operation_id = "auditUsers",
    params(("at" = Option<String>, Query, description = "A time; now by default"), PageParameters),
    responses(
        Errors, (status = 200, description = "A page of users.", body = Object, content_type = "application/json")
    )
)]
pub(super) async fn list(auditor: Auditor, parameters: Parameters, database: Data<Database>) -> ApiResult {
    let at = parameter(&parameters, "at", TIME)?.unwrap_or_else(Timestamp::now);
    let (count, after) = (count(&parameters)?, parameter(&parameters, "cursor", "a cursor that this service gave")?);
    let (users, next) = users_at(&database, auditor.organization_id, at, after, count).await?;
    json(&State { at, users, next })
}

/// Reads a user as it was at a time.
#[utoipa::path(
    get,
    path = "/users/{id}",
    tag = TAG,
    operation_id = "auditUser",
    params(("id" = String, Path), ("at" = Option<String>, Query, description = "A time; now by default")),
    responses(Errors, (status = 200, description = "The user.", body = Object, content_type = "application/json"))
)]
pub(super) async fn read(
    auditor: Auditor,
    id: Path<String>,
    parameters: Parameters,
    database: Data<Database>,
) -> ApiResult {
    let at = parameter(&parameters, "at", TIME)?.unwrap_or_else(Timestamp::now);
    let user = user_at(&database, auditor.organization_id, user_id(&id)?, at).await?;
    json(&user.ok_or_else(|| ApiError::from(ScimError::new(404, "there was no such user then")))?)
}

/// Lists all changes of a user from the beginning, with old value, new value and actor.
#[utoipa::path(
    get,
    path = "/users/{id}/history",
    tag = TAG,
    operation_id = "auditHistory",
    params(("id" = String, Path), PageParameters),
    responses(
        Errors, (status = 200, description = "A page of changes.", body = Object, content_type = "application/json")
    )
)]
pub(super) async fn history(
    auditor: Auditor,
    id: Path<String>,
    parameters: Parameters,
    database: Data<Database>,
) -> ApiResult {
    let after: u64 = parameter(&parameters, "cursor", "a cursor that this service gave")?.unwrap_or_default();
    let count = count(&parameters)?;
    let (organization, about) = (auditor.organization_id, Condition::Subjects(vec![user_id(&id)?]));
    let before = [about.clone(), Condition::AppliedToUsers];
    let before =
        log_entries(&database, organization, &before, Order::NewestFirst { before: Some(after.saturating_add(1)) }, 1)
            .await?;
    let Entries { entries, goes_on } =
        log_entries(&database, organization, &[about], Order::OldestFirst { after }, count).await?;
    if entries.is_empty() && after == 0 {
        return Err(ScimError::new(404, "the log has no such user").into());
    }
    let next = entries.last().filter(|_| goes_on).map(|entry| entry.header.seq.to_string());
    let bytes = entries.iter().map(payload_size).sum();
    let writing = move || written(&History { steps: steps(before.entries.first(), &entries), next });
    Ok(with_body(offload(bytes, writing).await??))
}

/// Parses an id. A malformed id is treated as not found.
pub(super) fn user_id(text: &str) -> Result<Uuid, ApiError> {
    text.parse::<UserId>().map(|id| id.0).map_err(|_| ScimError::new(404, "there is no such user").into())
}
