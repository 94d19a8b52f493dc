//! What one operation of a bulk request asks for.

use rollcall_events::request::{Dialect, IfMatch, RequestBody, UserOperation};
use rollcall_events::{UserId, WorkspaceId};
use rollcall_scim::ScimError;
use rollcall_scim::bulk::Operation;
use serde_json::Value;

use crate::endpoints;
use crate::scim::{groups, users};

/// The endpoint that a path names, and what of it.
pub(in crate::scim) fn place(path: &str) -> (&str, Option<&str>) {
    let path = path.trim_matches('/');
    let (endpoint, id) = path.split_once('/').map_or((path, None), |(endpoint, id)| (endpoint, Some(id)));
    (endpoints::canonical(endpoint), id)
}

/// What an operation asks for, as the endpoint of its path would. The caller has a default workspace and a
/// dialect; `planned` is the id of what it creates, and `change` reads what it does to a user.
pub(super) fn content(
    (workspace, dialect): (WorkspaceId, Dialect),
    operation: &Operation,
    planned: &str,
    change: impl Fn(&str, Option<UserId>, Value) -> Result<UserOperation, ScimError>,
) -> Result<RequestBody, ScimError> {
    let if_match = operation.version.clone().map(|tag| if tag == "*" { IfMatch::Any } else { IfMatch::Tags(vec![tag]) });
    let data = || match &operation.data {
        Value::Null => Err(ScimError::invalid_syntax("data is missing")),
        data => Ok(data.clone()),
    };
    let (endpoint, id) = place(&operation.path);
    match (operation.method.as_str(), endpoint, id) {
        ("POST", "Users", None) => Ok(users::content(workspace, users::user_id(planned)?, None, change("POST", None, data()?)?)),
        (method @ ("PUT" | "PATCH"), "Users", Some(id)) => {
            let id = users::user_id(id)?;
            Ok(users::content(workspace, id, if_match, change(method, Some(id), data()?)?))
        }
        ("DELETE", "Users", Some(id)) => Ok(users::content(workspace, users::user_id(id)?, if_match, users::DELETE)),
        ("POST", "Groups", None) => Ok(groups::content(groups::group_id(planned)?, None, groups::create_operation(dialect, data()?)?)),
        ("PUT", "Groups", Some(id)) => Ok(groups::content(groups::group_id(id)?, if_match, groups::replace_operation(dialect, data()?)?)),
        ("PATCH", "Groups", Some(id)) => Ok(groups::content(groups::group_id(id)?, if_match, groups::patch_operation(dialect, data()?)?)),
        ("DELETE", "Groups", Some(id)) => Ok(groups::content(groups::group_id(id)?, if_match, groups::DELETE)),
        ("POST" | "PUT" | "PATCH" | "DELETE", "Users" | "Groups", _) => {
            Err(ScimError::new(405, format!("{} cannot be done at {}", operation.method, operation.path)))
        }
        ("POST" | "PUT" | "PATCH" | "DELETE", ..) => {
            Err(ScimError::new(404, format!("{} is not an endpoint for bulk operations", operation.path)))
        }
        _ => Err(ScimError::invalid_syntax("method is not POST, PUT, PATCH or DELETE")),
    }
}
