//! `workspace create|list`.

use clap::Subcommand;
use rollcall_events::name::UniqueName;
use rollcall_events::request::CreateWorkspace;
use rollcall_events::{OrganizationId, WorkspaceId};
use serde_json::json;

use super::error::CommandError;
use super::list;
use super::print::print;
use crate::settings::Settings;
use crate::submit::submit;

#[derive(Debug, Subcommand)]
pub(crate) enum WorkspaceCommand {
    /// Create a workspace and print its id.
    Create {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Name of the workspace, unique in the organization.
        name: UniqueName,
    },
    /// List an organization's workspaces.
    List {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
    },
}

pub(super) async fn run(settings: &Settings, command: WorkspaceCommand) -> Result<(), CommandError> {
    match command {
        WorkspaceCommand::Create { organization, name } => create(settings, organization, name).await,
        WorkspaceCommand::List { organization } => list::workspaces(settings, organization).await,
    }
}

async fn create(settings: &Settings, organization: OrganizationId, name: UniqueName) -> Result<(), CommandError> {
    let workspace_id = WorkspaceId::generate();
    submit(settings, organization, CreateWorkspace { workspace_id, name }).await?;
    print(&json!({"id": workspace_id}));
    Ok(())
}
