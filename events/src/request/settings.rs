//! What administrators ask for.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use super::EntitlementChange;
use crate::address::AllowList;
use crate::origin::ServiceOrigin;
use crate::session::Role;
use crate::stream::StreamSettings;
use crate::token::TokenDigest;
use crate::{DeadLetterId, EntitlementId, GroupId, OrganizationId, SessionId, StreamId, Timestamp, TokenId, UserId, WorkspaceId};

/// An administrator's change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SettingsRequested {
    /// A new customer company; asked for in the system organization.
    CreateOrganization {
        /// The id that it is to have.
        organization_id: OrganizationId,
        /// Its name.
        name: String,
    },
    /// A new workspace.
    CreateWorkspace {
        /// The id that it is to have.
        workspace_id: WorkspaceId,
        /// Its name, unique in the organization.
        name: String,
    },
    /// The workspaces whose members a group's members are, and what they may do there. An empty list ends it.
    MapGroup {
        /// The group.
        group_id: GroupId,
        /// The workspaces, each with its permissions.
        workspaces: BTreeMap<WorkspaceId, BTreeSet<String>>,
    },
    /// Whether what calls and their answers hold is recorded for a while, for administrators who look for what goes wrong.
    ChangeRecording {
        /// Until when; `None` for no longer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// The end of all that the log holds about a deleted user.
    EraseUser {
        /// Who.
        user_id: UserId,
    },
    /// A new SCIM token.
    IssueToken {
        /// The id that it is to have.
        token_id: TokenId,
        /// The digest of its secret.
        digest: TokenDigest,
        /// How its secret begins, to tell it from others.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
        /// What it may be used for.
        settings: TokenSettings,
    },
    /// A new auditor's token.
    IssueAuditorToken {
        /// The id that it is to have.
        token_id: TokenId,
        /// The digest of its secret.
        digest: TokenDigest,
        /// Where and for how long it may be used.
        settings: AuditorTokenSettings,
    },
    /// The end of a token of either kind.
    RevokeToken {
        /// Which.
        token_id: TokenId,
    },
    /// That a token of either kind is about to expire.
    AnnounceExpiry {
        /// Which.
        token_id: TokenId,
        /// Its name for people.
        label: String,
        /// When it does.
        expires_at: Timestamp,
        /// In how many days at the most.
        days: u32,
    },
    /// Another use of a SCIM token, of the same secret.
    ChangeToken {
        /// Which.
        token_id: TokenId,
        /// What it may be used for from now on.
        settings: TokenSettings,
    },
    /// Something about somebody's session on the pages.
    Session {
        /// Which.
        session_id: SessionId,
        /// What is to become of it.
        change: SessionChange,
    },
    /// Something about a request that could not be applied.
    DeadLetter {
        /// Which.
        dead_letter_id: DeadLetterId,
        /// What is to become of it.
        change: DeadLetterChange,
    },
    /// Something about a role or an entitlement that users can have.
    Entitlement {
        /// Which.
        entitlement_id: EntitlementId,
        /// What is to become of it.
        change: EntitlementChange,
    },
    /// Something about an event stream.
    Stream {
        /// Which.
        stream_id: StreamId,
        /// What is to become of it.
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

/// What is to become of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SessionChange {
    /// A link by which it can begin, once.
    Invite {
        /// The digest of what the link holds.
        digest: TokenDigest,
        /// Who is to sign in, for people.
        name: String,
        /// What they may do.
        role: Role,
        /// Until when it can be used.
        expires_at: Timestamp,
    },
    /// The use of the link.
    SignIn {
        /// The digest of what the browser holds from then on.
        digest: TokenDigest,
    },
    /// It begins at once, for somebody whom an OpenID provider has identified.
    Begin(BegunSession),
    /// Its end.
    SignOut,
}

/// A session that an OpenID provider vouches for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BegunSession {
    /// The digest of what the browser holds.
    pub digest: TokenDigest,
    /// Who has signed in, for people.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The provider (OpenID Connect Core 1.0 section 2, `iss`).
    pub issuer: String,
    /// Who they are there (`sub`).
    pub subject: String,
}

/// What is to become of a request that could not be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeadLetterChange {
    /// It is tried again, as it came.
    Retry,
    /// It is forgotten.
    Discard {
        /// Why.
        reason: String,
    },
}

/// What is to become of an event stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StreamChange {
    /// It begins.
    Create(StreamSettings),
    /// Nothing more is delivered for as long as nobody has it go on: the receiver was not to be reached.
    Pause {
        /// What went wrong last.
        reason: String,
    },
    /// Delivery goes on from where it was.
    Resume,
    /// It ends.
    Delete,
}

/// For how long bodies can be recorded at the most, in seconds: a week.
pub const MAX_RECORDING_SECONDS: u32 = 7 * 24 * 60 * 60;

/// The most calls a second that a token can be held to.
pub const MAX_CALLS_PER_SECOND: u32 = 1_000_000;

/// What an administrator chooses for a SCIM token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenSettings {
    /// A name for people.
    pub label: String,
    /// The workspace of users that name none.
    pub default_workspace: WorkspaceId,
    /// Where the caller's requests come from.
    pub service_origin: ServiceOrigin,
    /// Whether every call must say so; false for callers that cannot send a header of their own.
    pub origin_required: bool,
    /// The addresses that it may be used from; `None` for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_list: Option<AllowList>,
    /// The shape that the caller speaks.
    pub dialect: Dialect,
    /// When it ends of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How many calls a second it may make on average; `None` for as many as any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<NonZeroU32>,
}

/// What an administrator chooses for an auditor's token. It reads the log of its organization and can do nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditorTokenSettings {
    /// A name for people.
    pub label: String,
    /// The addresses that it may be used from; `None` for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_list: Option<AllowList>,
    /// When it ends of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The shape that a token's caller speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// RFC 7643 and RFC 7644.
    #[default]
    Standard,
    /// What callers of Braze's SCIM API send.
    Braze,
    /// The SCIM interoperability profile (draft-zollner-scim-interop-profile): one form for each change, and unknown attributes are refused.
    Interop,
}

impl Dialect {
    /// Every one, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Standard, Self::Interop, Self::Braze];

    /// The name, as it is stored and typed.
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
        Self::ALL.into_iter().find(|dialect| dialect.as_str() == text).ok_or_else(|| "a dialect is standard, interop or braze".to_owned())
    }
}
