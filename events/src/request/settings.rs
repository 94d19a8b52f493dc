//! Requests that change settings.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use super::EntitlementChange;
use crate::address::AllowList;
use crate::origin::ServiceOrigin;
use crate::session::Role;
use crate::stream::StreamSettings;
use crate::token::TokenDigest;
use crate::{
    DeadLetterId, EntitlementId, GroupId, OrganizationId, SessionId, StreamId, Timestamp, TokenId, UserId, WorkspaceId,
};

/// A change of settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SettingsRequested {
    /// Creates an organization. This request belongs to the system organization.
    CreateOrganization {
        /// The id of the new organization.
        organization_id: OrganizationId,
        /// Its name.
        name: String,
    },
    /// Creates a workspace.
    CreateWorkspace {
        /// The id of the new workspace.
        workspace_id: WorkspaceId,
        /// Its name, unique in the organization.
        name: String,
    },
    /// Maps a group to workspaces: the group's members become members of them. An empty map removes the
    /// mapping.
    MapGroup {
        /// The group.
        group_id: GroupId,
        /// The workspaces, each with the permissions of the members.
        workspaces: BTreeMap<WorkspaceId, BTreeSet<String>>,
    },
    /// Starts or stops the recording of request and response bodies in the call log. Administrators use it to
    /// find out why calls fail.
    ChangeRecording {
        /// When the recording ends; `None` to stop it now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Erases everything that the log holds about a deleted user.
    EraseUser {
        /// The user.
        user_id: UserId,
    },
    /// Issues a SCIM token.
    IssueToken {
        /// The id of the new token.
        token_id: TokenId,
        /// The digest of the token's secret.
        digest: TokenDigest,
        /// The first characters of the secret, so that people can tell tokens apart.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
        /// The token's settings.
        settings: TokenSettings,
    },
    /// Issues an auditor's token.
    IssueAuditorToken {
        /// The id of the new token.
        token_id: TokenId,
        /// The digest of the token's secret.
        digest: TokenDigest,
        /// The token's settings.
        settings: AuditorTokenSettings,
    },
    /// Revokes a SCIM token or an auditor's token.
    RevokeToken {
        /// The token.
        token_id: TokenId,
    },
    /// Announces that a SCIM token or an auditor's token is about to expire.
    AnnounceExpiry {
        /// The token.
        token_id: TokenId,
        /// The token's label.
        label: String,
        /// When the token expires.
        expires_at: Timestamp,
        /// The maximum number of days until then.
        days: u32,
    },
    /// Changes the settings of a SCIM token. The secret stays the same.
    ChangeToken {
        /// The token.
        token_id: TokenId,
        /// The new settings.
        settings: TokenSettings,
    },
    /// Changes an administrator's session on the pages.
    Session {
        /// The session.
        session_id: SessionId,
        /// The change of the session.
        change: SessionChange,
    },
    /// Decides about a dead letter.
    DeadLetter {
        /// The dead letter.
        dead_letter_id: DeadLetterId,
        /// The decision about the dead letter.
        change: DeadLetterChange,
    },
    /// Changes a role or an entitlement that users can have.
    Entitlement {
        /// The role or entitlement.
        entitlement_id: EntitlementId,
        /// The change of the role or entitlement.
        change: EntitlementChange,
    },
    /// Changes an event stream.
    Stream {
        /// The stream.
        stream_id: StreamId,
        /// The change of the stream.
        change: StreamChange,
    },
}

impl SettingsRequested {
    /// The name of the kind of change.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateOrganization { .. } => "createOrganization",
            Self::CreateWorkspace { .. } => "createWorkspace",
            Self::MapGroup { .. } => "mapGroup",
            Self::ChangeRecording { .. } => "changeRecording",
            Self::EraseUser { .. } => "eraseUser",
            Self::IssueToken { .. } => "issueToken",
            Self::IssueAuditorToken { .. } => "issueAuditorToken",
            Self::RevokeToken { .. } => "revokeToken",
            Self::AnnounceExpiry { .. } => "announceExpiry",
            Self::ChangeToken { .. } => "changeToken",
            Self::Session { .. } => "session",
            Self::DeadLetter { .. } => "deadLetter",
            Self::Entitlement { .. } => "entitlement",
            Self::Stream { .. } => "stream",
        }
    }
}

/// A change of an administrator's session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SessionChange {
    /// Creates a sign-in link, which can be used once.
    Invite {
        /// The digest of the secret in the link.
        digest: TokenDigest,
        /// The name of the person who may sign in.
        name: String,
        /// The role of the person.
        role: Role,
        /// When the link expires.
        expires_at: Timestamp,
    },
    /// Uses the link to sign in.
    SignIn {
        /// The digest of the secret that the browser holds from then on.
        digest: TokenDigest,
    },
    /// Starts a session at once, for a person whom an OpenID provider has identified.
    Begin(BegunSession),
    /// Ends the session.
    SignOut,
}

/// A session of a person whom an OpenID provider has identified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BegunSession {
    /// The digest of the secret that the browser holds.
    pub digest: TokenDigest,
    /// The name of the person who signed in.
    pub name: String,
    /// The role of the person.
    pub role: Role,
    /// The provider (OpenID Connect Core 1.0 section 2, `iss`).
    pub issuer: String,
    /// The person's identifier at the provider (`sub`).
    pub subject: String,
}

/// A decision about a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeadLetterChange {
    /// Tries the request again, unchanged.
    Retry,
    /// Discards the request.
    Discard {
        /// Why the operator discards it.
        reason: String,
    },
}

/// A change of an event stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StreamChange {
    /// Creates the stream.
    Create(StreamSettings),
    /// Pauses delivery until it is resumed, because the receiver could not be reached.
    Pause {
        /// The last error.
        reason: String,
    },
    /// Resumes delivery at the stream's position.
    Resume,
    /// Deletes the stream.
    Delete,
}

/// The longest time for which bodies can be recorded, in seconds: one week.
pub const MAX_RECORDING_SECONDS: u32 = 7 * 24 * 60 * 60;

/// The highest rate limit of a token, in calls per second.
pub const MAX_CALLS_PER_SECOND: u32 = 1_000_000;

/// The settings of a SCIM token, chosen by an administrator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenSettings {
    /// A label for people.
    pub label: String,
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
    pub calls_per_second: Option<NonZeroU32>,
}

/// The settings of an auditor's token, chosen by an administrator. The token reads the log of its
/// organization and can do nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditorTokenSettings {
    /// A label for people.
    pub label: String,
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
