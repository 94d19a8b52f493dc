//! Decisions about the workspaces that groups are mapped to.

use rollcall_events::log::EventType;
use rollcall_events::request::Request;
use rollcall_events::{GroupId, WorkspaceId};
use rollcall_scim::ScimError;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

use super::shared::{SettingFact, no_workspace};
use crate::pipeline::decide::Interrupt;
use crate::pipeline::decide::keys::{both, look_up_all};
use crate::pipeline::decide::state::State;

/// Maps a group to workspaces, with the permissions in each.
pub(super) fn map(
    state: &State,
    request: &Request,
    id: GroupId,
    workspaces: &BTreeMap<WorkspaceId, BTreeSet<String>>,
) -> Result<SettingFact, Interrupt> {
    let organization = request.organization_id;
    let mapped = look_up_all(workspaces.keys(), |id| state.workspace(organization, **id));
    let (group, mapped) = both(state.group(organization, id), mapped)?;
    if group.is_none() {
        return Err(ScimError::new(404, "there is no such group").into());
    }
    if let Some((unknown, _)) = mapped.iter().find(|(_, workspace)| workspace.is_none()) {
        return Err(no_workspace(**unknown).into());
    }
    Ok((EventType::GroupMapped, json!({"workspaces": workspaces})))
}
