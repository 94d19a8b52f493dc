//! `token list|revoke`, and `auditor-token issue|list|revoke`.

use rollcall_events::request::{AuditorTokenSettings, IssueAuditorToken, RevokeToken};
use rollcall_events::token::Token;
use rollcall_events::{OrganizationId, TokenId};
use serde_json::json;

use super::args::{AuditorTokenCommand, TokenCommand};
use super::error::CommandError;
use super::issue_token::issue_token;
use super::list;
use super::print::print;
use crate::settings::Settings;
use crate::submit::submit;

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
