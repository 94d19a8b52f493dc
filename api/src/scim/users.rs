//! `/Users` (RFC 7644 section 3).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Path;
use rollcall_events::membership::check_named_once;
use rollcall_events::request::{Dialect, IfMatch, RequestBody, UserOperation, UserRequested};
use rollcall_events::{UserId, WorkspaceId};
use rollcall_scim::resource::{Attributes, SizeLimit};
use rollcall_scim::schema::USER;
use rollcall_scim::{ScimError, lenience, validate};
use serde_json::Value;

use super::answer::{Shown, accepted};
use super::body::ScimBody;
use super::call::{Call, Writing};
use super::dialect;

use crate::error::ApiResult;
use crate::read::{USERS, find_by_id};
use crate::submit::Answer;

/// `POST /Users` (RFC 7644 section 3.3).
pub(super) async fn create(call: Call, mut body: ScimBody, writing: Writing) -> ApiResult {
    if call.caller.dialect() == Dialect::Braze {
        return dialect::create(&call, body, &writing).await;
    }
    let dialect = call.caller.dialect();
    let content =
        content(call.caller.default_workspace(), UserId::generate(), None, body.read(move |json| create_operation(dialect, json)).await?);
    match writing.submit(&call, content, &body.bytes).await? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        // A user that has just come is in no group: there is nothing to look up unless names are asked for.
        Answer::Applied(left) if call.projection.asks_on_request(&USER) => {
            writing.shown(&call, &USERS, left).await?.with_body(StatusCode::CREATED, &call.projection)
        }
        Answer::Applied(left) => writing.plain(&USERS, left)?.with_body(StatusCode::CREATED, &call.projection),
    }
}

/// `GET /Users/{id}` (RFC 7644 section 3.4.1).
pub(super) async fn read(call: Call, id: Path<String>, writing: Writing) -> ApiResult {
    if call.caller.dialect() == Dialect::Braze {
        return dialect::read(&call, &id, &writing).await;
    }
    let found = find_by_id(&writing.database, &USERS, call.caller.organization_id(), user_id(&id)?.0, &call.projection).await?;
    Shown::new(&USER, &writing.base, found.ok_or_else(no_user)?).unless_known(call.headers(), &call.projection)
}

/// `PUT /Users/{id}` (RFC 7644 section 3.5.1).
pub(super) async fn replace(call: Call, id: Path<String>, mut body: ScimBody, writing: Writing) -> ApiResult {
    if call.caller.dialect() == Dialect::Braze {
        return dialect::replace(&call, &id, body, &writing).await;
    }
    let dialect = call.caller.dialect();
    let content = content(
        call.caller.default_workspace(),
        user_id(&id)?,
        call.if_match()?,
        body.read(move |json| replace_operation(dialect, json)).await?,
    );
    match writing.submit(&call, content, &body.bytes).await? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        Answer::Applied(left) => writing.shown(&call, &USERS, left).await?.with_body(StatusCode::OK, &call.projection),
    }
}

/// `PATCH /Users/{id}` (RFC 7644 section 3.5.2).
pub(super) async fn patch(call: Call, id: Path<String>, mut body: ScimBody, writing: Writing) -> ApiResult {
    if call.caller.dialect() == Dialect::Braze {
        return dialect::patch(&call, &id, body, &writing).await;
    }
    let expects_the_resource = lenience::expects_the_resource(&body.json);
    let dialect = call.caller.dialect();
    let content = content(
        call.caller.default_workspace(),
        user_id(&id)?,
        call.if_match()?,
        body.read(move |json| patch_operation(dialect, json)).await?,
    );
    match writing.submit(&call, content, &body.bytes).await? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        Answer::Applied(left) if expects_the_resource => {
            writing.shown(&call, &USERS, left).await?.with_body(StatusCode::OK, &call.projection)
        }
        Answer::Applied(left) => writing.patched(&call, &USERS, left).await,
    }
}

/// `DELETE /Users/{id}` (RFC 7644 section 3.6).
pub(super) async fn delete(call: Call, id: Path<String>, writing: Writing) -> ApiResult {
    if call.caller.dialect() == Dialect::Braze {
        return dialect::delete(&call, &id, &writing).await;
    }
    let content = content(call.caller.default_workspace(), user_id(&id)?, call.if_match()?, DELETE);
    match writing.submit(&call, content, b"").await? {
        Answer::Accepted(txn) => Ok(accepted(&writing.base, txn, &call.prefer)),
        Answer::Applied(_) => Ok(HttpResponse::NoContent().finish()),
    }
}

/// What is asked for of a user.
pub(super) fn content(default_workspace: WorkspaceId, user_id: UserId, if_match: Option<IfMatch>, operation: UserOperation) -> RequestBody {
    let size_limit = SizeLimit::default();
    RequestBody::UserRequested(UserRequested { user_id, default_workspace, if_match, size_limit, operation })
}

/// To delete it.
pub(super) const DELETE: UserOperation = UserOperation::Delete;

/// What a method does to it, by the body of its call.
pub(super) fn operation(dialect: Dialect, method: &str, body: Value) -> Result<UserOperation, ScimError> {
    match method {
        "POST" => create_operation(dialect, body),
        "PUT" => replace_operation(dialect, body),
        _ => patch_operation(dialect, body),
    }
}

/// To create it.
pub(super) fn create_operation(dialect: Dialect, body: Value) -> Result<UserOperation, ScimError> {
    user(dialect, body).map(UserOperation::Create)
}

/// To replace it.
pub(super) fn replace_operation(dialect: Dialect, body: Value) -> Result<UserOperation, ScimError> {
    user(dialect, body).map(UserOperation::Replace)
}

/// To modify it.
pub(super) fn patch_operation(dialect: Dialect, body: Value) -> Result<UserOperation, ScimError> {
    dialect::changes(dialect, &USER, body).map(UserOperation::Patch)
}

/// Reads a body into a user's attributes; what can be refused without state is refused here.
fn user(dialect: Dialect, body: Value) -> Result<Attributes, ScimError> {
    let attributes = validate::resource(&USER, dialect::checked(dialect, &USER, body)?)?;
    check_named_once(&attributes)?;
    Ok(attributes)
}

/// An id that is none is the id of nobody.
pub(super) fn user_id(text: &str) -> Result<UserId, ScimError> {
    text.parse().ok().filter(|id: &UserId| id.to_string() == text).ok_or_else(no_user)
}

pub(super) fn no_user() -> ScimError {
    ScimError::new(404, "there is no such user")
}
