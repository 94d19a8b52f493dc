//! `token issue`.

use clap::Args;
use rollcall_events::address::AllowList;
use rollcall_events::name::Label;
use rollcall_events::origin::ServiceOrigin;
use rollcall_events::rate::CallsPerSecond;
use rollcall_events::request::{self, Dialect, TokenSettings};
use rollcall_events::token::Token;
use rollcall_events::{OrganizationId, Timestamp, TokenId, WorkspaceId};
use serde_json::json;

use super::error::CommandError;
use super::print::print;
use crate::settings::Settings;
use crate::submit::submit;

/// The arguments of `token issue`.
#[derive(Debug, Args)]
pub(crate) struct IssueToken {
    /// Id of the organization.
    #[arg(long)]
    organization: OrganizationId,
    /// A display name.
    #[arg(long)]
    label: Label,
    /// Workspace for users whose request names none.
    #[arg(long)]
    default_workspace: WorkspaceId,
    /// Service origin: the host that the caller's requests come from, such as hr.example.com.
    #[arg(long)]
    service_origin: ServiceOrigin,
    /// Accept calls without an origin header, for callers that cannot send one (Okta, Entra ID). A wrong
    /// origin is still refused.
    #[arg(long)]
    origin_not_required: bool,
    /// Allowed client addresses: a comma-separated list of addresses, networks and first-last ranges.
    /// Default: all.
    #[arg(long)]
    allow: Option<AllowList>,
    /// Dialect of the caller: standard (SCIM 2.0), interop (the strict SCIM interoperability profile) or
    /// braze.
    #[arg(long, default_value = "standard")]
    dialect: Dialect,
    /// Time at which the token expires, such as 2027-01-31T00:00:00Z. Default: never.
    #[arg(long)]
    expires: Option<Timestamp>,
    /// Average number of calls per second that the token allows; a burst may have twice as many. Default: the
    /// rate in the api's settings.
    #[arg(long)]
    calls_per_second: Option<CallsPerSecond>,
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

/// Issues a token and prints it. It cannot be printed again.
pub(super) async fn issue_token(settings: &Settings, issue: IssueToken) -> Result<(), CommandError> {
    let (token, token_id, organization) = (Token::generate()?, TokenId::generate(), issue.organization);
    let request = request::IssueToken {
        token_id,
        digest: token.digest(),
        prefix: Some(token.prefix().to_owned()),
        settings: issue.into(),
    };
    submit(settings, organization, request).await?;
    print(&json!({"id": token_id, "token": token.reveal()}));
    Ok(())
}
