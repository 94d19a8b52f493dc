//! The command line: all commands. The arguments of each are in its own file.

use clap::{Parser, Subcommand};
use rollcall_events::OrganizationId;
use std::path::PathBuf;

use super::admin::AdminCommand;
use super::dead_letters::DeadLetterCommand;
use super::entitlement::{EntitlementCommand, RoleCommand};
use super::group::GroupCommand;
use super::key::KeyCommand;
use super::log::LogCommand;
use super::organization::OrganizationCommand;
use super::replay::ReplayCommand;
use super::sink::SinkCommand;
use super::stream::StreamCommand;
use super::token::{AuditorTokenCommand, TokenCommand};
use super::user::UserCommand;
use super::workspace::WorkspaceCommand;

/// Applies requests, maintains the log, and administers organizations, workspaces and tokens.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    /// Settings file (TOML). Environment variables override it.
    #[arg(long, global = true, env = "ROLLCALL_SETTINGS")]
    pub(crate) settings: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the queue's partitions until a stop signal.
    Run,
    /// Migrate the database to the newest schema, and set the passwords of the roles.
    Migrate,
    /// Rebuild the projections from the log, and repair the live ones or only compare them. The service keeps
    /// running.
    Replay(ReplayCommand),
    /// Check every log from its first entry to its last, and compare the projections with it. Without an
    /// organization, check the service log too.
    Verify {
        /// Check only this organization. Default: all organizations.
        #[arg(long)]
        organization: Option<OrganizationId>,
    },
    /// Continue logs that are refused after a restore of the database, or replace a lost signer file.
    #[command(subcommand)]
    Log(LogCommand),
    /// Generate keys that sign checkpoints.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Create or list organizations.
    #[command(subcommand)]
    Organization(OrganizationCommand),
    /// Create or list workspaces.
    #[command(subcommand)]
    Workspace(WorkspaceCommand),
    /// Define, list or remove the roles that users can have.
    #[command(subcommand)]
    Role(RoleCommand),
    /// Define, list or remove the entitlements that users can have.
    #[command(subcommand)]
    Entitlement(EntitlementCommand),
    /// Erase the personal data of deleted users from the log.
    #[command(subcommand)]
    User(UserCommand),
    /// List, retry or discard dead letters: requests that could not be applied.
    #[command(subcommand)]
    DeadLetter(DeadLetterCommand),
    /// Map groups to workspaces.
    #[command(subcommand)]
    Group(GroupCommand),
    /// Issue, list or revoke SCIM tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Issue, list or revoke auditor tokens, which give read access to the log.
    #[command(subcommand)]
    AuditorToken(AuditorTokenCommand),
    /// Create sign-in links for the pages, list sessions, or erase administrators from the log.
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Create, list, resume or delete event streams, which deliver changes of users and groups as security
    /// events (RFC 9967).
    #[command(subcommand)]
    Stream(StreamCommand),
    /// List how far the log was delivered to sinks, or forget it.
    #[command(subcommand)]
    Sink(SinkCommand),
}
