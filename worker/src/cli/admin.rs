//! `admin link|list|erase`.

use rollcall_events::request::{ChangeSession, SessionChange};
use rollcall_events::token::Token;
use rollcall_events::{SessionId, Timestamp};
use serde_json::json;

use super::args::AdminCommand;
use super::error::CommandError;
use super::list;
use super::print::print;
use crate::settings::Settings;
use crate::submit::submit;

pub(super) async fn run(settings: &Settings, command: AdminCommand) -> Result<(), CommandError> {
    match command {
        AdminCommand::Link { organization, name, role, minutes } => {
            let (secret, session_id) = (Token::generate()?, SessionId::generate());
            let expires_at = Timestamp::now().after_seconds(u32::from(minutes) * 60);
            let change = SessionChange::Invite { digest: secret.digest(), name, role, expires_at };
            submit(settings, organization, ChangeSession { session_id, change }).await?;
            let link = format!("{}/sign-in?link={}", settings.public_url, secret.reveal());
            print(&json!({"id": session_id, "link": link, "expires_at": expires_at}));
        }
        AdminCommand::List { organization } => list::sessions(settings, organization).await?,
        AdminCommand::Erase { organization, sessions } => {
            for session_id in sessions {
                submit(settings, organization, ChangeSession { session_id, change: SessionChange::Erase }).await?;
                print(&json!({"id": session_id, "erased": true}));
            }
        }
    }
    Ok(())
}
