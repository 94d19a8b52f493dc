//! `token list|revoke`, and `auditor-token issue|list|revoke`.

use clap::Subcommand;
use rollcall_events::address::AllowList;
use rollcall_events::name::Label;
use rollcall_events::request::{AuditorTokenSettings, IssueAuditorToken, RevokeToken};
use rollcall_events::token::Token;
use rollcall_events::{OrganizationId, Timestamp, TokenId};
use serde_json::json;

use super::error::CommandError;
use super::issue_token::{IssueToken, issue_token};
use super::list;
use super::print::print;
use crate::settings::Settings;
use crate::submit::submit;

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

pub(super) async fn run(settings: &Settings, command: TokenCommand) -> Result<(), CommandError> {
    match command {
        TokenCommand::Issue(issue) => issue_token(settings, *issue).await,
        TokenCommand::List { organization } => list::tokens(settings, organization).await,
        TokenCommand::Revoke { organization, token } => revoke(settings, organization, token).await,
    }
}

pub(super) async fn run_for_auditors(settings: &Settings, command: AuditorTokenCommand) -> Result<(), CommandError> {
    match command {
        AuditorTokenCommand::Issue { organization, label, allow, expires } => {
            let chosen = AuditorTokenSettings { label, allow_list: allow, expires_at: expires };
            issue_auditor_token(settings, organization, chosen).await
        }
        AuditorTokenCommand::List { organization } => list::auditor_tokens(settings, organization).await,
        AuditorTokenCommand::Revoke { organization, token } => revoke(settings, organization, token).await,
    }
}

/// Issues an auditor token and prints it. It cannot be printed again.
async fn issue_auditor_token(
    settings: &Settings,
    organization: OrganizationId,
    chosen: AuditorTokenSettings,
) -> Result<(), CommandError> {
    let (token, token_id) = (Token::generate()?, TokenId::generate());
    let request = IssueAuditorToken { token_id, digest: token.digest(), settings: chosen };
    submit(settings, organization, request).await?;
    print(&json!({"id": token_id, "token": token.reveal()}));
    Ok(())
}

/// Revokes a SCIM token or an auditor token.
async fn revoke(settings: &Settings, organization: OrganizationId, token: TokenId) -> Result<(), CommandError> {
    submit(settings, organization, RevokeToken { token_id: token }).await?;
    print(&json!({"id": token, "revoked": true}));
    Ok(())
}
