//! `group map`.

use rollcall_events::request::MapGroup;
use serde_json::json;

use super::args::GroupCommand;
use super::error::CommandError;
use super::print::print;
use crate::settings::Settings;
use crate::submit::submit;

pub(super) async fn run(settings: &Settings, command: GroupCommand) -> Result<(), CommandError> {
    let GroupCommand::Map { organization, group, workspaces } = command;
    let mapping = MapGroup { group_id: group, workspaces: workspaces.into_iter().collect() };
    submit(settings, organization, mapping).await?;
    print(&json!({"id": group, "mapped": true}));
    Ok(())
}
