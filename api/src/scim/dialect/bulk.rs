//! Bulk requests of the dialect: operations on users are translated one by one; those on groups are SCIM's own.

use actix_web::web::Data;
use rollcall_events::request::{Dialect, UserOperation};
use rollcall_events::{UserId, WorkspaceId};
use rollcall_scim::ScimError;
use rollcall_scim::bulk::Operation;
use rollcall_scim::schema::USER;
use serde_json::Value;
use std::collections::HashMap;

use super::braze;
use super::changes::{keeping_the_name, name_the_user, operations};
use super::known::Known;
use super::parts::Words;
use super::shape::to_standard;
use crate::error::ApiError;
use crate::read::user_names;
use crate::scim::bulk::place;
use crate::scim::call::{Call, Writing};
use crate::scim::users;

/// What operations on users need to know.
pub(in crate::scim) struct Found {
    known: Data<Known>,
    ids: HashMap<String, WorkspaceId>,
    /// The names of the users that operations replace or modify.
    user_names: HashMap<UserId, String>,
}

impl Found {
    /// Looks up what some operations need to know. `created` are the users that the whole request creates, who may not be there yet.
    pub(in crate::scim) async fn look_up(
        call: &Call,
        writing: &Writing,
        operations: &[&Operation],
        created: HashMap<UserId, String>,
    ) -> Result<Self, ApiError> {
        let on_users = || operations.iter().filter(|operation| is_on_users(operation));
        let ids = braze::workspaces(call, on_users().map(|operation| &operation.data), writing).await?;
        let (mut names, ids_of_users): (_, Vec<_>) =
            (created, on_users().filter_map(|operation| place(&operation.path).1?.parse().ok()).collect());
        if !ids_of_users.is_empty() {
            names.extend(user_names(&writing.database, call.caller.organization_id(), &ids_of_users).await?);
        }
        Ok(Self { known: writing.known.clone(), ids, user_names: names })
    }

    /// What an operation does to a user.
    pub(in crate::scim) fn operation(&self, method: &str, id: Option<UserId>, data: Value) -> Result<UserOperation, ScimError> {
        let words = Words { known: &self.known, ids: &self.ids };
        let name = || id.and_then(|id| self.user_names.get(&id)).map(String::as_str).ok_or_else(users::no_user);
        match method {
            "POST" => users::create_operation(Dialect::Braze, to_standard(words, data, None)?),
            "PUT" => users::replace_operation(Dialect::Braze, to_standard(words, data, Some(name()?))?),
            _ => {
                let changes = operations(words, data)?;
                Ok(UserOperation::Patch(if name_the_user(&changes) { keeping_the_name(changes, name()?)? } else { changes }))
            }
        }
    }
}

/// The user that an operation creates, if `planned` has its id.
pub(in crate::scim) fn created(operation: &Operation, planned: &HashMap<String, String>) -> Option<(UserId, String)> {
    let id = planned.get(operation.bulk_id.as_ref()?)?.parse().ok()?;
    let (_, name) = operation.data.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case("userName"))?;
    (operation.method == "POST" && is_on_users(operation)).then_some(())?;
    Some((id, name.as_str()?.to_owned()))
}

/// The messages that callers of this dialect know, for an operation on users.
pub(in crate::scim) fn told(operation: &Operation, error: ScimError) -> ScimError {
    if is_on_users(operation) { braze::told(error) } else { error }
}

fn is_on_users(operation: &Operation) -> bool {
    place(&operation.path).0 == USER.endpoint.trim_start_matches('/')
}
