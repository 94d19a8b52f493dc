//! `/Groups` (RFC 7644 section 3).

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use rollcall_api_core::SCIM_JSON;
use rollcall_api_core::error::{ApiError, ApiResult};
use rollcall_api_core::http::{Base, ScimBody};
use rollcall_api_core::openapi::{Accepted, Created, Errors, Group, GroupRequest, PatchOp, Projection};
use rollcall_api_core::read::{Database, GROUPS, find_by_id};
use rollcall_events::GroupId;
use rollcall_events::request::{GroupOperation, GroupRequested, IfMatch, RequestBody};
use rollcall_scim::ScimError;
use rollcall_scim::resource::SizeLimit;
use rollcall_scim::schema::GROUP;

use super::answer::Representation;
use super::call::{Call, WriteContext};
use super::dialect::Change;

/// The tag of these endpoints at `/openapi.json`.
const TAG: &str = "Groups";

/// Creates a group (RFC 7644 section 3.3).
#[utoipa::path(
    post,
    path = "/Groups",
    tag = TAG,
    operation_id = "createGroup",
    params(Projection),
    request_body(content = GroupRequest, content_type = SCIM_JSON),
    responses(Errors, Created<Group>, Accepted)
)]
pub(super) async fn create(call: Call, mut body: ScimBody, context: WriteContext) -> ApiResult {
    let request = content(GroupId::generate(), None, read_operation(&call, Change::Create, &mut body).await?);
    let answer = context.submit(&call, request, &body.bytes).await?;
    context.answer(&call, StatusCode::CREATED, &GROUPS, answer).await
}

/// Reads a group (RFC 7644 section 3.4.1).
#[utoipa::path(
    method(get, head),
    path = "/Groups/{id}",
    tag = TAG,
    operation_id = "readGroup",
    params(("id" = String, Path), Projection),
    responses(
        Errors,
        (status = 200, description = "The group.", body = Group, content_type = SCIM_JSON),
        (status = 304, description = "The version is the one in If-None-Match."),
    )
)]
pub(super) async fn read(call: Call, id: Path<String>, database: Data<Database>, base: Data<Base>) -> ApiResult {
    let found =
        find_by_id(&database, &GROUPS, call.caller.organization_id(), group_id(&id)?.0, &call.projection).await?;
    call.answer_to_read(Representation::new(&GROUP, &base, found.ok_or_else(no_group)?))
}

/// Replaces a group (RFC 7644 section 3.5.1).
#[utoipa::path(
    put,
    path = "/Groups/{id}",
    tag = TAG,
    operation_id = "replaceGroup",
    params(("id" = String, Path), Projection),
    request_body(content = GroupRequest, content_type = SCIM_JSON),
    responses(
        Errors,
        (status = 200, description = "The group.", body = Group, content_type = SCIM_JSON),
        Accepted,
    )
)]
pub(super) async fn replace(call: Call, id: Path<String>, mut body: ScimBody, context: WriteContext) -> ApiResult {
    let (id, if_match) = (group_id(&id)?, call.if_match()?);
    let request = content(id, if_match, read_operation(&call, Change::Replace, &mut body).await?);
    let answer = context.submit(&call, request, &body.bytes).await?;
    context.answer(&call, StatusCode::OK, &GROUPS, answer).await
}

/// Modifies a group (RFC 7644 section 3.5.2).
#[utoipa::path(
    patch,
    path = "/Groups/{id}",
    tag = TAG,
    operation_id = "patchGroup",
    params(("id" = String, Path), Projection),
    request_body(content = PatchOp, content_type = SCIM_JSON),
    responses(
        Errors,
        (status = 200, description = "The group, if the call asks for it.", body = Group, content_type = SCIM_JSON),
        (status = 204, description = "Modified."),
        Accepted,
    )
)]
pub(super) async fn patch(call: Call, id: Path<String>, mut body: ScimBody, context: WriteContext) -> ApiResult {
    let (id, if_match) = (group_id(&id)?, call.if_match()?);
    let request = content(id, if_match, read_operation(&call, Change::Patch, &mut body).await?);
    let answer = context.submit(&call, request, &body.bytes).await?;
    context.answer_to_patch(&call, &GROUPS, answer).await
}

/// Deletes a group (RFC 7644 section 3.6).
///
/// Its name can be used again.
#[utoipa::path(
    delete,
    path = "/Groups/{id}",
    tag = TAG,
    operation_id = "deleteGroup",
    params(("id" = String, Path)),
    responses(Errors, (status = 204, description = "Deleted."), Accepted)
)]
pub(super) async fn delete(call: Call, id: Path<String>, context: WriteContext) -> ApiResult {
    let request = content(group_id(&id)?, call.if_match()?, GroupOperation::Delete);
    let answer = context.submit(&call, request, b"").await?;
    Ok(context.answer_to_delete(&call, &answer))
}

/// Reads the operation that a body describes. Large bodies are read away from the threads that serve other
/// calls.
async fn read_operation(call: &Call, change: Change, body: &mut ScimBody) -> Result<GroupOperation, ApiError> {
    let dialect = call.dialect.clone();
    body.read(move |json| dialect.group(change, json)).await
}

/// The content of a request on a group.
pub(super) fn content(group_id: GroupId, if_match: Option<IfMatch>, operation: GroupOperation) -> RequestBody {
    RequestBody::GroupRequested(GroupRequested { group_id, if_match, size_limit: SizeLimit::default(), operation })
}

/// Reads the id of a group. A malformed id is treated as not found.
pub(super) fn group_id(text: &str) -> Result<GroupId, ScimError> {
    text.parse().ok().filter(|id: &GroupId| id.to_string() == text).ok_or_else(no_group)
}

fn no_group() -> ScimError {
    ScimError::new(404, "there is no such group")
}
