//! Workspaces.

use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::request::{CreateWorkspace, Request};
use rollcall_events::{OrganizationId, Timestamp, WorkspaceId};
use rollcall_scim::ScimError;
use rollcall_scim::casefold::casefold;
use serde_json::json;
use std::sync::LazyLock;
use uuid::Uuid;

use super::kind::{ChangeRequest, Kind, Listeners, SettingFact, checked};
use crate::db::{StatementBatch, rows};
use crate::fact::{Fact, MalformedFact};
use crate::pipeline::decision::Interrupt;
use crate::pipeline::state::{Key, NotLoaded, State, Workspace, both};

impl ChangeRequest for CreateWorkspace {
    fn subject(&self, _: OrganizationId) -> (SubjectType, Uuid) {
        (SubjectType::Workspace, self.workspace_id.0)
    }

    fn operation(&self) -> &'static str {
        "createWorkspace"
    }

    fn keys(&self, organization: OrganizationId) -> Vec<Key> {
        vec![
            Key::Workspace(organization, self.workspace_id),
            Key::WorkspaceName(organization, casefold(self.name.as_str())),
        ]
    }

    fn check(&self) -> Result<(), ScimError> {
        checked("name", self.name.check())
    }

    fn decide(&self, state: &State, request: &Request) -> Result<SettingFact, Interrupt> {
        let (organization, id) = (request.organization_id, self.workspace_id);
        let named = state.workspace_named(organization, casefold(self.name.as_str()));
        let (named, with_id) = both(named, state.workspace(organization, id))?;
        if named.is_some() || with_id.is_some() {
            return Err(ScimError::uniqueness("there is a workspace with this name or id already").into());
        }
        let workspace = Workspace { id, name: self.name.to_string(), created_at: request.requested_at };
        Ok((EventType::WorkspaceCreated, json!({"workspace": workspace})))
    }
}

/// Reads the change from a `WorkspaceCreated` fact.
pub(super) fn created(fact: &Fact) -> Result<Workspace, MalformedFact> {
    fact.read("workspace")
}

/// The new workspaces of a batch.
#[derive(Default)]
pub(crate) struct Workspaces(Vec<(OrganizationId, Workspace)>);

rows! {
    /// New workspaces.
    pub(crate) struct WorkspaceRows {
        organization_id: OrganizationId => "uuid",
        id: WorkspaceId => "uuid",
        name: String => "text",
        name_key: String => "text",
        created_at: Timestamp => "timestamptz",
    }
}

static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO workspaces (organization_id, id, name, name_key, created_at)
        SELECT organization_id, id, name, name_key, created_at FROM {}",
        WorkspaceRows::source(1)
    )
});

impl Kind for Workspaces {
    type Change = Workspace;
    type Rows = WorkspaceRows;

    fn statements() -> Vec<&'static str> {
        vec![&INSERT]
    }

    fn apply(change: &Workspace, organization: OrganizationId, state: &mut State) -> Result<(), NotLoaded> {
        state.put_workspace(organization, change);
        Ok(())
    }

    fn listeners(_: &Workspace) -> Listeners {
        Listeners::ALL
    }

    fn take(&mut self, organization: OrganizationId, _: u64, change: Workspace) {
        self.0.push((organization, change));
    }

    fn rows(&self) -> WorkspaceRows {
        let mut rows = WorkspaceRows::default();
        for (organization, workspace) in &self.0 {
            rows.organization_id.push(*organization);
            rows.id.push(workspace.id);
            rows.name.push(workspace.name.clone());
            rows.name_key.push(casefold(&workspace.name));
            rows.created_at.push(workspace.created_at);
        }
        rows
    }

    fn add_to<'a>(rows: &'a WorkspaceRows, batch: &mut StatementBatch<'a>) {
        batch.add_if(!rows.is_empty(), &INSERT, || rows.parameters());
    }
}
