//! The command line: commands and their arguments.

use clap::{Args, Parser, Subcommand};
use rollcall_events::address::AllowList;
use rollcall_events::name::{Description, DisplayName, EntitlementType, Label, Permission, Reason, UniqueName};
use rollcall_events::request::ENTITLEMENT_TYPE;
use rollcall_events::session::Role;
use rollcall_events::stream::Endpoint;
use rollcall_events::{
    DeadLetterId, EntitlementId, GroupId, OrganizationId, SessionId, StreamId, Timestamp, TokenId, UserId, WorkspaceId,
};
use rollcall_scim::event::Event;
use std::collections::BTreeSet;
use std::path::PathBuf;

use super::issue_token::IssueToken;
use super::parse;
use super::replay::ReplayCommand;

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

#[derive(Debug, Subcommand)]
pub(crate) enum SinkCommand {
    /// List the position of each sink in each log, and why its delivery fails.
    List,
    /// Forget the positions of a sink that was removed from the settings, or that is to begin again. Stop the
    /// workers that have it in their settings before.
    Forget {
        /// The name of the sink.
        name: String,
        /// Forget only the position in the log of this organization.
        #[arg(long)]
        organization: Option<OrganizationId>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Continue refused logs, although the database has lost entries that were signed. An entry of each log
    /// (`LogRestored`) states what was lost. Run it where the signer file is. Run `verify` first.
    AcceptRestore {
        /// The organization whose log is refused.
        #[arg(long, required_unless_present = "all", conflicts_with = "all")]
        organization: Option<OrganizationId>,
        /// Continue every refused log.
        #[arg(long)]
        all: bool,
        /// Reason, which is recorded in each log.
        #[arg(long)]
        reason: Reason,
    },
    /// Write a new signer file from the newest checkpoints in the database, because the file is lost. A
    /// rollback that happened before this is not noticed.
    Adopt,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Generate a key pair: the private key for the worker's settings, the public key for auditors.
    Generate {
        /// Name of the signer, such as log.example.com.
        name: String,
    },
    /// Print the origin and the public keys of the service log, for witnesses and their policies.
    ServiceLog,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OrganizationCommand {
    /// Create an organization and print its id.
    Create {
        /// Display name of the organization.
        name: DisplayName,
    },
    /// List all organizations.
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkspaceCommand {
    /// Create a workspace and print its id.
    Create {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Name of the workspace, unique in the organization.
        name: UniqueName,
    },
    /// List an organization's workspaces.
    List {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// Define a role and print its id. Callers find it at /Roles and assign it by id or name.
    Define {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Name of the role, unique in the organization.
        name: UniqueName,
        /// Description of its purpose.
        #[arg(long)]
        description: Option<Description>,
    },
    /// List an organization's roles.
    List {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
    },
    /// Remove a role. Users that have it keep its id as plain text.
    Remove {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Id of the role.
        role: EntitlementId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum EntitlementCommand {
    /// Define an entitlement and print its id. Callers find it at /Entitlements and assign it by id or name.
    Define {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Name of the entitlement, unique in the organization.
        name: UniqueName,
        /// Type of the entitlement, such as License.
        #[arg(long = "type", default_value = ENTITLEMENT_TYPE)]
        type_name: EntitlementType,
        /// Description of its purpose.
        #[arg(long)]
        description: Option<Description>,
    },
    /// List an organization's entitlements.
    List {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
    },
    /// Remove an entitlement. Users that have it keep its id as plain text.
    Remove {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Id of the entitlement.
        entitlement: EntitlementId,
    },
}

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

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Issue a token. Prints its id and the token itself, which cannot be shown again.
    Issue(Box<IssueToken>),
    /// List an organization's tokens, without their secrets.
    List {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
    },
    /// Revoke a token, effective immediately.
    Revoke {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Id of the token, as `list` prints it.
        token: TokenId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditorTokenCommand {
    /// Issue a token. Prints its id and the token itself, which cannot be shown again.
    Issue {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// A display name.
        #[arg(long)]
        label: Label,
        /// Allowed client addresses: a comma-separated list of addresses, networks and first-last ranges.
        /// Default: all.
        #[arg(long)]
        allow: Option<AllowList>,
        /// Time at which the token expires, such as 2027-01-31T00:00:00Z. Default: never.
        #[arg(long)]
        expires: Option<Timestamp>,
    },
    /// List an organization's auditor tokens, without their secrets.
    List {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
    },
    /// Revoke a token, effective immediately.
    Revoke {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Id of the token, as `list` prints it.
        token: TokenId,
    },
}

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

#[derive(Debug, Subcommand)]
pub(crate) enum StreamCommand {
    /// Create a stream. By default the receiver polls it (RFC 8936) with a token, which is printed and cannot
    /// be shown again. With --push the worker sends the events to the receiver.
    Create(Box<CreateStream>),
    /// List an organization's streams with their delivery positions.
    List {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
    },
    /// Resume a stream that was paused because its receiver failed. Delivery continues after the last
    /// accepted event.
    Resume {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Id of the stream.
        stream: StreamId,
    },
    /// Delete a stream, effective immediately.
    Delete {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Id of the stream.
        stream: StreamId,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateStream {
    /// Id of the organization.
    #[arg(long)]
    pub(super) organization: OrganizationId,
    /// A display name.
    #[arg(long)]
    pub(super) label: Label,
    /// Audience of the events: the `aud` claim that the receiver expects, such as receiver.example.com.
    #[arg(long)]
    pub(super) audience: DisplayName,
    /// Event type to deliver, such as prov:create:full or prov:delete. Repeat for several types. Default: all
    /// types, as events that contain the changed data.
    #[arg(long = "event")]
    pub(super) events: Vec<Event>,
    /// Deliver only events about members of this workspace. Repeat for several workspaces.
    #[arg(long = "workspace")]
    pub(super) workspaces: Vec<WorkspaceId>,
    /// Also deliver events from before the stream was created.
    #[arg(long)]
    pub(super) from_start: bool,
    /// Endpoint to push events to (RFC 8935).
    #[arg(long, conflicts_with = "allow")]
    pub(super) push: Option<Endpoint>,
    /// Addresses that the receiver may poll from: a comma-separated list of addresses, networks and
    /// first-last ranges. Default: all.
    #[arg(long)]
    pub(super) allow: Option<AllowList>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetterCommand {
    /// List dead letters with the reason of each.
    List {
        /// List only dead letters of this organization. Default: all, including those whose organization is
        /// unknown.
        #[arg(long)]
        organization: Option<OrganizationId>,
    },
    /// Retry a dead letter, for instance after an upgrade of the worker.
    Retry {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Id of the dead letter, as `list` prints it.
        id: DeadLetterId,
    },
    /// Delete a dead letter without applying it.
    Discard {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Id of the dead letter, as `list` prints it.
        id: DeadLetterId,
        /// Reason, which is recorded in the log.
        #[arg(long)]
        reason: Reason,
    },
}
