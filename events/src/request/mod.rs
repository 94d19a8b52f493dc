//! Requests: the events that the api and the commands publish and the worker decides.

mod settings;

pub use settings::{
    AcceptRestore, AnnounceExpiry, AuditorTokenSettings, BegunSession, ChangeEntitlement, ChangeRecording,
    ChangeSession, ChangeStream, ChangeToken, CreateOrganization, CreateWorkspace, DeadLetterChange, DecideDeadLetter,
    Dialect, ENTITLEMENT_TYPE, EntitlementChange, EntitlementKind, EntitlementSettings, EraseUser, IssueAuditorToken,
    IssueToken, MAX_RECORDING_SECONDS, MapGroup, ROLE_TYPE, RevokeToken, SessionChange, SettingsRequested,
    StreamChange, TokenSettings,
};

use rollcall_scim::ScimError;
use rollcall_scim::patch::Operation;
use rollcall_scim::resource::{Attributes, SizeLimit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

use crate::actor::Actor;
use crate::members::MemberChange;
pub use crate::name::WORKSPACE_TYPE;
use crate::stream::Position;
use crate::{EventId, GroupId, OrganizationId, StreamId, Timestamp, UserId, WorkspaceId};

/// One request. It contains everything that a decision needs besides the state: ids, times and defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The event id, assigned by the api: the `txn` of the outcome.
    pub id: EventId,
    /// The organization whose state changes and whose log records the request.
    pub organization_id: OrganizationId,
    /// When the request was made, by the clock of the api.
    pub requested_at: Timestamp,
    /// Who made the request.
    pub actor: Actor,
    /// A hash of the method, path and body of a call with an `Idempotency-Key`. It shows whether a repeated
    /// key comes with the same call.
    pub fingerprint: Option<String>,
    /// The requested operation or change.
    pub body: RequestBody,
}

/// The kinds of requests. The serde tag is the event's `type`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", content = "data")]
pub enum RequestBody {
    /// A SCIM call about a user.
    UserRequested(UserRequested),
    /// A SCIM call about a group.
    GroupRequested(GroupRequested),
    /// An administrator's change of settings.
    SettingsRequested(SettingsRequested),
    /// Calls that authentication denied.
    AccessDenied(AccessDenied),
    /// An acknowledgement by the receiver of an event stream.
    StreamAcknowledged(StreamAcknowledged),
}

impl RequestBody {
    /// The name of the kind.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::UserRequested(_) => "UserRequested",
            Self::GroupRequested(_) => "GroupRequested",
            Self::SettingsRequested(_) => "SettingsRequested",
            Self::AccessDenied(_) => "AccessDenied",
            Self::StreamAcknowledged(_) => "StreamAcknowledged",
        }
    }
}

impl RequestBody {
    /// A change of settings.
    pub fn settings(change: impl Into<SettingsRequested>) -> Self {
        Self::SettingsRequested(change.into())
    }

    /// Sets the size limit of the resource. For a change, the worker checks the limit, because a resource
    /// that is too large already may stay so.
    ///
    /// # Errors
    /// 400 `invalidValue` if a resource to be created is larger than the limit.
    pub fn with_size_limit(mut self, limit: SizeLimit) -> Result<Self, ScimError> {
        match &mut self {
            Self::UserRequested(call) => {
                call.size_limit = limit;
                if let UserOperation::Create(attributes) = &call.operation {
                    limit.check(attributes)?;
                }
            }
            Self::GroupRequested(call) => {
                call.size_limit = limit;
                if let GroupOperation::Create(attributes, _) = &call.operation {
                    limit.check(attributes)?;
                }
            }
            Self::SettingsRequested(_) | Self::AccessDenied(_) | Self::StreamAcknowledged(_) => {}
        }
        Ok(self)
    }
}

/// A SCIM call about one user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserRequested {
    /// The user. For a creation, this is the id of the new user.
    pub user_id: UserId,
    /// The workspace for a user that names none.
    pub default_workspace: WorkspaceId,
    /// The `If-Match` condition of the call, if it has one (RFC 9110 section 13.1.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<IfMatch>,
    /// The maximum size of the resource. It is part of the request, so that every worker decides the same.
    #[serde(default)]
    pub size_limit: SizeLimit,
    /// The operation on the user.
    pub operation: UserOperation,
}

/// An operation on a user. The attributes are validated and in canonical spelling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UserOperation {
    /// Creates the user (RFC 7644 section 3.3).
    Create(Attributes),
    /// Replaces the user (RFC 7644 section 3.5.1).
    Replace(Attributes),
    /// Changes the user (RFC 7644 section 3.5.2).
    Patch(Vec<Operation>),
    /// Deletes the user (RFC 7644 section 3.6).
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
    /// The group. For a creation, this is the id of the new group.
    pub group_id: GroupId,
    /// The `If-Match` condition of the call, if it has one (RFC 9110 section 13.1.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<IfMatch>,
    /// The maximum size of the resource. It is part of the request, so that every worker decides the same.
    #[serde(default)]
    pub size_limit: SizeLimit,
    /// The operation on the group.
    pub operation: GroupOperation,
}

/// An operation on a group. The attributes are validated and in canonical spelling. The members are separate
/// from them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GroupOperation {
    /// Creates the group (RFC 7644 section 3.3).
    Create(Attributes, BTreeSet<UserId>),
    /// Replaces the group (RFC 7644 section 3.5.1).
    Replace(Attributes, BTreeSet<UserId>),
    /// Changes the group (RFC 7644 section 3.5.2).
    Patch(Vec<Operation>, Vec<MemberChange>),
    /// Deletes the group (RFC 7644 section 3.6).
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

    /// The changes to the group's members, in order.
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

/// An acknowledgement by the receiver of an event stream. This is the only request without a log entry: it
/// changes nothing that the organization has, and a log that recorded its own readers would grow by being
/// read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamAcknowledged {
    /// The stream.
    pub stream_id: StreamId,
    /// The newly acknowledged position. It is merged into the position before.
    pub position: Position,
}

/// Denied calls. They are counted together, so that a flood of them cannot fill the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessDenied {
    /// Why the calls were denied.
    pub reason: Denial,
    /// The number of calls.
    pub count: u64,
    /// When the first of them was denied.
    pub first_at: Timestamp,
    /// When the last of them was denied.
    pub last_at: Timestamp,
}

/// Why authentication denied a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Denial {
    /// The call had no bearer token.
    MissingToken,
    /// The text is not in the format of our tokens.
    MalformedToken,
    /// No token with this secret was issued.
    UnknownToken,
    /// The token was revoked.
    RevokedToken,
    /// The token has expired.
    ExpiredToken,
    /// The token requires a service origin, and the call named none.
    MissingOrigin,
    /// The call named another service origin than the token's.
    WrongOrigin,
    /// The caller's address is not on the token's allowlist, or is unknown.
    WrongAddress,
    /// The OpenID provider did not identify the person who wanted to sign in, or the person has no role in
    /// this organization.
    UnknownAdministrator,
}
