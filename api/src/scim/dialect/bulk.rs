//! Bulk requests of the dialect: operations on users are translated one by one; those on groups are SCIM's
//! own.

use actix_web::web::Data;
use rollcall_events::request::{Dialect, UserOperation};
use rollcall_events::{UserId, WorkspaceId};
use rollcall_scim::ScimError;
use rollcall_scim::bulk::Operation;
use rollcall_scim::schema::USER;
use serde_json::{Map, Value};
use std::collections::HashMap;

use super::braze;
use super::changes::{keeping_the_name, name_the_user, operations};
use super::parts::Vocabulary;
use super::paths::local;
use super::shape::to_standard;
use super::spelling::beside_the_core;
use super::vocabulary::BrazeVocabulary;
use crate::error::ApiError;
use crate::read::{UserSummary, user_summaries};
use crate::scim::bulk::place;
use crate::scim::call::{Call, Writing};
use crate::scim::users;

/// What operations on users need to know.
pub(in crate::scim) struct Found {
    known: Data<BrazeVocabulary>,
    ids: HashMap<String, WorkspaceId>,
    /// The users that operations replace or modify.
    users: HashMap<UserId, UserSummary>,
}

impl Found {
    /// Looks up what some operations need to know. `created` are the users that the whole request creates,
    /// who may not be there yet.
    pub(in crate::scim) async fn look_up(
        call: &Call,
        writing: &Writing,
        operations: &[&Operation],
        created: &HashMap<UserId, UserSummary>,
    ) -> Result<Self, ApiError> {
        let on_users = || operations.iter().filter(|operation| is_on_users(operation));
        let ids = braze::workspaces(call, on_users().map(|operation| &operation.data), writing).await?;
        let changes = on_users().filter(|operation| matches!(operation.method.as_str(), "PUT" | "PATCH"));
        let ids_of_users: Vec<UserId> = changes.filter_map(|operation| place(&operation.path).1?.parse().ok()).collect();
        let mut users: HashMap<_, _> = ids_of_users.iter().filter_map(|id| Some((*id, created.get(id)?.clone()))).collect();
        if !ids_of_users.is_empty() {
            users.extend(user_summaries(&writing.database, call.caller.organization_id(), &ids_of_users).await?);
        }
        Ok(Self { known: writing.known.clone(), ids, users })
    }

    /// What an operation does to a user.
    pub(in crate::scim) fn operation(&self, method: &str, id: Option<UserId>, data: Value) -> Result<UserOperation, ScimError> {
        let vocabulary = Vocabulary { known: &self.known, ids: &self.ids };
        let present = || id.and_then(|id| self.users.get(&id)).ok_or_else(users::no_user);
        match method {
            "POST" => users::create_operation(Dialect::Braze, to_standard(vocabulary, data, None)?),
            "PUT" => users::replace_operation(Dialect::Braze, to_standard(vocabulary, data, Some(present()?))?),
            _ => {
                let changes = operations(vocabulary, data)?;
                let names = name_the_user(&changes);
                Ok(UserOperation::Patch(if names { keeping_the_name(changes, &present()?.user_name)? } else { changes }))
            }
        }
    }
}

/// The user that an operation creates, if `planned` has its id.
pub(in crate::scim) fn created(operation: &Operation, planned: &HashMap<String, String>) -> Option<(UserId, UserSummary)> {
    (operation.method == "POST" && is_on_users(operation)).then_some(())?;
    let id = planned.get(operation.bulk_id.as_ref()?)?.parse().ok()?;
    let data: Map<_, _> = beside_the_core(operation.data.as_object()?.clone()).into_iter().collect();
    let part = |name: &str| data.iter().find(|(key, _)| local(key).eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let user_name = part("userName")?.as_str()?.to_owned();
    Some((id, UserSummary { user_name, entitlements: part("entitlements").cloned() }))
}

/// The messages that callers of this dialect know, for an operation on users.
pub(in crate::scim) fn translated_error(operation: &Operation, error: ScimError) -> ScimError {
    if is_on_users(operation) { braze::translated_error(error) } else { error }
}

fn is_on_users(operation: &Operation) -> bool {
    place(&operation.path).0 == USER.endpoint.trim_start_matches('/')
}
