//! Decisions about organizations.

use rollcall_events::OrganizationId;
use rollcall_events::log::EventType;
use rollcall_events::request::Request;
use rollcall_scim::ScimError;
use serde_json::json;

use super::shared::SettingFact;
use crate::pipeline::decide::Interrupt;
use crate::pipeline::decide::state::State;

/// Creates an organization.
pub(super) fn create(
    state: &State,
    request: &Request,
    id: OrganizationId,
    name: &str,
) -> Result<SettingFact, Interrupt> {
    if state.has_organization(id)? {
        return Err(ScimError::uniqueness("there is an organization with this id already").into());
    }
    Ok((EventType::OrganizationCreated, json!({"name": name, "created_at": request.requested_at})))
}
