//! Requests about the tokens of callers and auditors.

use serde::{Deserialize, Serialize};

use crate::address::AllowList;
use crate::name::Label;
use crate::origin::ServiceOrigin;
use crate::rate::CallsPerSecond;
use crate::token::TokenDigest;
use crate::{Timestamp, TokenId, WorkspaceId};

/// Issues a SCIM token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IssueToken {
    /// The id of the new token.
    pub token_id: TokenId,
    /// The digest of the token's secret.
    pub digest: TokenDigest,
    /// The first characters of the secret, so that people can tell tokens apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The token's settings.
    pub settings: TokenSettings,
}

/// Issues an auditor token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IssueAuditorToken {
    /// The id of the new token.
    pub token_id: TokenId,
    /// The digest of the token's secret.
    pub digest: TokenDigest,
    /// The token's settings.
    pub settings: AuditorTokenSettings,
}

/// Revokes a SCIM token or an auditor token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeToken {
    /// The token.
    pub token_id: TokenId,
}

/// Announces that a SCIM token or an auditor token is about to expire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnounceExpiry {
    /// The token.
    pub token_id: TokenId,
    /// The token's label.
    pub label: Label,
    /// When the token expires.
    pub expires_at: Timestamp,
    /// The maximum number of days until then.
    pub days: u32,
}

/// Changes the settings of a SCIM token. The secret stays the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeToken {
    /// The token.
    pub token_id: TokenId,
    /// The new settings.
    pub settings: TokenSettings,
}

/// The settings of a SCIM token, chosen by an administrator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenSettings {
    /// A label for people.
    pub label: Label,
    /// The workspace for users that name none.
    pub default_workspace: WorkspaceId,
    /// The host that the caller says its requests come from.
    pub service_origin: ServiceOrigin,
    /// Whether every call must name the service origin; false for callers that cannot send a custom header.
    pub origin_required: bool,
    /// The addresses that the token may be used from; `None` for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_list: Option<AllowList>,
    /// The caller's dialect of SCIM.
    pub dialect: Dialect,
    /// When the token expires; `None` if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The token's rate limit, in calls per second on average; `None` for the default limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<CallsPerSecond>,
}

/// The settings of an auditor token, chosen by an administrator. The token reads the log of its
/// organization and can do nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditorTokenSettings {
    /// A label for people.
    pub label: Label,
    /// The addresses that the token may be used from; `None` for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_list: Option<AllowList>,
    /// When the token expires; `None` if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The dialect of SCIM that a token's caller uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// RFC 7643 and RFC 7644.
    #[default]
    Standard,
    /// The SCIM of Braze, for clients that were written for Braze's API.
    Braze,
    /// The SCIM interoperability profile (draft-zollner-scim-interop-profile): one form for each change, and
    /// unknown attributes are refused.
    Interop,
}

impl Dialect {
    /// All dialects, in the order in which the pages offer them.
    pub const ALL: [Self; 3] = [Self::Standard, Self::Interop, Self::Braze];

    /// The name, as it is stored and as commands accept it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Braze => "braze",
            Self::Interop => "interop",
        }
    }
}

impl std::str::FromStr for Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|dialect| dialect.as_str() == text)
            .ok_or_else(|| "a dialect is standard, interop or braze".to_owned())
    }
}
