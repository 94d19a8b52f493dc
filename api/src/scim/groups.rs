//! `/Groups` (RFC 7644 section 3).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use rollcall_events::GroupId;
use rollcall_events::request::{GroupOperation, GroupRequested, IfMatch, RequestBody};
use rollcall_scim::ScimError;
use rollcall_scim::resource::SizeLimit;
use rollcall_scim::schema::GROUP;

use super::Base;
use super::answer::{Shown, accepted};
use super::body::ScimBody;
use super::call::{Call, Writing};
use super::dialect::Change;
use crate::error::{ApiError, ApiResult};
use crate::read::{Database, GROUPS, find_by_id};
use crate::submit::Answer;

/// `POST /Groups` (RFC 7644 section 3.3).
pub(super) async fn create(call: Call, mut body: ScimBody, writing: Writing) -> ApiResult {
    let content = content(GroupId::generate(), None, read_operation(&call, Change::Create, &mut body).await?);
    match writing.submit(&call, content, &body.bytes).await? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        Answer::Applied(left) => call.answer(StatusCode::CREATED, writing.shown(&call, &GROUPS, left).await?),
    }
}

/// `GET /Groups/{id}` (RFC 7644 section 3.4.1).
pub(super) async fn read(call: Call, id: Path<String>, database: Data<Database>, base: Data<Base>) -> ApiResult {
    let found = find_by_id(&database, &GROUPS, call.caller.organization_id(), group_id(&id)?.0, &call.projection).await?;
    call.answer_to_read(Shown::new(&GROUP, &base, found.ok_or_else(no_group)?))
}

/// `PUT /Groups/{id}` (RFC 7644 section 3.5.1).
pub(super) async fn replace(call: Call, id: Path<String>, mut body: ScimBody, writing: Writing) -> ApiResult {
    let (id, if_match) = (group_id(&id)?, call.if_match()?);
    let content = content(id, if_match, read_operation(&call, Change::Replace, &mut body).await?);
    match writing.submit(&call, content, &body.bytes).await? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        Answer::Applied(left) => call.answer(StatusCode::OK, writing.shown(&call, &GROUPS, left).await?),
    }
}

/// `PATCH /Groups/{id}` (RFC 7644 section 3.5.2).
pub(super) async fn patch(call: Call, id: Path<String>, mut body: ScimBody, writing: Writing) -> ApiResult {
    let (id, if_match) = (group_id(&id)?, call.if_match()?);
    let content = content(id, if_match, read_operation(&call, Change::Patch, &mut body).await?);
    match writing.submit(&call, content, &body.bytes).await? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        Answer::Applied(left) => writing.patched(&call, &GROUPS, left).await,
    }
}

/// `DELETE /Groups/{id}` (RFC 7644 section 3.6).
pub(super) async fn delete(call: Call, id: Path<String>, writing: Writing) -> ApiResult {
    match writing.submit(&call, content(group_id(&id)?, call.if_match()?, GroupOperation::Delete), b"").await? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        Answer::Applied(_) => Ok(HttpResponse::NoContent().finish()),
    }
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
