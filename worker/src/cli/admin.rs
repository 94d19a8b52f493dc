//! `admin link|list|erase`.

use clap::Subcommand;
use rollcall_events::name::DisplayName;
use rollcall_events::request::{ChangeSession, SessionChange};
use rollcall_events::session::Role;
use rollcall_events::token::Token;
use rollcall_events::{OrganizationId, SessionId, Timestamp};
use serde_json::json;

use super::error::CommandError;
use super::list;
use super::print::print;
use crate::settings::Settings;
use crate::submit::submit;

#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Print a sign-in link, which can be used once.
    Link {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Display name of the person who signs in.
        #[arg(long)]
        name: DisplayName,
        /// Role of the person: owner, administrator or auditor.
        #[arg(long, default_value = "administrator")]
        role: Role,
        /// Validity of the link in minutes, from 1 to 1440.
        #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..=1440))]
        minutes: u16,
    },
    /// List an organization's sign-in links and sessions.
    List {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
    },
    /// Erase an administrator from the log: the person's name in entries about the given sessions, and the
    /// actor's details in entries that these sessions caused. The sessions end. Proofs still verify. The data
    /// cannot be restored.
    Erase {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// The sessions, as `admin list` prints them.
        #[arg(required = true)]
        sessions: Vec<SessionId>,
    },
}

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
