//! The five calls of Braze's dialect: create, read, replace, delete, and look-up by `userName`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use rollcall_events::UserId;
use rollcall_events::request::RequestBody;
use rollcall_scim::ScimError;
use rollcall_scim::attributes::Projection;
use rollcall_scim::resource::{Attributes, text};
use serde_json::Value;

use super::shape::{from_standard, to_standard, workspace_names};
use super::spelling::spelt;
use crate::desk::Answer;
use crate::error::{ApiError, ApiResult};
use crate::read::{USERS, find_by_id, workspaces_named};
use crate::scim::answer::{accepted, json};
use crate::scim::body::ScimBody;
use crate::scim::call::{Call, Writing};
use crate::scim::users;

/// A user as it is shown.
pub(in crate::scim) fn shown(user: &Attributes) -> Value {
    from_standard(user)
}

/// `POST /Users`.
pub(in crate::scim) async fn create(call: &Call, body: ScimBody, writing: &Writing) -> ApiResult {
    let operation = users::create_operation(standard(call, body.json, writing, None).await?)?;
    let content = users::content(call.caller.default_workspace(), UserId::generate(), None, operation);
    submit(call, content, &body.bytes, writing, StatusCode::CREATED).await
}

/// `GET /Users/{id}`.
pub(in crate::scim) async fn read(call: &Call, id: &str, writing: &Writing) -> ApiResult {
    json(StatusCode::OK, &shown(&present(call, id, writing).await?.1))
}

/// `PUT /Users/{id}`.
pub(in crate::scim) async fn replace(call: &Call, id: &str, body: ScimBody, writing: &Writing) -> ApiResult {
    let (id, user) = present(call, id, writing).await?;
    let operation = users::replace_operation(standard(call, body.json, writing, text(&user, "userName")).await?)?;
    let content = users::content(call.caller.default_workspace(), id, call.if_match()?, operation);
    submit(call, content, &body.bytes, writing, StatusCode::OK).await
}

/// `DELETE /Users/{id}`.
pub(in crate::scim) async fn delete(call: &Call, id: &str, writing: &Writing) -> ApiResult {
    let id = users::user_id(id).map_err(told)?;
    let content = users::content(call.caller.default_workspace(), id, call.if_match()?, users::DELETE);
    match writing.submit(call, content, b"").await.map_err(told_by_api)? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        Answer::Applied(_) => Ok(HttpResponse::NoContent().finish()),
    }
}

async fn submit(call: &Call, content: RequestBody, body: &[u8], writing: &Writing, status: StatusCode) -> ApiResult {
    match writing.submit(call, content, body).await.map_err(told_by_api)? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        Answer::Applied(left) => json(status, &shown(&writing.completed(call, &USERS, left).await?)),
    }
}

/// The user as it is now.
async fn present(call: &Call, id: &str, writing: &Writing) -> Result<(UserId, Attributes), ApiError> {
    let id = users::user_id(id).map_err(told)?;
    let found = find_by_id(&writing.database, &USERS, call.caller.organization_id(), id.0, &Projection::Everything).await?;
    Ok((id, found.ok_or_else(|| told(users::no_user()))?))
}

async fn standard(call: &Call, body: Value, writing: &Writing, user_name: Option<&str>) -> Result<Value, ApiError> {
    let body = spelt(body)?;
    let ids = match workspace_names(&body) {
        names if names.is_empty() => std::collections::HashMap::new(),
        names => workspaces_named(&writing.database, call.caller.organization_id(), &names).await?,
    };
    Ok(to_standard(&writing.known, body, &ids, user_name)?)
}

fn told_by_api(error: ApiError) -> ApiError {
    match error {
        ApiError::Scim(error) => told(error).into(),
        other => other,
    }
}

/// The messages that callers of this dialect know.
fn told(mut error: ScimError) -> ScimError {
    match error.status {
        404 => "User not found".clone_into(&mut error.detail),
        409 => "User already exists in the database.".clone_into(&mut error.detail),
        _ => {}
    }
    error
}
