//! `/Users` (RFC 7644 section 3).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use rollcall_events::UserId;
use rollcall_events::membership::{memberships, show_names};
use rollcall_events::request::UserOperation;
use rollcall_scim::list::{ListResponse, Window};
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::USER;
use rollcall_scim::{ScimError, filter, patch as scim_patch, validate};
use serde_json::Value;

use super::answer::{Shown, accepted, json};
use super::body::ScimBody;
use super::call::Call;
use super::query::Parameters;
use super::{Base, Bounds};
use crate::auth::Caller;
use crate::desk::{Answer, Desk};
use crate::error::{ApiError, ApiResult};
use crate::read::{Database, UserQuery, find_user, list_users, workspace_names};

/// `POST /Users` (RFC 7644 section 3.3).
pub(super) async fn create(call: Call, body: ScimBody, desk: Data<Desk>, database: Data<Database>, base: Data<Base>) -> ApiResult {
    let operation = UserOperation::Create(user(body.json)?);
    let request = call.request(UserId::generate(), operation, &body.bytes)?;
    match desk.submit(&request, &call.prefer).await? {
        Answer::Accepted(txn) => Ok(accepted(&base, txn, &call.prefer)),
        Answer::Applied(resource) => shown(&call, &database, &base, resource).await?.with_body(StatusCode::CREATED, &call.projection),
    }
}

/// `GET /Users/{id}` (RFC 7644 section 3.4.1).
pub(super) async fn read(call: Call, id: Path<String>, database: Data<Database>, base: Data<Base>) -> ApiResult {
    let found = find_user(&database, call.caller.organization_id(), user_id(&id)?).await?.ok_or_else(no_user)?;
    Shown::new(&USER, &base, found).unless_known(call.headers(), &call.projection)
}

/// `GET /Users` (RFC 7644 section 3.4.2).
pub(super) async fn list(
    caller: Caller,
    parameters: Parameters,
    database: Data<Database>,
    base: Data<Base>,
    bounds: Data<Bounds>,
) -> ApiResult {
    let projection = parameters.projection()?;
    let window = Window::parse(parameters.get("startIndex"), parameters.get("count"), bounds.max_page)?;
    let query = match parameters.get("filter") {
        Some(text) => UserQuery::try_from(&filter::parse(text)?)?,
        None => UserQuery::All,
    };
    let (total, users) = list_users(&database, caller.organization_id(), &query, window).await?;
    let resources = users.into_iter().map(|user| Value::Object(Shown::new(&USER, &base, user).projected(&projection)));
    json(StatusCode::OK, &ListResponse::page(total, window.start_index, resources.collect()))
}

/// `PUT /Users/{id}` (RFC 7644 section 3.5.1).
pub(super) async fn replace(
    call: Call,
    id: Path<String>,
    body: ScimBody,
    desk: Data<Desk>,
    database: Data<Database>,
    base: Data<Base>,
) -> ApiResult {
    let operation = UserOperation::Replace(user(body.json)?);
    let request = call.request(user_id(&id)?, operation, &body.bytes)?;
    match desk.submit(&request, &call.prefer).await? {
        Answer::Accepted(txn) => Ok(accepted(&base, txn, &call.prefer)),
        Answer::Applied(resource) => shown(&call, &database, &base, resource).await?.with_body(StatusCode::OK, &call.projection),
    }
}

/// `PATCH /Users/{id}` (RFC 7644 section 3.5.2): 204, or 200 with the body where the caller shows that it wants one.
pub(super) async fn patch(
    call: Call,
    id: Path<String>,
    body: ScimBody,
    desk: Data<Desk>,
    database: Data<Database>,
    base: Data<Base>,
) -> ApiResult {
    let operation = UserOperation::Patch(scim_patch::parse(&USER, body.json)?);
    let request = call.request(user_id(&id)?, operation, &body.bytes)?;
    let wants_body = call.prefer.representation || !call.projection.is_default();
    match desk.submit(&request, &call.prefer).await? {
        Answer::Accepted(txn) => Ok(accepted(&base, txn, &call.prefer)),
        Answer::Applied(resource) if wants_body => {
            shown(&call, &database, &base, resource).await?.with_body(StatusCode::OK, &call.projection)
        }
        Answer::Applied(resource) => Ok(shown(&call, &database, &base, resource).await?.without_body()),
    }
}

/// `DELETE /Users/{id}` (RFC 7644 section 3.6).
pub(super) async fn delete(call: Call, id: Path<String>, desk: Data<Desk>, base: Data<Base>) -> ApiResult {
    let request = call.request(user_id(&id)?, UserOperation::Delete, b"")?;
    match desk.submit(&request, &call.prefer).await? {
        Answer::Accepted(txn) => Ok(accepted(&base, txn, &call.prefer)),
        Answer::Applied(_) => Ok(HttpResponse::NoContent().finish()),
    }
}

/// Reads a body into a user's attributes; what can be refused without state is refused here.
fn user(body: Value) -> Result<Attributes, ScimError> {
    let attributes = validate::resource(&USER, body)?;
    memberships(&attributes)?;
    Ok(attributes)
}

/// An id that is none is the id of nobody.
fn user_id(text: &str) -> Result<UserId, ScimError> {
    text.parse().map_err(|_| no_user())
}

fn no_user() -> ScimError {
    ScimError::new(404, "there is no such user")
}

/// What a change left, complete for the caller. The names of workspaces are looked up only where they are asked for.
async fn shown<'a>(call: &Call, database: &Database, base: &Base, resource: Option<Attributes>) -> Result<Shown<'a>, ApiError> {
    let mut resource = resource.ok_or_else(|| ApiError::Internal("a change of a user was answered without the user".to_owned()))?;
    if call.projection.asks_on_request(&USER) {
        let ids = memberships(&resource)?.into_iter().map(|membership| membership.workspace_id).collect::<Vec<_>>();
        show_names(&mut resource, &workspace_names(database, call.caller.organization_id(), &ids).await?);
    }
    Ok(Shown::new(&USER, base, resource))
}
