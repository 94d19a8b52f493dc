//! `/Groups` (RFC 7644 section 3).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use rollcall_events::members::{take_member_changes, take_members};
use rollcall_events::request::{GroupOperation, GroupRequested, RequestBody};
use rollcall_events::{GroupId, UserId};
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::GROUP;
use rollcall_scim::{ScimError, patch as scim_patch, validate};
use serde_json::Value;
use std::collections::BTreeSet;

use super::Base;
use super::answer::{Shown, accepted};
use super::body::ScimBody;
use super::call::{Call, Writing};
use crate::desk::Answer;
use crate::error::ApiResult;
use crate::read::{Database, GROUPS, find_by_id};

/// `POST /Groups` (RFC 7644 section 3.3).
pub(super) async fn create(call: Call, body: ScimBody, writing: Writing) -> ApiResult {
    let (attributes, members) = group(body.json)?;
    let request = request(&call, GroupId::generate(), GroupOperation::Create(attributes, members))?;
    match writing.submit(&call, request, &body.bytes).await? {
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
pub(super) async fn replace(call: Call, id: Path<String>, body: ScimBody, writing: Writing) -> ApiResult {
    let (attributes, members) = group(body.json)?;
    let request = request(&call, group_id(&id)?, GroupOperation::Replace(attributes, members))?;
    match writing.submit(&call, request, &body.bytes).await? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        Answer::Applied(left) => writing.shown(&call, &GROUPS, left).await?.with_body(StatusCode::OK, &call.projection),
    }
}

/// `PATCH /Groups/{id}` (RFC 7644 section 3.5.2).
pub(super) async fn patch(call: Call, id: Path<String>, body: ScimBody, writing: Writing) -> ApiResult {
    let (operations, members) = take_member_changes(scim_patch::parse(&GROUP, body.json)?)?;
    let request = request(&call, group_id(&id)?, GroupOperation::Patch(operations, members))?;
    match writing.submit(&call, request, &body.bytes).await? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        Answer::Applied(left) => writing.patched(&call, &GROUPS, left).await,
    }
}

/// `DELETE /Groups/{id}` (RFC 7644 section 3.6).
pub(super) async fn delete(call: Call, id: Path<String>, writing: Writing) -> ApiResult {
    match writing.submit(&call, request(&call, group_id(&id)?, GroupOperation::Delete)?, b"").await? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        Answer::Applied(_) => Ok(HttpResponse::NoContent().finish()),
    }
}

fn request(call: &Call, group_id: GroupId, operation: GroupOperation) -> Result<RequestBody, ScimError> {
    Ok(RequestBody::GroupRequested(GroupRequested { group_id, if_match: call.if_match()?, operation }))
}

/// Reads a body into a group's attributes and its members.
fn group(body: Value) -> Result<(Attributes, BTreeSet<UserId>), ScimError> {
    let mut attributes = validate::resource(&GROUP, body)?;
    let members = take_members(&mut attributes)?;
    Ok((attributes, members))
}

/// An id that is none is the id of no group.
fn group_id(text: &str) -> Result<GroupId, ScimError> {
    text.parse().map_err(|_| no_group())
}

fn no_group() -> ScimError {
    ScimError::new(404, "there is no such group")
}
