//! `/Groups` (RFC 7644 section 3).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use rollcall_events::members::{take_member_changes, take_members};
use rollcall_events::request::{Dialect, GroupOperation, GroupRequested, IfMatch, RequestBody};
use rollcall_events::{GroupId, UserId};
use rollcall_scim::resource::{Attributes, SizeLimit};
use rollcall_scim::schema::GROUP;
use rollcall_scim::{ScimError, validate};
use serde_json::Value;
use std::collections::BTreeSet;

use super::Base;
use super::answer::{Shown, accepted};
use super::body::ScimBody;
use super::call::{Call, Writing};
use super::dialect;
use crate::error::ApiResult;
use crate::read::{Database, GROUPS, find_by_id};
use crate::submit::Answer;

/// `POST /Groups` (RFC 7644 section 3.3).
pub(super) async fn create(call: Call, mut body: ScimBody, writing: Writing) -> ApiResult {
    let dialect = call.caller.dialect();
    let content = content(GroupId::generate(), None, body.read(move |json| create_operation(dialect, json)).await?);
    match writing.submit(&call, content, &body.bytes).await? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        Answer::Applied(left) => writing.shown(&call, &GROUPS, left).await?.with_body(StatusCode::CREATED, &call.projection),
    }
}

/// `GET /Groups/{id}` (RFC 7644 section 3.4.1).
pub(super) async fn read(call: Call, id: Path<String>, database: Data<Database>, base: Data<Base>) -> ApiResult {
    let found = find_by_id(&database, &GROUPS, call.caller.organization_id(), group_id(&id)?.0, &call.projection).await?;
    Shown::new(&GROUP, &base, found.ok_or_else(no_group)?).unless_known(call.headers(), &call.projection)
}

/// `PUT /Groups/{id}` (RFC 7644 section 3.5.1).
pub(super) async fn replace(call: Call, id: Path<String>, mut body: ScimBody, writing: Writing) -> ApiResult {
    let dialect = call.caller.dialect();
    let content = content(group_id(&id)?, call.if_match()?, body.read(move |json| replace_operation(dialect, json)).await?);
    match writing.submit(&call, content, &body.bytes).await? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        Answer::Applied(left) => writing.shown(&call, &GROUPS, left).await?.with_body(StatusCode::OK, &call.projection),
    }
}

/// `PATCH /Groups/{id}` (RFC 7644 section 3.5.2).
pub(super) async fn patch(call: Call, id: Path<String>, mut body: ScimBody, writing: Writing) -> ApiResult {
    let dialect = call.caller.dialect();
    let content = content(group_id(&id)?, call.if_match()?, body.read(move |json| patch_operation(dialect, json)).await?);
    match writing.submit(&call, content, &body.bytes).await? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        Answer::Applied(left) => writing.patched(&call, &GROUPS, left).await,
    }
}

/// `DELETE /Groups/{id}` (RFC 7644 section 3.6).
pub(super) async fn delete(call: Call, id: Path<String>, writing: Writing) -> ApiResult {
    match writing.submit(&call, content(group_id(&id)?, call.if_match()?, DELETE), b"").await? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        Answer::Applied(_) => Ok(HttpResponse::NoContent().finish()),
    }
}

/// What is asked for of a group.
pub(super) fn content(group_id: GroupId, if_match: Option<IfMatch>, operation: GroupOperation) -> RequestBody {
    RequestBody::GroupRequested(GroupRequested { group_id, if_match, size_limit: SizeLimit::default(), operation })
}

/// To delete it.
pub(super) const DELETE: GroupOperation = GroupOperation::Delete;

/// To create it.
pub(super) fn create_operation(dialect: Dialect, body: Value) -> Result<GroupOperation, ScimError> {
    group(dialect, body).map(|(attributes, members)| GroupOperation::Create(attributes, members))
}

/// To replace it.
pub(super) fn replace_operation(dialect: Dialect, body: Value) -> Result<GroupOperation, ScimError> {
    group(dialect, body).map(|(attributes, members)| GroupOperation::Replace(attributes, members))
}

/// To modify it.
pub(super) fn patch_operation(dialect: Dialect, body: Value) -> Result<GroupOperation, ScimError> {
    let (operations, members) = take_member_changes(dialect::changes(dialect, &GROUP, body)?)?;
    Ok(GroupOperation::Patch(operations, members))
}

/// Reads a body into a group's attributes and its members.
fn group(dialect: Dialect, body: Value) -> Result<(Attributes, BTreeSet<UserId>), ScimError> {
    let mut attributes = validate::resource(&GROUP, dialect::checked(dialect, &GROUP, body)?)?;
    let members = take_members(&mut attributes)?;
    Ok((attributes, members))
}

/// An id that is none is the id of no group.
pub(super) fn group_id(text: &str) -> Result<GroupId, ScimError> {
    text.parse().ok().filter(|id: &GroupId| id.to_string() == text).ok_or_else(no_group)
}

fn no_group() -> ScimError {
    ScimError::new(404, "there is no such group")
}
