//! The commands of `rollcall-worker`. Those that change something publish a `SettingsRequested` like everyone else and await its outcome;
//! those that list read the database. Each answers one JSON object a line.

mod ask;
mod cli;
mod dead_letters;
mod entitlement;
mod fill;
mod list;
mod migrate;
mod replay;
mod run;
mod settings;
mod stream;

use rollcall_events::log::checkpoint::{InvalidKey, generate_key};
use rollcall_events::request::{AuditorTokenSettings, SessionChange, SettingsRequested};
use rollcall_events::token::Token;
use rollcall_events::{OrganizationId, SessionId, Timestamp, TokenId, WorkspaceId};
use rollcall_service::settings::SettingsError;
use secrecy::ExposeSecret;

use crate::database::TaskError;
use crate::push::RefusedEndpoint;
use crate::settings::Settings;
use crate::store::StoreError;
pub(crate) use ask::{ask, ask_as};
pub(crate) use cli::Cli;
use cli::{
    AdminCommand, AuditorTokenCommand, Command, GroupCommand, IssueToken, KeyCommand, OrganizationCommand, TokenCommand, UserCommand,
    WorkspaceCommand,
};

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("postgres: {0}; is it running, and is database_url right?")]
    Postgres(#[from] tokio_postgres::Error),
    #[error("rabbitmq: {0}; is it running, and is amqp_url right?")]
    Broker(#[from] lapin::Error),
    #[error("the database cannot be migrated: {0}")]
    Migration(#[from] refinery::Error),
    #[error("{0}; are postgres and rabbitmq running, and are database_url and amqp_url right?")]
    Server(#[from] TaskError),
    #[error("rabbitmq did not accept the request")]
    NotConfirmed,
    #[error("no outcome came within {seconds} s; the request {event_id} is queued and will be applied once a worker serves its partition")]
    NoOutcome { event_id: rollcall_events::EventId, seconds: u64 },
    #[error("refused: {0}")]
    Refused(rollcall_scim::ScimError),
    #[error("the worker could not process the request {0}; see its log")]
    Failed(rollcall_events::EventId),
    #[error("an outcome cannot be read: {0}; are all programs of the same version?")]
    Unreadable(#[from] rollcall_events::envelope::DecodeError),
    #[error("the request cannot be written: {0}")]
    Unwritable(#[from] serde_json::Error),
    #[error("the operating system gives no random bytes: {0}")]
    NoRandomness(#[from] getrandom::Error),
    #[error("the database is not what its log adds up to; see the lines above")]
    Differs,
    #[error(transparent)]
    Endpoint(#[from] RefusedEndpoint),
    #[error(transparent)]
    Key(#[from] InvalidKey),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("the operating system gives no signals: {0}")]
    NoSignals(#[from] std::io::Error),
}

impl CommandError {
    /// Whether the request was decided, and refused.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// Runs a command.
///
/// # Errors
/// Where it could not be done; the message says what to do about it.
pub(crate) async fn run(command: Command, settings: Settings) -> Result<(), CommandError> {
    match command {
        Command::Run => Box::pin(run::run(settings)).await,
        Command::Migrate => migrate::migrate(&settings.migrate).await,
        Command::Replay(command) => replay::replay(&settings, &command).await,
        Command::Verify { organization } => replay::verify(&settings, organization).await,
        Command::Key(KeyCommand::Generate { name }) => {
            let (private, public) = generate_key(&name)?;
            print(&serde_json::json!({"private_key": private.expose_secret(), "public_key": public}));
            Ok(())
        }
        Command::Organization(OrganizationCommand::Create { name }) => {
            let organization_id = OrganizationId::generate();
            ask(&settings, OrganizationId::SYSTEM, SettingsRequested::CreateOrganization { organization_id, name }).await?;
            print(&serde_json::json!({"id": organization_id}));
            Ok(())
        }
        Command::Organization(OrganizationCommand::List) => list::organizations(&settings).await,
        Command::Workspace(WorkspaceCommand::Create { organization, name }) => {
            let workspace_id = WorkspaceId::generate();
            ask(&settings, organization, SettingsRequested::CreateWorkspace { workspace_id, name }).await?;
            print(&serde_json::json!({"id": workspace_id}));
            Ok(())
        }
        Command::Workspace(WorkspaceCommand::List { organization }) => list::workspaces(&settings, organization).await,
        Command::User(UserCommand::Erase { organization, user }) => {
            ask(&settings, organization, SettingsRequested::EraseUser { user_id: user }).await?;
            print(&serde_json::json!({"id": user, "erased": true}));
            Ok(())
        }
        Command::Group(GroupCommand::Map { organization, group, workspaces }) => {
            let mapping = SettingsRequested::MapGroup { group_id: group, workspaces: workspaces.into_iter().collect() };
            ask(&settings, organization, mapping).await?;
            print(&serde_json::json!({"id": group, "mapped": true}));
            Ok(())
        }
        Command::Token(TokenCommand::Issue(issue)) => issue_token(&settings, *issue).await,
        Command::Token(TokenCommand::List { organization }) => list::tokens(&settings, organization).await,
        Command::AuditorToken(AuditorTokenCommand::Issue { organization, label, allow, expires }) => {
            let (token, token_id) = (Token::generate()?, TokenId::generate());
            let chosen = AuditorTokenSettings { label, allow_list: allow, expires_at: expires };
            let request = SettingsRequested::IssueAuditorToken { token_id, digest: token.digest(), settings: chosen };
            ask(&settings, organization, request).await?;
            print(&serde_json::json!({"id": token_id, "token": token.reveal()}));
            Ok(())
        }
        Command::Admin(AdminCommand::Link { organization, name, role, minutes }) => {
            let (secret, session_id) = (Token::generate()?, SessionId::generate());
            let expires_at = Timestamp::now().after_seconds(u32::from(minutes) * 60);
            let change = SessionChange::Invite { digest: secret.digest(), name, role, expires_at };
            ask(&settings, organization, SettingsRequested::Session { session_id, change }).await?;
            let link = format!("{}/sign-in?link={}", settings.public_url, secret.reveal());
            print(&serde_json::json!({"id": session_id, "link": link, "expires_at": expires_at}));
            Ok(())
        }
        Command::Role(command) => entitlement::role(&settings, command).await,
        Command::Entitlement(command) => entitlement::entitlement(&settings, command).await,
        Command::DeadLetter(command) => dead_letters::run(&settings, command).await,
        Command::Stream(command) => stream::run(&settings, command).await,
        Command::AuditorToken(AuditorTokenCommand::List { organization }) => list::auditor_tokens(&settings, organization).await,
        Command::Token(TokenCommand::Revoke { organization, token })
        | Command::AuditorToken(AuditorTokenCommand::Revoke { organization, token }) => {
            ask(&settings, organization, SettingsRequested::RevokeToken { token_id: token }).await?;
            print(&serde_json::json!({"id": token, "revoked": true}));
            Ok(())
        }
    }
}

async fn issue_token(settings: &Settings, issue: IssueToken) -> Result<(), CommandError> {
    let (token, token_id, organization) = (Token::generate()?, TokenId::generate(), issue.organization);
    let request =
        SettingsRequested::IssueToken { token_id, digest: token.digest(), prefix: Some(token.prefix().to_owned()), settings: issue.into() };
    ask(settings, organization, request).await?;
    print(&serde_json::json!({"id": token_id, "token": token.reveal()}));
    Ok(())
}

fn print(answer: &serde_json::Value) {
    println!("{answer}");
}
