//! `workspace create|list`.

use rollcall_events::WorkspaceId;
use rollcall_events::request::CreateWorkspace;
use serde_json::json;

use super::args::WorkspaceCommand;
use super::error::CommandError;
use super::list;
use super::print::print;
use crate::settings::Settings;
use crate::submit::submit;

pub(super) async fn run(settings: &Settings, command: WorkspaceCommand) -> Result<(), CommandError> {
    match command {
        WorkspaceCommand::Create { organization, name } => {
            let workspace_id = WorkspaceId::generate();
            submit(settings, organization, CreateWorkspace { workspace_id, name }).await?;
            print(&json!({"id": workspace_id}));
            Ok(())
        }
        WorkspaceCommand::List { organization } => list::workspaces(settings, organization).await,
    }
}
