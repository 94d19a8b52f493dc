//! Mappings: the workspaces that groups are mapped to.

use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::name::Permission;
use rollcall_events::request::{MapGroup, Request};
use rollcall_events::{GroupId, OrganizationId, WorkspaceId};
use rollcall_scim::ScimError;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use uuid::Uuid;

use super::kind::{ChangeRequest, Kind, Listeners, SettingFact, checked, no_workspace};
use crate::db::{StatementBatch, array_text, rows};
use crate::fact::{Fact, MalformedFact};
use crate::pipeline::decision::Interrupt;
use crate::pipeline::rows::{Ids, RowKey, delete_by};
use crate::pipeline::state::{Key, NotLoaded, State, both, look_up_all};

impl ChangeRequest for MapGroup {
    fn subject(&self, _: OrganizationId) -> (SubjectType, Uuid) {
        (SubjectType::Group, self.group_id.0)
    }

    fn operation(&self) -> &'static str {
        "mapGroup"
    }

    fn keys(&self, organization: OrganizationId) -> Vec<Key> {
        let workspaces = self.workspaces.keys().map(|id| Key::Workspace(organization, *id));
        std::iter::once(Key::Group(organization, self.group_id)).chain(workspaces).collect()
    }

    fn check(&self) -> Result<(), ScimError> {
        self.workspaces.values().flatten().try_for_each(|permission| checked("permissions", permission.check()))
    }

    fn decide(&self, state: &State, request: &Request) -> Result<SettingFact, Interrupt> {
        let organization = request.organization_id;
        let mapped = look_up_all(self.workspaces.keys(), |id| state.workspace(organization, **id));
        let (group, mapped) = both(state.group(organization, self.group_id), mapped)?;
        if group.is_none() {
            return Err(ScimError::new(404, "there is no such group").into());
        }
        if let Some((unknown, _)) = mapped.iter().find(|(_, workspace)| workspace.is_none()) {
            return Err(no_workspace(**unknown).into());
        }
        Ok((EventType::GroupMapped, json!({"workspaces": self.workspaces})))
    }
}

/// The workspaces that a group is mapped to, each with the permissions of the members.
type Workspaces = BTreeMap<WorkspaceId, BTreeSet<Permission>>;

/// The new mapping of a group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mapping {
    group: GroupId,
    workspaces: Workspaces,
}

impl Mapping {
    /// The mapping of a deleted group.
    pub(super) fn none(group: GroupId) -> Self {
        Self { group, workspaces: Workspaces::new() }
    }
}

/// Reads the change from a `GroupMapped` fact.
pub(super) fn mapped(fact: &Fact) -> Result<Mapping, MalformedFact> {
    Ok(Mapping { group: GroupId(fact.subject()?), workspaces: fact.read("workspaces")? })
}

/// The new mappings of a batch.
#[derive(Default)]
pub(crate) struct Mappings(BTreeMap<RowKey<GroupId>, Workspaces>);

rows! {
    /// The workspaces that groups are mapped to.
    struct WorkspaceRows {
        organization_id: OrganizationId => "uuid",
        group_id: GroupId => "uuid",
        workspace_id: WorkspaceId => "uuid",
        permissions: String => "text",
    }
}

/// The rows of mappings that a batch writes.
pub(crate) struct MappingRows {
    groups: Ids,
    workspaces: WorkspaceRows,
}

static DELETE: LazyLock<String> = LazyLock::new(|| delete_by("group_workspaces", "group_id"));

static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO group_workspaces (organization_id, group_id, workspace_id, permissions)
        SELECT organization_id, group_id, workspace_id, permissions::text[] FROM {}",
        WorkspaceRows::source(1)
    )
});

impl Kind for Mappings {
    type Change = Mapping;
    type Rows = MappingRows;

    fn statements() -> Vec<&'static str> {
        vec![&DELETE, &INSERT]
    }

    fn apply(_: &Mapping, _: OrganizationId, _: &mut State) -> Result<(), NotLoaded> {
        Ok(())
    }

    fn listeners(_: &Mapping) -> Listeners {
        Listeners::APPLICATIONS
    }

    fn take(&mut self, organization: OrganizationId, _: u64, change: Mapping) {
        self.0.insert((organization, change.group), change.workspaces);
    }

    fn rows(&self) -> MappingRows {
        let groups = self.0.keys().map(|(organization, group)| (*organization, group.0)).collect();
        let mut workspaces = WorkspaceRows::default();
        for ((organization, group), mapped) in &self.0 {
            for (workspace, permissions) in mapped {
                workspaces.organization_id.push(*organization);
                workspaces.group_id.push(*group);
                workspaces.workspace_id.push(*workspace);
                workspaces.permissions.push(array_text(permissions));
            }
        }
        MappingRows { groups, workspaces }
    }

    fn add_to<'a>(rows: &'a MappingRows, batch: &mut StatementBatch<'a>) {
        batch.add_if(!rows.groups.is_empty(), &DELETE, || rows.groups.parameters());
        batch.add_if(!rows.workspaces.is_empty(), &INSERT, || rows.workspaces.parameters());
    }
}
