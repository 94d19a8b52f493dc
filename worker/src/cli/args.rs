//! What an operator can type.

use clap::{Args, Parser, Subcommand};
use rollcall_events::address::AllowList;
use rollcall_events::request::ENTITLEMENT_TYPE;
use rollcall_events::session::Role;
use rollcall_events::stream::Endpoint;
use rollcall_events::{DeadLetterId, EntitlementId, GroupId, OrganizationId, StreamId, Timestamp, TokenId, UserId, WorkspaceId};
use rollcall_scim::event::Event;
use std::collections::BTreeSet;
use std::path::PathBuf;

use super::issue_token::IssueToken;
use super::parse;
use super::replay::ReplayCommand;

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
    Replay(ReplayCommand),
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
    /// Define, list or remove the roles that users can have.
    #[command(subcommand)]
    Role(RoleCommand),
    /// Define, list or remove the entitlements that users can have.
    #[command(subcommand)]
    Entitlement(EntitlementCommand),
    /// Erase what the log holds about deleted users.
    #[command(subcommand)]
    User(UserCommand),
    /// List requests that could not be applied, have them tried again, or discard them.
    #[command(subcommand)]
    DeadLetter(DeadLetterCommand),
    /// Map groups to workspaces.
    #[command(subcommand)]
    Group(GroupCommand),
    /// Issue, list or revoke SCIM tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Issue, list or revoke the tokens that auditors read the log with.
    #[command(subcommand)]
    AuditorToken(AuditorTokenCommand),
    /// Let somebody sign in to the pages.
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Create, list, resume or delete the streams that deliver what happens to users and groups, as security events (RFC 9967).
    #[command(subcommand)]
    Stream(StreamCommand),
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
        #[arg(value_parser = parse::name)]
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
        #[arg(value_parser = parse::name)]
        name: String,
    },
    /// List an organization's workspaces.
    List {
        #[arg(long)]
        organization: OrganizationId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// Define a role; prints its id. Callers find it at /Roles and assign it by its id or its name.
    Define {
        #[arg(long)]
        organization: OrganizationId,
        #[arg(value_parser = parse::name)]
        name: String,
        /// What it is for.
        #[arg(long, value_parser = parse::description)]
        description: Option<String>,
    },
    /// List an organization's roles.
    List {
        #[arg(long)]
        organization: OrganizationId,
    },
    /// Remove a role; users who have it keep its id as a plain text.
    Remove {
        #[arg(long)]
        organization: OrganizationId,
        role: EntitlementId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum EntitlementCommand {
    /// Define an entitlement; prints its id. Callers find it at /Entitlements and assign it by its id or its name.
    Define {
        #[arg(long)]
        organization: OrganizationId,
        #[arg(value_parser = parse::name)]
        name: String,
        /// What kind of entitlement it is, such as License.
        #[arg(long = "type", default_value = ENTITLEMENT_TYPE, value_parser = parse::name)]
        type_name: String,
        /// What it is for.
        #[arg(long, value_parser = parse::description)]
        description: Option<String>,
    },
    /// List an organization's entitlements.
    List {
        #[arg(long)]
        organization: OrganizationId,
    },
    /// Remove an entitlement; users who have it keep its id as a plain text.
    Remove {
        #[arg(long)]
        organization: OrganizationId,
        entitlement: EntitlementId,
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
        #[arg(long = "workspace", value_parser = parse::mapping)]
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
        #[arg(long, value_parser = parse::name)]
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

#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Print a link by which somebody can sign in, once and soon.
    Link {
        #[arg(long)]
        organization: OrganizationId,
        /// Who is to sign in: a name for people.
        #[arg(long, value_parser = parse::name)]
        name: String,
        /// What they may do: owner, administrator or auditor.
        #[arg(long, default_value = "administrator")]
        role: Role,
        /// For how long the link can be used, in minutes, from 1 to 1440.
        #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..=1440))]
        minutes: u16,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum StreamCommand {
    /// Create a stream: one that a receiver polls, with a secret that is printed this once, or, with --push, one that is sent to it.
    Create(Box<CreateStream>),
    /// List an organization's streams, and how far their receivers have come.
    List {
        #[arg(long)]
        organization: OrganizationId,
    },
    /// Push again what was stopped because the receiver was not to be reached, from where it was.
    Resume {
        #[arg(long)]
        organization: OrganizationId,
        stream: StreamId,
    },
    /// Delete a stream at once.
    Delete {
        #[arg(long)]
        organization: OrganizationId,
        stream: StreamId,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateStream {
    #[arg(long)]
    pub(super) organization: OrganizationId,
    /// A name for people.
    #[arg(long, value_parser = parse::name)]
    pub(super) label: String,
    /// For whom the events are: the `aud` that the receiver expects, such as receiver.example.com.
    #[arg(long, value_parser = parse::name)]
    pub(super) audience: String,
    /// What is told, such as prov:create:full or prov:delete. Repeat it for several; without it everything is, with what the resources hold.
    #[arg(long = "event")]
    pub(super) events: Vec<Event>,
    /// Tell only of members of this workspace. Repeat it for several.
    #[arg(long = "workspace")]
    pub(super) workspaces: Vec<WorkspaceId>,
    /// Begin with what was logged before.
    #[arg(long)]
    pub(super) from_start: bool,
    /// Where to push to (RFC 8935).
    #[arg(long, conflicts_with = "allow")]
    pub(super) push: Option<Endpoint>,
    /// The addresses that the receiver may poll from: a comma-separated list of addresses, networks and first-last ranges.
    #[arg(long)]
    pub(super) allow: Option<AllowList>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetterCommand {
    /// List them, a line each, with why each could not be applied.
    List {
        /// Whose; without it those of everybody, with those of which it cannot be told.
        #[arg(long)]
        organization: Option<OrganizationId>,
    },
    /// Have one tried again, for instance with a newer worker.
    Retry {
        #[arg(long)]
        organization: OrganizationId,
        id: DeadLetterId,
    },
    /// Forget one.
    Discard {
        #[arg(long)]
        organization: OrganizationId,
        id: DeadLetterId,
        /// Why; it is kept in the log.
        #[arg(long, value_parser = parse::name)]
        reason: String,
    },
}
