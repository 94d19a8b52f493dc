//! Decisions about erasing deleted users.

use rollcall_events::UserId;
use rollcall_events::log::EventType;
use rollcall_events::request::Request;
use rollcall_scim::ScimError;
use serde_json::json;

use super::shared::SettingFact;
use crate::pipeline::decide::Interrupt;
use crate::pipeline::decide::keys::both;
use crate::pipeline::decide::state::State;

/// Erases a user who was deleted.
pub(super) fn erase(state: &State, request: &Request, id: UserId) -> Result<SettingFact, Interrupt> {
    let organization = request.organization_id;
    let (is_there, was_deleted) = both(state.has_user(organization, id), state.was_deleted(organization, id))?;
    if is_there {
        return Err(ScimError::new(
            409,
            "the user is not deleted, and only what is known of deleted users can be erased",
        )
        .into());
    }
    if !was_deleted {
        return Err(ScimError::new(404, "the log knows of no such user").into());
    }
    Ok((EventType::UserErased, json!({"operation": "eraseUser"})))
}
