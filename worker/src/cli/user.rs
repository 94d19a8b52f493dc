//! `user erase`.

use clap::Subcommand;
use rollcall_events::request::EraseUser;
use rollcall_events::{OrganizationId, UserId};
use serde_json::json;

use super::error::CommandError;
use super::print::print;
use crate::settings::Settings;
use crate::submit::submit;

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Erase the payloads of all log entries about a deleted user. Proofs still verify. The data cannot be
    /// restored.
    Erase {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Id of the deleted user.
        user: UserId,
    },
}

pub(super) async fn run(settings: &Settings, command: UserCommand) -> Result<(), CommandError> {
    let UserCommand::Erase { organization, user } = command;
    submit(settings, organization, EraseUser { user_id: user }).await?;
    print(&json!({"id": user, "erased": true}));
    Ok(())
}
