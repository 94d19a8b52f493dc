//! `/Users` (RFC 7644 section 3).

use actix_web::http::StatusCode;
use actix_web::web::Path;
use rollcall_api_core::SCIM_JSON;
use rollcall_api_core::error::{ApiError, ApiResult};
use rollcall_api_core::http::ScimBody;
use rollcall_api_core::openapi::{Accepted, Created, Errors, PatchOp, Projection, User, UserRequest};
use rollcall_api_core::read::{USERS, find_by_id};
use rollcall_api_core::submit::Answer;
use rollcall_events::request::{IfMatch, RequestBody, UserOperation, UserRequested};
use rollcall_events::{UserId, WorkspaceId};
use rollcall_scim::resource::SizeLimit;
use rollcall_scim::schema::USER;
use rollcall_scim::{ScimError, lenience};

use super::answer::Representation;
use super::call::{Call, WriteContext};
use super::dialect::{Change, UserChange};

/// The tag of these endpoints at `/openapi.json`.
const TAG: &str = "Users";

/// Creates a user (RFC 7644 section 3.3).
#[utoipa::path(
    post,
    path = "/Users",
    tag = TAG,
    operation_id = "createUser",
    params(Projection),
    request_body(content = UserRequest, content_type = SCIM_JSON),
    responses(Errors, Created<User>, Accepted)
)]
pub(super) async fn create(call: Call, mut body: ScimBody, context: WriteContext) -> ApiResult {
    let id = UserId::generate();
    let operation = read_operation(&call, &context, Change::Create, id, &mut body).await?;
    match submit(&call, &context, id, None, operation, &body.bytes).await? {
        // A new user is in no group yet, so there is nothing to look up unless names are asked for.
        Answer::Applied(left) if !call.projection.asks_on_request(&USER) => {
            call.answer(StatusCode::CREATED, context.plain(&USERS, left)?)
        }
        answer => context.answer(&call, StatusCode::CREATED, &USERS, answer).await,
    }
}

/// Reads a user (RFC 7644 section 3.4.1).
#[utoipa::path(
    method(get, head),
    path = "/Users/{id}",
    tag = TAG,
    operation_id = "readUser",
    params(("id" = String, Path), Projection),
    responses(
        Errors,
        (status = 200, description = "The user.", body = User, content_type = SCIM_JSON),
        (status = 304, description = "The version is the one in If-None-Match."),
    )
)]
pub(super) async fn read(call: Call, id: Path<String>, context: WriteContext) -> ApiResult {
    let id = called_user(&call, &id)?;
    let found = find_by_id(&context.database, &USERS, call.caller.organization_id(), id.0, &call.projection).await?;
    let user = found.ok_or_else(|| call.dialect.user_error(no_user()))?;
    call.answer_to_read(Representation::new(&USER, &context.base, user))
}

/// Replaces a user (RFC 7644 section 3.5.1).
#[utoipa::path(
    put,
    path = "/Users/{id}",
    tag = TAG,
    operation_id = "replaceUser",
    params(("id" = String, Path), Projection),
    request_body(content = UserRequest, content_type = SCIM_JSON),
    responses(
        Errors,
        (status = 200, description = "The user.", body = User, content_type = SCIM_JSON),
        Accepted,
    )
)]
pub(super) async fn replace(call: Call, id: Path<String>, mut body: ScimBody, context: WriteContext) -> ApiResult {
    let (id, if_match) = (called_user(&call, &id)?, call.if_match()?);
    let operation = read_operation(&call, &context, Change::Replace, id, &mut body).await?;
    let answer = submit(&call, &context, id, if_match, operation, &body.bytes).await?;
    context.answer(&call, StatusCode::OK, &USERS, answer).await
}

/// Modifies a user (RFC 7644 section 3.5.2).
#[utoipa::path(
    patch,
    path = "/Users/{id}",
    tag = TAG,
    operation_id = "patchUser",
    params(("id" = String, Path), Projection),
    request_body(content = PatchOp, content_type = SCIM_JSON),
    responses(
        Errors,
        (status = 200, description = "The user, if the call asks for it.", body = User, content_type = SCIM_JSON),
        (status = 204, description = "Modified."),
        Accepted,
    )
)]
pub(super) async fn patch(call: Call, id: Path<String>, mut body: ScimBody, context: WriteContext) -> ApiResult {
    let (id, if_match) = (called_user(&call, &id)?, call.if_match()?);
    let expects_the_resource = lenience::expects_the_resource(&body.json);
    let operation = read_operation(&call, &context, Change::Patch, id, &mut body).await?;
    let answer = submit(&call, &context, id, if_match, operation, &body.bytes).await?;
    if expects_the_resource {
        return context.answer(&call, StatusCode::OK, &USERS, answer).await;
    }
    context.answer_to_patch(&call, &USERS, answer).await
}

/// Deletes a user (RFC 7644 section 3.6).
///
/// Its name can be used again.
#[utoipa::path(
    delete,
    path = "/Users/{id}",
    tag = TAG,
    operation_id = "deleteUser",
    params(("id" = String, Path)),
    responses(Errors, (status = 204, description = "Deleted."), Accepted)
)]
pub(super) async fn delete(call: Call, id: Path<String>, context: WriteContext) -> ApiResult {
    let (id, if_match) = (called_user(&call, &id)?, call.if_match()?);
    let answer = submit(&call, &context, id, if_match, UserOperation::Delete, b"").await?;
    Ok(context.answer_to_delete(&call, &answer))
}

/// Reads the operation that a body describes. Large bodies are read away from the threads that serve other
/// calls.
async fn read_operation(
    call: &Call,
    context: &WriteContext,
    change: Change,
    id: UserId,
    body: &mut ScimBody,
) -> Result<UserOperation, ApiError> {
    let changes = vec![UserChange { change, id, body: &body.json, created_by: None }];
    let users = call.dialect.users(&context.database, call.caller.organization_id(), changes).await?;
    body.read(move |json| users.operation(change, id, json)).await.map_err(|error| in_dialect_terms(call, error))
}

/// Submits an operation on a user.
async fn submit(
    call: &Call,
    context: &WriteContext,
    id: UserId,
    if_match: Option<IfMatch>,
    operation: UserOperation,
    body: &[u8],
) -> Result<Answer, ApiError> {
    let request = content(call.caller.default_workspace(), id, if_match, operation);
    context.submit(call, request, body).await.map_err(|error| in_dialect_terms(call, error))
}

/// The content of a request on a user.
pub(super) fn content(
    default_workspace: WorkspaceId,
    user_id: UserId,
    if_match: Option<IfMatch>,
    operation: UserOperation,
) -> RequestBody {
    let size_limit = SizeLimit::default();
    RequestBody::UserRequested(UserRequested { user_id, default_workspace, if_match, size_limit, operation })
}

/// Reads the id of a user. A malformed id is treated as not found.
pub(super) fn user_id(text: &str) -> Result<UserId, ScimError> {
    text.parse().ok().filter(|id: &UserId| id.to_string() == text).ok_or_else(no_user)
}

/// The user that the path of a call names.
fn called_user(call: &Call, id: &str) -> Result<UserId, ScimError> {
    user_id(id).map_err(|error| call.dialect.user_error(error))
}

fn in_dialect_terms(call: &Call, error: ApiError) -> ApiError {
    match error {
        ApiError::Scim(error) => call.dialect.user_error(error).into(),
        other => other,
    }
}

fn no_user() -> ScimError {
    ScimError::new(404, "there is no such user")
}
