//! The parts that decisions about every kind of setting share.

use rollcall_events::WorkspaceId;
use rollcall_events::log::EventType;
use rollcall_scim::ScimError;
use serde_json::Value;

/// The type of a log entry and its facts.
pub(super) type SettingFact = (EventType, Value);

/// The error for a workspace that a setting names and that does not exist in the organization.
pub(super) fn no_workspace(id: WorkspaceId) -> ScimError {
    ScimError::invalid_value(format!("workspaces: there is no workspace {id} in the organization"))
}
