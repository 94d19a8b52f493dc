//! One operation of a bulk request: its target, and the request that the endpoint of its path would make.

use rollcall_events::request::{GroupOperation, IfMatch, RequestBody, UserOperation};
use rollcall_events::{GroupId, UserId, WorkspaceId};
use rollcall_scim::ScimError;
use rollcall_scim::bulk::Operation;
use serde_json::Value;

use crate::any_case;
use crate::dialect::{Change, Dialect, UserChange, UserTranslation};
use crate::{groups, users};

/// The resource that an operation is on, and the change that its data describes; `None` deletes the resource.
#[derive(Debug, Clone, Copy)]
enum Target {
    User(UserId, Option<Change>),
    Group(GroupId, Option<Change>),
}

/// An operation with the ids of the resources that it refers to.
pub(super) struct Step {
    pub(super) operation: Operation,
    target: Target,
}

impl Step {
    /// Reads the method and the path of an operation. `created` is the id of what it creates.
    ///
    /// # Errors
    /// 404 for an unknown endpoint or id, 405 for a method that the endpoint does not have, 400
    /// `invalidSyntax` for an unknown method.
    pub(super) fn read(operation: Operation, created: &str) -> Result<Self, ScimError> {
        let target = target(&operation, created)?;
        Ok(Self { operation, target })
    }

    /// The change of a user, for the dialect to prepare; `None` for any other operation.
    pub(super) fn user_change(&self) -> Option<UserChange<'_>> {
        let Target::User(id, Some(change)) = self.target else { return None };
        Some(UserChange { change, id, body: &self.operation.data, created_by: None })
    }

    /// The content of the request. A user that names no workspace joins `workspace`.
    pub(super) fn content(
        &self,
        workspace: WorkspaceId,
        dialect: &dyn Dialect,
        users: &dyn UserTranslation,
    ) -> Result<RequestBody, ScimError> {
        Ok(match self.target {
            Target::User(id, change) => {
                let read = |change| users.operation(change, id, self.data()?);
                let operation = change.map_or(Ok(UserOperation::Delete), read)?;
                users::content(workspace, id, self.if_match(change), operation)
            }
            Target::Group(id, change) => {
                let read = |change| dialect.group(change, self.data()?);
                let operation = change.map_or(Ok(GroupOperation::Delete), read)?;
                groups::content(id, self.if_match(change), operation)
            }
        })
    }

    fn data(&self) -> Result<Value, ScimError> {
        match &self.operation.data {
            Value::Null => Err(ScimError::invalid_syntax("data is missing")),
            data => Ok(data.clone()),
        }
    }

    fn if_match(&self, change: Option<Change>) -> Option<IfMatch> {
        let tag = self.operation.version.clone().filter(|_| change != Some(Change::Create))?;
        Some(if tag == "*" { IfMatch::Any } else { IfMatch::Tags(vec![tag]) })
    }
}

fn target(operation: &Operation, created: &str) -> Result<Target, ScimError> {
    let change = match operation.method.as_str() {
        "POST" => Some(Change::Create),
        "PUT" => Some(Change::Replace),
        "PATCH" => Some(Change::Patch),
        "DELETE" => None,
        _ => return Err(ScimError::invalid_syntax("method is not POST, PUT, PATCH or DELETE")),
    };
    let (endpoint, id) = place(&operation.path);
    let id = match (change, id) {
        (Some(Change::Create), None) => Some(created),
        (Some(Change::Create), Some(_)) => None,
        (_, id) => id,
    };
    match (endpoint, id) {
        ("Users", Some(id)) => Ok(Target::User(users::user_id(id)?, change)),
        ("Groups", Some(id)) => Ok(Target::Group(groups::group_id(id)?, change)),
        ("Users" | "Groups", None) => {
            Err(ScimError::new(405, format!("{} cannot be done at {}", operation.method, operation.path)))
        }
        _ => Err(ScimError::new(404, format!("{} is not an endpoint for bulk operations", operation.path))),
    }
}

/// Whether an operation is on users.
pub(super) fn is_on_users(operation: &Operation) -> bool {
    place(&operation.path).0 == "Users"
}

/// The endpoint that a path names, and the id after it.
fn place(path: &str) -> (&str, Option<&str>) {
    let path = path.trim_matches('/');
    let (endpoint, id) = path.split_once('/').map_or((path, None), |(endpoint, id)| (endpoint, Some(id)));
    (any_case::canonical(endpoint), id)
}
