//! What is asked for: the events that the api and the commands publish and the worker decides.

use rollcall_scim::patch::Operation;
use rollcall_scim::resource::Attributes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use crate::actor::Actor;
use crate::address::AllowList;
use crate::members::MemberChange;
use crate::origin::ServiceOrigin;
use crate::token::TokenDigest;
use crate::{EventId, GroupId, OrganizationId, Timestamp, TokenId, UserId, WorkspaceId};

/// One request. Everything that a decision needs besides the state is in it: ids, times and defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The event id, assigned by the api: the `txn` of the answer.
    pub id: EventId,
    /// Whose state is to change, and in whose log it is recorded.
    pub organization_id: OrganizationId,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Who asked.
    pub actor: Actor,
    /// What an `Idempotency-Key` stands for: a hash of the method, path and body that first came with it.
    pub fingerprint: Option<String>,
    /// What is asked for.
    pub body: RequestBody,
}

/// The kinds of requests; the tag is the event's `type`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", content = "data")]
pub enum RequestBody {
    /// A SCIM call about a user.
    UserRequested(UserRequested),
    /// A SCIM call about a group.
    GroupRequested(GroupRequested),
    /// An administrator's change of settings.
    SettingsRequested(SettingsRequested),
    /// Calls that were refused at the door.
    AccessDenied(AccessDenied),
}

impl RequestBody {
    /// The name of the kind.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::UserRequested(_) => "UserRequested",
            Self::GroupRequested(_) => "GroupRequested",
            Self::SettingsRequested(_) => "SettingsRequested",
            Self::AccessDenied(_) => "AccessDenied",
        }
    }
}

/// A SCIM call about one user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserRequested {
    /// The user; for a creation, the id that it is to have.
    pub user_id: UserId,
    /// The workspace of a user that names none.
    pub default_workspace: WorkspaceId,
    /// Which states of the user the call is meant for (RFC 9110 section 13.1.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<IfMatch>,
    /// What is to be done.
    pub operation: UserOperation,
}

/// What is to be done with a user. The attributes are validated, in canonical spelling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UserOperation {
    /// RFC 7644 section 3.3.
    Create(Attributes),
    /// RFC 7644 section 3.5.1.
    Replace(Attributes),
    /// RFC 7644 section 3.5.2.
    Patch(Vec<Operation>),
    /// RFC 7644 section 3.6.
    Delete,
}

impl UserOperation {
    /// The operation's name in the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Replace(_) => "replace",
            Self::Patch(_) => "patch",
            Self::Delete => "delete",
        }
    }
}

/// A SCIM call about one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupRequested {
    /// The group; for a creation, the id that it is to have.
    pub group_id: GroupId,
    /// Which states of the group the call is meant for (RFC 9110 section 13.1.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<IfMatch>,
    /// What is to be done.
    pub operation: GroupOperation,
}

/// What is to be done with a group. The attributes are validated, in canonical spelling, and without the members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GroupOperation {
    /// RFC 7644 section 3.3.
    Create(Attributes, BTreeSet<UserId>),
    /// RFC 7644 section 3.5.1.
    Replace(Attributes, BTreeSet<UserId>),
    /// RFC 7644 section 3.5.2.
    Patch(Vec<Operation>, Vec<MemberChange>),
    /// RFC 7644 section 3.6.
    Delete,
}

impl GroupOperation {
    /// The operation's name in the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create(..) => "create",
            Self::Replace(..) => "replace",
            Self::Patch(..) => "patch",
            Self::Delete => "delete",
        }
    }

    /// What it does to the members, in its order.
    pub fn member_changes(&self) -> Vec<MemberChange> {
        match self {
            Self::Create(_, members) | Self::Replace(_, members) => vec![MemberChange::Set(members.clone())],
            Self::Patch(_, changes) => changes.clone(),
            Self::Delete => vec![MemberChange::Set(BTreeSet::new())],
        }
    }
}

/// An `If-Match` condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IfMatch {
    /// `*`: any state, but there must be one.
    Any,
    /// One of these entity tags.
    Tags(Vec<String>),
}

/// An administrator's change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SettingsRequested {
    /// A new customer company; asked for in the system organisation.
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
        /// Its name, unique in the organisation.
        name: String,
    },
    /// The workspaces whose members a group's members are, and what they may do there. An empty list ends it.
    MapGroup {
        /// The group.
        group_id: GroupId,
        /// The workspaces, each with its permissions.
        workspaces: BTreeMap<WorkspaceId, BTreeSet<String>>,
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
}

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
}

/// What an administrator chooses for an auditor's token. It reads the log of its organisation and can do nothing else.
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
}

impl std::str::FromStr for Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "standard" => Ok(Self::Standard),
            "braze" => Ok(Self::Braze),
            _ => Err("a dialect is standard or braze".to_owned()),
        }
    }
}

/// Calls that were refused at the door, counted together so that a flood of them cannot fill the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessDenied {
    /// Why.
    pub reason: Denial,
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first_at: Timestamp,
    /// The last of them.
    pub last_at: Timestamp,
}

/// Why a call was refused at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Denial {
    /// No bearer token was given.
    MissingToken,
    /// What was given is not a token of ours.
    MalformedToken,
    /// No such token was issued.
    UnknownToken,
    /// The token was revoked.
    RevokedToken,
    /// The token has expired.
    ExpiredToken,
    /// The service origin is required and was not given.
    MissingOrigin,
    /// The service origin is not the token's.
    WrongOrigin,
    /// An address that counts is not on the token's list, or could not be told.
    WrongAddress,
}
