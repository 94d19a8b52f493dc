//! `group map`.

use clap::Subcommand;
use rollcall_events::name::Permission;
use rollcall_events::request::MapGroup;
use rollcall_events::{GroupId, OrganizationId, WorkspaceId};
use serde_json::json;
use std::collections::BTreeSet;

use super::error::CommandError;
use super::parse;
use super::print::print;
use crate::settings::Settings;
use crate::submit::submit;

#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// Map a group to workspaces: its members belong to these workspaces while they are in the group. The new
    /// mapping replaces the old one.
    Map {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Id of the group.
        group: GroupId,
        /// A workspace and the members' permissions there: ID or ID=permission,permission. Repeat for several
        /// workspaces. Without any, the mapping is removed.
        #[arg(long = "workspace", value_parser = parse::mapping)]
        workspaces: Vec<(WorkspaceId, BTreeSet<Permission>)>,
    },
}

pub(super) async fn run(settings: &Settings, command: GroupCommand) -> Result<(), CommandError> {
    let GroupCommand::Map { organization, group, workspaces } = command;
    let mapping = MapGroup { group_id: group, workspaces: workspaces.into_iter().collect() };
    submit(settings, organization, mapping).await?;
    print(&json!({"id": group, "mapped": true}));
    Ok(())
}
