//! What is asked for: the events that the api and the commands publish and the worker decides.

mod entitlement;
mod settings;

pub use entitlement::{ENTITLEMENT_TYPE, EntitlementChange, EntitlementKind, EntitlementSettings, ROLE_TYPE, WORKSPACE_TYPE};
pub use settings::{
    AuditorTokenSettings, BegunSession, DeadLetterChange, Dialect, MAX_CALLS_PER_SECOND, MAX_RECORDING_SECONDS, SessionChange,
    SettingsRequested, StreamChange, TokenSettings,
};

use rollcall_scim::ScimError;
use rollcall_scim::patch::Operation;
use rollcall_scim::resource::{Attributes, SizeLimit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

use crate::actor::Actor;
use crate::members::MemberChange;
use crate::stream::Position;
use crate::{EventId, GroupId, OrganizationId, StreamId, Timestamp, UserId, WorkspaceId};

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
    /// Calls that were refused by authentication.
    AccessDenied(AccessDenied),
    /// What the receiver of an event stream has acknowledged.
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
    /// Sets the size limit of the resource. The worker checks it for changes, because a resource that is too large already may stay so.
    ///
    /// # Errors
    /// 400 `invalidValue` if a resource to be created is larger.
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
    /// The user; for a creation, the id that it is to have.
    pub user_id: UserId,
    /// The workspace of a user that names none.
    pub default_workspace: WorkspaceId,
    /// Which states of the user the call is meant for (RFC 9110 section 13.1.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<IfMatch>,
    /// How large the resource may be. The api says it, so that every worker decides alike.
    #[serde(default)]
    pub size_limit: SizeLimit,
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
    /// How large the resource may be. The api says it, so that every worker decides alike.
    #[serde(default)]
    pub size_limit: SizeLimit,
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

/// How far the receiver of an event stream has come. The one request that leaves no entry in the log: it changes nothing that the organization has, and a
/// log that told of its own readers would grow by being read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamAcknowledged {
    /// The stream.
    pub stream_id: StreamId,
    /// What is acknowledged, besides all that was before.
    pub position: Position,
}

/// Calls that were refused by authentication, counted together so that a flood of them cannot fill the log.
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

/// Why a call was refused by authentication.
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
    /// An OpenID provider does not vouch for whoever wanted to sign in, or they have no role here.
    UnknownAdministrator,
}
