//! `organization create|list`.

use clap::Subcommand;
use rollcall_events::OrganizationId;
use rollcall_events::name::DisplayName;
use rollcall_events::request::CreateOrganization;
use serde_json::json;

use super::error::CommandError;
use super::list;
use super::print::print;
use crate::settings::Settings;
use crate::submit::submit;

#[derive(Debug, Subcommand)]
pub(crate) enum OrganizationCommand {
    /// Create an organization and print its id.
    Create {
        /// Display name of the organization.
        name: DisplayName,
    },
    /// List all organizations.
    List,
}

pub(super) async fn run(settings: &Settings, command: OrganizationCommand) -> Result<(), CommandError> {
    match command {
        OrganizationCommand::Create { name } => create(settings, name).await,
        OrganizationCommand::List => list::organizations(settings).await,
    }
}

async fn create(settings: &Settings, name: DisplayName) -> Result<(), CommandError> {
    let organization_id = OrganizationId::generate();
    submit(settings, OrganizationId::SYSTEM, CreateOrganization { organization_id, name }).await?;
    print(&json!({"id": organization_id}));
    Ok(())
}
