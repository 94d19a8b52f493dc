//! The calls of Braze's dialect on one user: create, read, replace, modify, delete, and look-up by
//! `userName`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use rollcall_events::request::{Dialect, RequestBody, UserOperation};
use rollcall_events::{UserId, WorkspaceId};
use rollcall_scim::ScimError;
use rollcall_scim::attributes::Projection;
use rollcall_scim::resource::{Attributes, text};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

use super::changes::{keeping_the_name, name_the_user, operations};
use super::parts::{Vocabulary, workspace_names};
use super::shape::{from_standard, to_standard};
use crate::error::{ApiError, ApiResult};
use crate::read::{USERS, UserSummary, find_by_id, workspaces_named};
use crate::scim::answer::{accepted, json};
use crate::scim::body::ScimBody;
use crate::scim::call::{Call, Writing};
use crate::scim::users;
use crate::submit::Answer;

/// A user as it is shown.
pub(in crate::scim) fn shown(user: &Attributes) -> Value {
    from_standard(user)
}

/// `POST /Users`.
pub(in crate::scim) async fn create(call: &Call, body: ScimBody, writing: &Writing) -> ApiResult {
    let operation = users::create_operation(Dialect::Braze, standard(call, body.json, writing, None).await?)?;
    let content = users::content(call.caller.default_workspace(), UserId::generate(), None, operation);
    submit(call, content, &body.bytes, writing, StatusCode::CREATED).await
}

/// `GET /Users/{id}`.
pub(in crate::scim) async fn read(call: &Call, id: &str, writing: &Writing) -> ApiResult {
    json(StatusCode::OK, &shown(&present(call, user_id(id)?, writing).await?))
}

/// `PUT /Users/{id}`.
pub(in crate::scim) async fn replace(call: &Call, id: &str, body: ScimBody, writing: &Writing) -> ApiResult {
    let id = user_id(id)?;
    let user = present(call, id, writing).await?;
    let operation = users::replace_operation(Dialect::Braze, standard(call, body.json, writing, Some(&UserSummary::of(&user))).await?)?;
    let content = users::content(call.caller.default_workspace(), id, call.if_match()?, operation);
    submit(call, content, &body.bytes, writing, StatusCode::OK).await
}

/// `PATCH /Users/{id}`. The answer shows the user, as that to every other change of one.
pub(in crate::scim) async fn patch(call: &Call, id: &str, mut body: ScimBody, writing: &Writing) -> ApiResult {
    let (id, ids, known) = (user_id(id)?, workspaces(call, [&body.json], writing).await?, writing.known.clone());
    let mut changes = body.read(move |json| operations(Vocabulary { known: &known, ids: &ids }, json)).await?;
    if name_the_user(&changes) {
        let user = present(call, id, writing).await?;
        changes = keeping_the_name(changes, text(&user, "userName").unwrap_or_default())?;
    }
    let content = users::content(call.caller.default_workspace(), id, call.if_match()?, UserOperation::Patch(changes));
    submit(call, content, &body.bytes, writing, StatusCode::OK).await
}

/// `DELETE /Users/{id}`.
pub(in crate::scim) async fn delete(call: &Call, id: &str, writing: &Writing) -> ApiResult {
    let content = users::content(call.caller.default_workspace(), user_id(id)?, call.if_match()?, users::DELETE);
    match writing.submit(call, content, b"").await.map_err(translated_api_error)? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        Answer::Applied(_) => Ok(HttpResponse::NoContent().finish()),
    }
}

async fn submit(call: &Call, content: RequestBody, body: &[u8], writing: &Writing, status: StatusCode) -> ApiResult {
    match writing.submit(call, content, body).await.map_err(translated_api_error)? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        Answer::Applied(left) => json(status, &shown(&writing.completed(call, &USERS, left).await?)),
    }
}

fn user_id(id: &str) -> Result<UserId, ScimError> {
    users::user_id(id).map_err(translated_error)
}

/// The user as it is now.
async fn present(call: &Call, id: UserId, writing: &Writing) -> Result<Attributes, ApiError> {
    let found = find_by_id(&writing.database, &USERS, call.caller.organization_id(), id.0, &Projection::Everything).await?;
    Ok(found.ok_or_else(|| translated_error(users::no_user()))?)
}

async fn standard(call: &Call, body: Value, writing: &Writing, present: Option<&UserSummary>) -> Result<Value, ApiError> {
    let ids = workspaces(call, [&body], writing).await?;
    Ok(to_standard(Vocabulary { known: &writing.known, ids: &ids }, body, present)?)
}

/// The workspaces whose names bodies may mean, by the keys of the names.
pub(super) async fn workspaces<'a>(
    call: &Call,
    bodies: impl IntoIterator<Item = &'a Value>,
    writing: &Writing,
) -> Result<HashMap<String, WorkspaceId>, ApiError> {
    let mut names = BTreeSet::new();
    bodies.into_iter().for_each(|body| workspace_names(body, &mut names));
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let names: Vec<_> = names.into_iter().collect();
    Ok(workspaces_named(&writing.database, call.caller.organization_id(), &names).await?)
}

fn translated_api_error(error: ApiError) -> ApiError {
    match error {
        ApiError::Scim(error) => translated_error(error).into(),
        other => other,
    }
}

/// The messages that callers of this dialect know.
pub(super) fn translated_error(mut error: ScimError) -> ScimError {
    match error.status {
        404 => "User not found".clone_into(&mut error.detail),
        409 => "User already exists in the database.".clone_into(&mut error.detail),
        _ => {}
    }
    error
}
