//! The commands of `rollcall-worker`. A command that changes something publishes a `SettingsRequested` and
//! waits for its outcome. A command that lists reads from the database. The output is one JSON object per
//! line.

mod args;
mod dead_letters;
mod entitlement;
mod error;
mod fill;
mod issue_token;
mod list;
mod log;
mod migrate;
mod parse;
mod print;
mod replay;
mod run;
mod sink;
mod stream;

use rollcall_events::log::checkpoint::generate_key;
use rollcall_events::request::{
    AuditorTokenSettings, ChangeSession, CreateOrganization, CreateWorkspace, EraseUser, IssueAuditorToken, MapGroup,
    RevokeToken, SessionChange,
};
use rollcall_events::token::Token;
use rollcall_events::{OrganizationId, SessionId, Timestamp, TokenId, WorkspaceId};
use secrecy::ExposeSecret;

use crate::settings::Settings;
use crate::submit::submit;
pub(crate) use args::Cli;
use args::{
    AdminCommand, AuditorTokenCommand, Command, GroupCommand, KeyCommand, OrganizationCommand, TokenCommand,
    UserCommand, WorkspaceCommand,
};
pub(crate) use error::CommandError;
use print::print;

/// Runs a command.
///
/// # Errors
/// If the command fails. The message suggests a remedy.
pub(crate) async fn run(command: Command, settings: Settings) -> Result<(), CommandError> {
    match command {
        Command::Run => Box::pin(run::run(settings)).await,
        Command::Migrate => migrate::migrate(&settings.migrate).await,
        Command::Replay(command) => replay::replay(&settings, &command).await,
        Command::Verify { organization } => replay::verify(&settings, organization).await,
        Command::Log(command) => log::run(&settings, command).await,
        Command::Key(KeyCommand::Generate { name }) => {
            let (private, public) = generate_key(&name)?;
            print(&serde_json::json!({"private_key": private.expose_secret(), "public_key": public}));
            Ok(())
        }
        Command::Key(KeyCommand::ServiceLog) => {
            let (origin, keys) = settings.service_log_keys()?;
            let origin = origin.ok_or(CommandError::NoCheckpointKey)?;
            let keys: Vec<_> = keys.into_iter().map(|key| key.public).collect();
            print(&serde_json::json!({"origin": origin, "public_keys": keys}));
            Ok(())
        }
        Command::Organization(OrganizationCommand::Create { name }) => {
            let organization_id = OrganizationId::generate();
            submit(&settings, OrganizationId::SYSTEM, CreateOrganization { organization_id, name }).await?;
            print(&serde_json::json!({"id": organization_id}));
            Ok(())
        }
        Command::Organization(OrganizationCommand::List) => list::organizations(&settings).await,
        Command::Workspace(WorkspaceCommand::Create { organization, name }) => {
            let workspace_id = WorkspaceId::generate();
            submit(&settings, organization, CreateWorkspace { workspace_id, name }).await?;
            print(&serde_json::json!({"id": workspace_id}));
            Ok(())
        }
        Command::Workspace(WorkspaceCommand::List { organization }) => list::workspaces(&settings, organization).await,
        Command::User(UserCommand::Erase { organization, user }) => {
            submit(&settings, organization, EraseUser { user_id: user }).await?;
            print(&serde_json::json!({"id": user, "erased": true}));
            Ok(())
        }
        Command::Group(GroupCommand::Map { organization, group, workspaces }) => {
            let mapping = MapGroup { group_id: group, workspaces: workspaces.into_iter().collect() };
            submit(&settings, organization, mapping).await?;
            print(&serde_json::json!({"id": group, "mapped": true}));
            Ok(())
        }
        Command::Token(TokenCommand::Issue(issue)) => issue_token::issue_token(&settings, *issue).await,
        Command::Token(TokenCommand::List { organization }) => list::tokens(&settings, organization).await,
        Command::AuditorToken(AuditorTokenCommand::Issue { organization, label, allow, expires }) => {
            let (token, token_id) = (Token::generate()?, TokenId::generate());
            let chosen = AuditorTokenSettings { label, allow_list: allow, expires_at: expires };
            let request = IssueAuditorToken { token_id, digest: token.digest(), settings: chosen };
            submit(&settings, organization, request).await?;
            print(&serde_json::json!({"id": token_id, "token": token.reveal()}));
            Ok(())
        }
        Command::Admin(AdminCommand::Link { organization, name, role, minutes }) => {
            let (secret, session_id) = (Token::generate()?, SessionId::generate());
            let expires_at = Timestamp::now().after_seconds(u32::from(minutes) * 60);
            let change = SessionChange::Invite { digest: secret.digest(), name, role, expires_at };
            submit(&settings, organization, ChangeSession { session_id, change }).await?;
            let link = format!("{}/sign-in?link={}", settings.public_url, secret.reveal());
            print(&serde_json::json!({"id": session_id, "link": link, "expires_at": expires_at}));
            Ok(())
        }
        Command::Admin(AdminCommand::List { organization }) => list::sessions(&settings, organization).await,
        Command::Admin(AdminCommand::Erase { organization, sessions }) => {
            for session_id in sessions {
                submit(&settings, organization, ChangeSession { session_id, change: SessionChange::Erase }).await?;
                print(&serde_json::json!({"id": session_id, "erased": true}));
            }
            Ok(())
        }
        Command::Role(command) => entitlement::role(&settings, command).await,
        Command::Entitlement(command) => entitlement::entitlement(&settings, command).await,
        Command::DeadLetter(command) => dead_letters::run(&settings, command).await,
        Command::Stream(command) => stream::run(&settings, command).await,
        Command::Sink(command) => sink::run(&settings, command).await,
        Command::AuditorToken(AuditorTokenCommand::List { organization }) => {
            list::auditor_tokens(&settings, organization).await
        }
        Command::Token(TokenCommand::Revoke { organization, token })
        | Command::AuditorToken(AuditorTokenCommand::Revoke { organization, token }) => {
            submit(&settings, organization, RevokeToken { token_id: token }).await?;
            print(&serde_json::json!({"id": token, "revoked": true}));
            Ok(())
        }
    }
}
