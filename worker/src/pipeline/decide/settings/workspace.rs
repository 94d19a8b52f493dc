//! Decisions about workspaces.

use rollcall_events::WorkspaceId;
use rollcall_events::log::EventType;
use rollcall_events::request::Request;
use rollcall_scim::ScimError;
use rollcall_scim::casefold::casefold;
use serde_json::json;

use super::shared::SettingFact;
use crate::pipeline::decide::Interrupt;
use crate::pipeline::decide::entity::Workspace;
use crate::pipeline::decide::keys::both;
use crate::pipeline::decide::state::State;

/// Creates a workspace. A request may give an id or a name for a workspace, so no name may look like an id.
pub(super) fn create(state: &State, request: &Request, id: WorkspaceId, name: &str) -> Result<SettingFact, Interrupt> {
    if name.parse::<WorkspaceId>().is_ok() {
        return Err(ScimError::invalid_value("name: a name cannot have the form of an id").into());
    }
    let organization = request.organization_id;
    let (named, with_id) =
        both(state.workspace_named(organization, casefold(name)), state.workspace(organization, id))?;
    if named.is_some() || with_id.is_some() {
        return Err(ScimError::uniqueness("there is a workspace with this name or id already").into());
    }
    let workspace = Workspace { id, name: name.to_owned(), created_at: request.requested_at };
    Ok((EventType::WorkspaceCreated, json!({"workspace": workspace})))
}
