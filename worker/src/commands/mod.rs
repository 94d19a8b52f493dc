//! The commands of `rollcall-worker`. Those that change something publish a `SettingsRequested` like everyone else and await its outcome;
//! those that list read the database. Each answers one JSON object a line.

mod ask;
mod erase;
mod fill;
mod list;
mod migrate;
mod replay;
mod run;
mod settings;

use clap::{Args, Parser, Subcommand};
use rollcall_events::address::AllowList;
use rollcall_events::log::checkpoint::{InvalidKey, generate_key};
use rollcall_events::origin::ServiceOrigin;
use rollcall_events::request::{AuditorTokenSettings, SettingsRequested};
use rollcall_events::token::Token;
use rollcall_events::{GroupId, OrganizationId, Timestamp, TokenId, UserId, WorkspaceId};
use rollcall_service::settings::SettingsError;
use secrecy::ExposeSecret;
use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::settings::Settings;
use crate::store::StoreError;

/// Applies what was requested, keeps the log, and administers organizations, workspaces and tokens.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    /// A settings file (TOML); the environment overrides it.
    #[arg(long, global = true, env = "ROLLCALL_SETTINGS")]
    pub(crate) settings: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the queue's partitions until told to stop.
    Run,
    /// Bring the database to the newest schema and set the roles' passwords.
    Migrate,
    /// Rebuild what applications and the api read from the log, while the service runs, and make it alike or compare.
    Replay(replay::ReplayCommand),
    /// Check the logs from end to end, and that what applications and the api read is what they add up to.
    Verify {
        /// Only this organization; all where it is left out.
        #[arg(long)]
        organization: Option<OrganizationId>,
    },
    /// Make keys that sign checkpoints.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Create or list organizations.
    #[command(subcommand)]
    Organization(OrganizationCommand),
    /// Create or list workspaces.
    #[command(subcommand)]
    Workspace(WorkspaceCommand),
    /// Erase what the log holds about deleted users.
    #[command(subcommand)]
    User(UserCommand),
    /// Map groups to workspaces.
    #[command(subcommand)]
    Group(GroupCommand),
    /// Issue, list or revoke SCIM tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Issue, list or revoke the tokens that auditors read the log with.
    #[command(subcommand)]
    AuditorToken(AuditorTokenCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a pair of keys: the private one for the settings of the worker, the public one for auditors.
    Generate {
        /// The name of the signer, such as log.example.com.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum OrganizationCommand {
    /// Create an organization; prints its id.
    Create {
        #[arg(value_parser = settings::name)]
        name: String,
    },
    /// List all organizations.
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkspaceCommand {
    /// Create a workspace; prints its id.
    Create {
        #[arg(long)]
        organization: OrganizationId,
        #[arg(value_parser = settings::name)]
        name: String,
    },
    /// List an organization's workspaces.
    List {
        #[arg(long)]
        organization: OrganizationId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Erase the payloads of all entries about a user, who must be deleted; proofs still hold, and nothing brings the data back.
    Erase {
        #[arg(long)]
        organization: OrganizationId,
        user: UserId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// Make the members of a group members of these workspaces, and of no others on its account, for as long as they are in the group.
    Map {
        #[arg(long)]
        organization: OrganizationId,
        group: GroupId,
        /// A workspace, and what the members may do there: ID or ID=permission,permission. Repeat it for several; without it the mapping ends.
        #[arg(long = "workspace", value_parser = settings::mapping)]
        workspaces: Vec<(WorkspaceId, BTreeSet<String>)>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Issue a token; prints its id and, this once, the token itself.
    Issue(Box<IssueToken>),
    /// List an organization's tokens, without their secrets.
    List {
        #[arg(long)]
        organization: OrganizationId,
    },
    /// Revoke a token at once.
    Revoke {
        #[arg(long)]
        organization: OrganizationId,
        token: TokenId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditorTokenCommand {
    /// Issue a token; prints its id and, this once, the token itself.
    Issue {
        #[arg(long)]
        organization: OrganizationId,
        /// A name for people.
        #[arg(long, value_parser = settings::name)]
        label: String,
        /// Allowed addresses: a comma-separated list of addresses, networks and first-last ranges.
        #[arg(long)]
        allow: Option<AllowList>,
        /// When the token ends of itself, such as 2027-01-31T00:00:00Z.
        #[arg(long)]
        expires: Option<Timestamp>,
    },
    /// List an organization's auditors' tokens, without their secrets.
    List {
        #[arg(long)]
        organization: OrganizationId,
    },
    /// Revoke a token at once.
    Revoke {
        #[arg(long)]
        organization: OrganizationId,
        token: TokenId,
    },
}

#[derive(Debug, Args)]
pub(crate) struct IssueToken {
    #[arg(long)]
    organization: OrganizationId,
    /// A name for people.
    #[arg(long, value_parser = settings::name)]
    label: String,
    /// The workspace of users that name none.
    #[arg(long)]
    default_workspace: WorkspaceId,
    /// Where the caller's requests come from, such as hr.example.com.
    #[arg(long)]
    service_origin: ServiceOrigin,
    /// Do not require the origin header, for callers that cannot send one (Okta, Entra ID); a wrong one is still refused.
    #[arg(long)]
    origin_not_required: bool,
    /// Allowed addresses: a comma-separated list of addresses, networks and first-last ranges.
    #[arg(long)]
    allow: Option<AllowList>,
    /// The shape that the caller speaks: standard (SCIM 2.0) or braze.
    #[arg(long, default_value = "standard")]
    dialect: rollcall_events::request::Dialect,
    /// When the token ends of itself, such as 2027-01-31T00:00:00Z.
    #[arg(long)]
    expires: Option<Timestamp>,
}

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
    Key(#[from] InvalidKey),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("the operating system gives no signals: {0}")]
    NoSignals(#[from] std::io::Error),
}

/// Runs a command.
///
/// # Errors
/// Where it could not be done; the message says what to do about it.
pub(crate) async fn run(command: Command, settings: Settings) -> Result<(), CommandError> {
    match command {
        Command::Run => run::run(settings).await,
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
            ask::ask(&settings, OrganizationId::SYSTEM, SettingsRequested::CreateOrganization { organization_id, name }).await?;
            print(&serde_json::json!({"id": organization_id}));
            Ok(())
        }
        Command::Organization(OrganizationCommand::List) => list::organizations(&settings).await,
        Command::Workspace(WorkspaceCommand::Create { organization, name }) => {
            let workspace_id = WorkspaceId::generate();
            ask::ask(&settings, organization, SettingsRequested::CreateWorkspace { workspace_id, name }).await?;
            print(&serde_json::json!({"id": workspace_id}));
            Ok(())
        }
        Command::Workspace(WorkspaceCommand::List { organization }) => list::workspaces(&settings, organization).await,
        Command::User(UserCommand::Erase { organization, user }) => {
            ask::ask(&settings, organization, SettingsRequested::EraseUser { user_id: user }).await?;
            let dead_letters = erase::dead_letters(&settings, user).await?;
            print(&serde_json::json!({"id": user, "erased": true, "dead_letters": dead_letters}));
            Ok(())
        }
        Command::Group(GroupCommand::Map { organization, group, workspaces }) => {
            let mapping = SettingsRequested::MapGroup { group_id: group, workspaces: workspaces.into_iter().collect() };
            ask::ask(&settings, organization, mapping).await?;
            print(&serde_json::json!({"id": group, "mapped": true}));
            Ok(())
        }
        Command::Token(TokenCommand::Issue(issue)) => issue_token(&settings, *issue).await,
        Command::Token(TokenCommand::List { organization }) => list::tokens(&settings, organization).await,
        Command::AuditorToken(AuditorTokenCommand::Issue { organization, label, allow, expires }) => {
            let (token, token_id) = (Token::generate()?, TokenId::generate());
            let chosen = AuditorTokenSettings { label, allow_list: allow, expires_at: expires };
            let request = SettingsRequested::IssueAuditorToken { token_id, digest: token.digest(), settings: chosen };
            ask::ask(&settings, organization, request).await?;
            print(&serde_json::json!({"id": token_id, "token": token.reveal()}));
            Ok(())
        }
        Command::AuditorToken(AuditorTokenCommand::List { organization }) => list::auditor_tokens(&settings, organization).await,
        Command::Token(TokenCommand::Revoke { organization, token })
        | Command::AuditorToken(AuditorTokenCommand::Revoke { organization, token }) => {
            ask::ask(&settings, organization, SettingsRequested::RevokeToken { token_id: token }).await?;
            print(&serde_json::json!({"id": token, "revoked": true}));
            Ok(())
        }
    }
}

async fn issue_token(settings: &Settings, issue: IssueToken) -> Result<(), CommandError> {
    let (token, token_id, organization) = (Token::generate()?, TokenId::generate(), issue.organization);
    let request = SettingsRequested::IssueToken { token_id, digest: token.digest(), settings: issue.into() };
    ask::ask(settings, organization, request).await?;
    print(&serde_json::json!({"id": token_id, "token": token.reveal()}));
    Ok(())
}

fn print(answer: &serde_json::Value) {
    println!("{answer}");
}
