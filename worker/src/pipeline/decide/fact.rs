//! Turns a fact of the log into a change of the state. The live path and a replay both use this.

use rollcall_events::log::EventType;
use rollcall_events::members::MEMBERS;
use rollcall_events::{EntitlementId, GroupId, OrganizationId, SessionId, StreamId, TokenId, UserId};
use rollcall_scim::resource::Attributes;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;

use super::entity::{Change, Group, User};

/// The payload of a fact is malformed.
#[derive(Debug, thiserror::Error)]
#[error("the payload of {event_type} is malformed: {reason}")]
pub(crate) struct MalformedFact {
    event_type: EventType,
    reason: String,
}

/// The name of the member of a payload that holds the resource after the change.
pub(crate) const RESOURCE: &str = "resource";

/// The users who join and leave a group.
#[derive(Deserialize)]
struct Moves {
    added: Vec<UserId>,
    removed: Vec<UserId>,
}

/// Removes the resource from a payload and returns it.
pub(crate) fn resource_of(payload: &mut Value) -> Option<Arc<Attributes>> {
    match payload.get_mut(RESOURCE).map(Value::take) {
        Some(Value::Object(resource)) => Some(Arc::new(resource)),
        _ => None,
    }
}

/// A fact, recorded or about to be.
pub(crate) struct Fact {
    event_type: EventType,
    subject_id: Option<Uuid>,
    payload: Value,
    /// The resource, which is no longer in `payload`.
    pub(crate) resource: Option<Arc<Attributes>>,
}

impl Fact {
    pub(crate) fn new(event_type: EventType, subject_id: Option<Uuid>, mut payload: Value) -> Self {
        let resource = resource_of(&mut payload);
        Self { event_type, subject_id, payload, resource }
    }

    /// The change to the projections; `None` if there is none. The live path and a replay both use this.
    pub(crate) fn into_change(self) -> Result<Option<Change>, MalformedFact> {
        let change = match self.event_type {
            EventType::UserCreated | EventType::UserUpdated | EventType::UserDeactivated | EventType::UserReactivated => {
                // A request that changed nothing is recorded, but changes no row.
                if self.payload["changed"].as_array().is_none_or(Vec::is_empty) {
                    return Ok(None);
                }
                let resource = self.resource.clone().ok_or_else(|| self.malformed(&"it has no resource"))?;
                Change::PutUser(User { id: UserId(self.subject()?), resource })
            }
            EventType::UserDeleted => Change::DeleteUser(UserId(self.subject()?)),
            EventType::GroupCreated | EventType::GroupUpdated => {
                if self.payload["changed"].as_array().is_none_or(Vec::is_empty) {
                    return Ok(None);
                }
                let resource = self.resource.clone().ok_or_else(|| self.malformed(&"it has no resource"))?;
                let moves: Moves = self.read(MEMBERS)?;
                Change::PutGroup { group: Group { id: GroupId(self.subject()?), resource }, added: moves.added, removed: moves.removed }
            }
            EventType::GroupDeleted => Change::DeleteGroup(GroupId(self.subject()?)),
            EventType::GroupMapped => Change::MapGroup { id: GroupId(self.subject()?), workspaces: self.read("workspaces")? },
            EventType::OrganizationCreated => Change::PutOrganization {
                id: OrganizationId(self.subject()?),
                name: self.read("name")?,
                created_at: self.read("created_at")?,
            },
            EventType::RecordingChanged => Change::SetRecording { until: self.read("until")? },
            EventType::WorkspaceCreated => Change::PutWorkspace(self.read("workspace")?),
            EventType::EntitlementDefined => Change::PutEntitlement(self.read("entitlement")?),
            EventType::EntitlementRemoved => Change::DeleteEntitlement(EntitlementId(self.subject()?)),
            EventType::TokenIssued => Change::PutToken(self.read("token")?),
            EventType::AuditorTokenIssued => Change::PutAuditorToken(self.read("token")?),
            EventType::TokenRevoked => Change::RevokeToken { id: TokenId(self.subject()?), revoked_at: self.read("revoked_at")? },
            EventType::TokenChanged => Change::SetToken { id: TokenId(self.subject()?), settings: self.read("settings")? },
            EventType::SignInLinkIssued => Change::PutSignInLink(self.read("link")?),
            EventType::SignedIn if self.payload.get("session").is_some() => Change::PutSession(self.read("session")?),
            EventType::SignedIn => Change::SignIn { id: SessionId(self.subject()?), digest: self.read("digest")?, at: self.read("at")? },
            EventType::SignedOut => Change::SignOut { id: SessionId(self.subject()?), at: self.read("at")? },
            EventType::StreamCreated => Change::PutStream(self.read("stream")?),
            EventType::StreamPaused => {
                Change::SwitchStream { id: StreamId(self.subject()?), at: self.read("at")?, reason: Some(self.read("reason")?) }
            }
            EventType::StreamResumed => Change::SwitchStream { id: StreamId(self.subject()?), at: self.read("at")?, reason: None },
            EventType::StreamDeleted => Change::DeleteStream(StreamId(self.subject()?)),
            EventType::AccessDenied | EventType::RequestRejected | EventType::UserErased | EventType::TokenExpiring
            // A decision about a dead letter takes effect when it is recorded. A replay must not repeat it.
            | EventType::DeadLetterRetried | EventType::DeadLetterDiscarded => return Ok(None),
        };
        Ok(Some(change))
    }

    fn subject(&self) -> Result<Uuid, MalformedFact> {
        self.subject_id.ok_or_else(|| self.malformed(&"it has no subject"))
    }

    fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, MalformedFact> {
        T::deserialize(&self.payload[name]).map_err(|error| self.malformed(&format_args!("{name}: {error}")))
    }

    fn malformed(&self, reason: &dyn std::fmt::Display) -> MalformedFact {
        MalformedFact { event_type: self.event_type, reason: reason.to_string() }
    }
}
