//! `token issue`.

use clap::Args;
use rollcall_events::address::AllowList;
use rollcall_events::origin::ServiceOrigin;
use rollcall_events::request::{Dialect, SettingsRequested, TokenSettings};
use rollcall_events::token::Token;
use rollcall_events::{OrganizationId, Timestamp, TokenId, WorkspaceId};
use serde_json::json;
use std::num::NonZeroU32;

use super::error::CommandError;
use super::parse;
use super::print::print;
use crate::settings::Settings;
use crate::submit::submit;

/// The arguments of `token issue`.
#[derive(Debug, Args)]
pub(crate) struct IssueToken {
    #[arg(long)]
    organization: OrganizationId,
    /// A name for people.
    #[arg(long, value_parser = parse::name)]
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
    /// The shape that the caller speaks: standard (SCIM 2.0), interop (the strict SCIM interoperability profile) or braze.
    #[arg(long, default_value = "standard")]
    dialect: Dialect,
    /// When the token ends of itself, such as 2027-01-31T00:00:00Z.
    #[arg(long)]
    expires: Option<Timestamp>,
    /// How many calls a second it may make on average, and twice as many at once; without it as many as the api's settings say.
    #[arg(long, value_parser = parse::rate)]
    calls_per_second: Option<NonZeroU32>,
}

impl From<IssueToken> for TokenSettings {
    fn from(issue: IssueToken) -> Self {
        Self {
            label: issue.label,
            default_workspace: issue.default_workspace,
            service_origin: issue.service_origin,
            origin_required: !issue.origin_not_required,
            allow_list: issue.allow,
            dialect: issue.dialect,
            expires_at: issue.expires,
            calls_per_second: issue.calls_per_second,
        }
    }
}

/// Issues a token and prints it once.
pub(super) async fn issue_token(settings: &Settings, issue: IssueToken) -> Result<(), CommandError> {
    let (token, token_id, organization) = (Token::generate()?, TokenId::generate(), issue.organization);
    let request =
        SettingsRequested::IssueToken { token_id, digest: token.digest(), prefix: Some(token.prefix().to_owned()), settings: issue.into() };
    submit(settings, organization, request).await?;
    print(&json!({"id": token_id, "token": token.reveal()}));
    Ok(())
}
