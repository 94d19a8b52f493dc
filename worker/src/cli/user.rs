//! `user erase`.

use rollcall_events::request::EraseUser;
use serde_json::json;

use super::args::UserCommand;
use super::error::CommandError;
use super::print::print;
use crate::settings::Settings;
use crate::submit::submit;

pub(super) async fn run(settings: &Settings, command: UserCommand) -> Result<(), CommandError> {
    let UserCommand::Erase { organization, user } = command;
    submit(settings, organization, EraseUser { user_id: user }).await?;
    print(&json!({"id": user, "erased": true}));
    Ok(())
}
