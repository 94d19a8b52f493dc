//! The header of a log entry. The tree hashes it, and no erasure removes it. So it holds no personal data,
//! only ids, types, times, the outcome, and commitments to the parts that can be erased.

use rollcall_scim::{ScimError, ScimType};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Hash, NotCanonical};
use crate::actor::ActorKind;
use crate::names::names;
use crate::{EventId, OrganizationId, Timestamp};

names!(
    /// The type of a log entry: what happened.
    EventType {
        /// A user was created.
        UserCreated = "UserCreated",
        /// A user was changed, or a change had no effect.
        UserUpdated = "UserUpdated",
        /// A user's account was deactivated.
        UserDeactivated = "UserDeactivated",
        /// A user's account was reactivated.
        UserReactivated = "UserReactivated",
        /// A user was deleted.
        UserDeleted = "UserDeleted",
        /// A deleted user's data was erased from the log.
        UserErased = "UserErased",
        /// A group was created.
        GroupCreated = "GroupCreated",
        /// A group or its members were changed, or a change had no effect.
        GroupUpdated = "GroupUpdated",
        /// A group was deleted.
        GroupDeleted = "GroupDeleted",
        /// A group's mapping to workspaces was changed or removed.
        GroupMapped = "GroupMapped",
        /// An organization was created.
        OrganizationCreated = "OrganizationCreated",
        /// The recording of bodies in the call log was started or stopped.
        RecordingChanged = "RecordingChanged",
        /// A workspace was created.
        WorkspaceCreated = "WorkspaceCreated",
        /// A role or an entitlement was defined.
        EntitlementDefined = "EntitlementDefined",
        /// A role or an entitlement was removed. It can no longer be assigned.
        EntitlementRemoved = "EntitlementRemoved",
        /// A SCIM token was issued.
        TokenIssued = "TokenIssued",
        /// An auditor token was issued.
        AuditorTokenIssued = "AuditorTokenIssued",
        /// A token was revoked.
        TokenRevoked = "TokenRevoked",
        /// The settings of a SCIM token were changed.
        TokenChanged = "TokenChanged",
        /// A token is about to expire.
        TokenExpiring = "TokenExpiring",
        /// A sign-in link was created. It can be used once.
        SignInLinkIssued = "SignInLinkIssued",
        /// An administrator's data was erased from the log.
        AdministratorErased = "AdministratorErased",
        /// An administrator signed in to the pages.
        SignedIn = "SignedIn",
        /// An administrator signed out of the pages.
        SignedOut = "SignedOut",
        /// A dead letter was retried.
        DeadLetterRetried = "DeadLetterRetried",
        /// A dead letter was discarded.
        DeadLetterDiscarded = "DeadLetterDiscarded",
        /// An event stream was created.
        StreamCreated = "StreamCreated",
        /// An event stream was paused. It delivers nothing until it is resumed.
        StreamPaused = "StreamPaused",
        /// An event stream was resumed.
        StreamResumed = "StreamResumed",
        /// An event stream was deleted.
        StreamDeleted = "StreamDeleted",
        /// The log goes on after a restore of the database that lost signed entries.
        LogRestored = "LogRestored",
        /// Calls were denied by authentication.
        AccessDenied = "AccessDenied",
        /// A request was rejected because of the state.
        RequestRejected = "RequestRejected",
    }
);

names!(
    /// The kind of thing that an entry is about.
    SubjectType {
        /// A user.
        User = "User",
        /// A group.
        Group = "Group",
        /// An organization.
        Organization = "Organization",
        /// A workspace.
        Workspace = "Workspace",
        /// A role or an entitlement.
        Entitlement = "Entitlement",
        /// A token.
        Token = "Token",
        /// An event stream.
        Stream = "Stream",
        /// An administrator's session.
        Session = "Session",
        /// A dead letter.
        DeadLetter = "DeadLetter",
    }
);

names!(
    /// Whether the request was applied.
    OutcomeKind {
        /// It was applied.
        Applied = "applied",
        /// It was rejected.
        Rejected = "rejected",
    }
);

impl EventType {
    /// The kind of person whose data an entry of this type erases. The person is the entry's subject: as the
    /// subject of earlier entries, whose payloads are erased, and as the actor of earlier entries, whose
    /// details are erased.
    pub fn erases(self) -> Option<SubjectType> {
        match self {
            Self::UserErased => Some(SubjectType::User),
            Self::AdministratorErased => Some(SubjectType::Session),
            _ => None,
        }
    }

    /// Whether the entry is about a group.
    pub fn is_of_group(self) -> bool {
        matches!(self, Self::GroupCreated | Self::GroupUpdated | Self::GroupDeleted | Self::GroupMapped)
    }
}

/// The error of a rejected request, without its detail. The detail can name a person, so it is in the
/// payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorCode {
    /// The keyword of RFC 7644, table 9.
    #[serde(rename = "scimType", default, skip_serializing_if = "Option::is_none")]
    pub scim_type: Option<ScimType>,
    /// The HTTP status code.
    pub status: u16,
}

impl From<&ScimError> for ErrorCode {
    fn from(error: &ScimError) -> Self {
        Self { scim_type: error.scim_type, status: error.status }
    }
}

impl ErrorCode {
    /// The error with its detail, as the caller got it. Without the detail, because it was erased, the error
    /// says so.
    pub fn with_detail(self, detail: Option<String>) -> ScimError {
        let detail = detail.unwrap_or_else(|| "the detail of this error was erased".to_owned());
        ScimError { detail, scim_type: self.scim_type, status: self.status }
    }
}

/// The header of a log entry. The fields are in alphabetical order, here and in the types inside, so that the
/// plain JSON of a header is its canonical form. A test compares it with the library's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The commitment to the actor's details.
    pub actor_commitment: Hash,
    /// The id of the actor: of a token or a session, as the kind says.
    pub actor_id: Option<Uuid>,
    /// The kind of actor that made the request.
    pub actor_kind: ActorKind,
    /// Why the request was rejected.
    pub error: Option<ErrorCode>,
    /// The id of the request.
    pub event_id: EventId,
    /// The organization whose log has the entry.
    pub organization_id: OrganizationId,
    /// Whether the request was applied.
    pub outcome: OutcomeKind,
    /// The commitment to the payload.
    pub payload_commitment: Hash,
    /// When it was recorded, by the worker's clock.
    pub recorded_at: Timestamp,
    /// When the request was made, by the api's clock.
    pub requested_at: Timestamp,
    /// The version of the payload's format.
    pub schema_version: u16,
    /// The position of the entry in its log: 1, 2, 3 …
    pub seq: u64,
    /// The id of the thing that the entry is about.
    pub subject_id: Option<Uuid>,
    /// The kind of thing that the entry is about.
    pub subject_type: Option<SubjectType>,
    /// The type of the entry.
    #[serde(rename = "type")]
    pub event_type: EventType,
}

impl Header {
    /// The bytes that the tree hashes: `JCS(header)` (RFC 8785).
    ///
    /// # Errors
    /// If the header cannot be written as JSON. A header made of these types can.
    pub fn canonical(&self) -> Result<Vec<u8>, NotCanonical> {
        Ok(serde_json::to_vec(self)?)
    }

    /// The leaf of the entry: `SHA-256(0x00 ‖ JCS(header))` (RFC 6962 section 2.1).
    ///
    /// # Errors
    /// As [`Header::canonical`].
    pub fn leaf(&self) -> Result<Hash, NotCanonical> {
        Ok(Hash::of_entry(&self.canonical()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use proptest::prelude::*;
    use serde_json::json;

    /// If this fails, the format of the log has changed, and no log written before can be verified.
    /// `docs/log-format.md` shows the same example.
    #[test]
    fn the_format_of_the_log_does_not_change() {
        let header = example::entry().header;
        assert_eq!(
            serde_json::to_string(&header).unwrap(),
            concat!(
                r#"{"actor_commitment":"54a4cb8397d3dc6a0b924e8735ce1985c98fdbd959d9d24b8ecb2fed0c2214c8""#,
                r#","actor_id":"00000000-0000-0000-0000-000000000004","actor_kind":"token""#,
                r#","error":{"scimType":"uniqueness","status":409}"#,
                r#","event_id":"00000000-0000-0000-0000-000000000002""#,
                r#","organization_id":"00000000-0000-0000-0000-000000000001","outcome":"rejected""#,
                r#","payload_commitment":"108af39f79e9b5da1f357f18526b216e8824228b006046aa643d44b05e980e65""#,
                r#","recorded_at":"2026-01-02T03:04:05.250000Z","requested_at":"2026-01-02T03:04:05.000000Z""#,
                r#","schema_version":2,"seq":1,"subject_id":"00000000-0000-0000-0000-000000000003""#,
                r#","subject_type":"User","type":"UserCreated"}"#,
            )
        );
        assert_eq!(
            header.leaf().unwrap().to_string(),
            "4fc881f3dba0d5b577b4d57421089507aada4f2ab96249e93c4fde13aab5565e"
        );
    }

    proptest! {
        #[test]
        fn a_header_is_written_in_its_canonical_form(
            actor in any::<Option<u128>>(),
            status in proptest::option::of(400_u16..600),
        ) {
            let error = status.map(|status| ErrorCode { scim_type: None, status });
            let header = Header { actor_id: actor.map(Uuid::from_u128), error, ..example::entry().header };
            prop_assert_eq!(header.canonical().unwrap(), serde_json_canonicalizer::to_vec(&header).unwrap());
        }
    }

    #[test]
    fn every_name_reads_back() {
        for &event_type in EventType::ALL {
            assert_eq!(EventType::from_name(event_type.as_str()), Some(event_type));
            assert_eq!(json!(event_type), json!(event_type.as_str()));
        }
        assert_eq!(EventType::from_name("Other"), None);
    }

    #[test]
    fn an_error_comes_back_with_its_detail_or_says_that_it_was_erased() {
        let error = ScimError::uniqueness("userName ada is taken");
        let code = ErrorCode::from(&error);
        assert_eq!(code.with_detail(Some(error.detail.clone())), error);
        assert_eq!((code.with_detail(None).status, code.with_detail(None).scim_type), (409, error.scim_type));
    }
}
