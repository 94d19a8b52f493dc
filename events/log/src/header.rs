//! The header of a log entry: every column except payload and salt. It is never erased, so it must not
//! contain personal data.

use rollcall_scim::ScimError;
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

use super::{Hash, NotCanonical};
use crate::actor::Actor;
use crate::{EventId, OrganizationId, Timestamp};

const LEAF_CONTEXT: &str = "rollcall 2026 leaf";

macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant),*
        }

        impl $name {
            /// All values.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name, as the log stores it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// Reads the name back; `None` if it is unknown.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)* _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

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
        /// An auditor's token was issued.
        AuditorTokenIssued = "AuditorTokenIssued",
        /// A token was revoked.
        TokenRevoked = "TokenRevoked",
        /// The settings of a SCIM token were changed.
        TokenChanged = "TokenChanged",
        /// A token is about to expire.
        TokenExpiring = "TokenExpiring",
        /// A sign-in link was created. It can be used once.
        SignInLinkIssued = "SignInLinkIssued",
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
    /// Whether the entry is about a group.
    pub fn is_of_group(self) -> bool {
        matches!(self, Self::GroupCreated | Self::GroupUpdated | Self::GroupDeleted | Self::GroupMapped)
    }
}

/// The header of a log entry. The fields are in alphabetical order, here and in the types inside, so that the
/// plain JSON of a header is its canonical form. A test compares it with the library's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Who made the request.
    pub actor: Actor,
    /// The commitment to the payload.
    pub commitment: Hash,
    /// Why the request was rejected.
    pub error: Option<ScimError>,
    /// The id of the request.
    pub event_id: EventId,
    /// The organization whose log has the entry.
    pub organization_id: OrganizationId,
    /// Whether the request was applied.
    pub outcome: OutcomeKind,
    /// When it was recorded, by the worker's clock.
    pub recorded_at: Timestamp,
    /// When the request was made, by the api's clock.
    pub requested_at: Timestamp,
    /// The version of the payload's format.
    pub schema_version: u16,
    /// The place of the entry in its log: 1, 2, 3 …
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
    /// The leaf of the entry: `H("rollcall 2026 leaf", JCS(header))`.
    ///
    /// # Errors
    /// If the header cannot be written as JSON. A header made of these types can.
    pub fn leaf(&self) -> Result<Hash, NotCanonical> {
        Ok(Hash(blake3::derive_key(LEAF_CONTEXT, &serde_json::to_vec(self)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenId;
    use crate::{Salt, canonical, commitment};
    use proptest::prelude::*;
    use serde_json::json;

    fn header(actor: Actor, detail: &str) -> Header {
        let id = |n: u128| Uuid::from_u128(n);
        let salt = Salt::from_bytes(&[9; 16]).unwrap();
        let payload = canonical(&json!({"resource": {"userName": "ada"}, "changed": []})).unwrap();
        Header {
            organization_id: OrganizationId(id(1)),
            seq: 1,
            event_id: EventId(id(2)),
            event_type: EventType::UserCreated,
            schema_version: 1,
            subject_type: Some(SubjectType::User),
            subject_id: Some(id(3)),
            actor,
            requested_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            recorded_at: "2026-01-02T03:04:05.25Z".parse().unwrap(),
            outcome: OutcomeKind::Rejected,
            error: Some(ScimError::uniqueness(detail)),
            commitment: commitment(salt, &payload),
        }
    }

    /// If this fails, the format of the log has changed, and no log written before can be verified.
    #[test]
    fn the_format_of_the_log_does_not_change() {
        let actor = Actor { address: "203.0.113.7".parse().ok(), ..Actor::operator("test") };
        let header = header(actor, "userName is taken");
        assert_eq!(
            serde_json::to_string(&header).unwrap(),
            concat!(
                r#"{"actor":{"address":"203.0.113.7","label":"test"},"commitment":"108af39f79e9b5da1f357f1852"#,
                r#"6b216e8824228b006046aa643d44b05e980e65","error":{"detail":"userName is taken","scimType":""#,
                r#"uniqueness","status":409},"event_id":"00000000-0000-0000-0000-000000000002","organization_"#,
                r#"id":"00000000-0000-0000-0000-000000000001","outcome":"rejected","recorded_at":"2026-01-02T"#,
                r#"03:04:05.250000Z","requested_at":"2026-01-02T03:04:05.000000Z","schema_version":1,"seq":1,"#,
                r#""subject_id":"00000000-0000-0000-0000-000000000003","subject_type":"User","type":"UserCrea"#,
                r#"ted"}"#,
            )
        );
        assert_eq!(
            header.leaf().unwrap().to_string(),
            "858e31b98aa355de35ea2bc78e6b473e94782a4cda6be1a1410b6476f17b5b48"
        );
    }

    proptest! {
        #[test]
        fn a_header_is_written_in_its_canonical_form(
            label in proptest::option::of("\\PC{0,12}"), origin in proptest::option::of("\\PC{0,12}"),
            user_agent in proptest::option::of("[\u{0}-\u{1f}\"\\\\/é😀a]{0,12}"), detail in "\\PC{0,12}",
            token in any::<Option<u128>>(),
        ) {
            let token_id = token.map(|n| TokenId(Uuid::from_u128(n)));
            let actor = Actor {
                address: "2001:db8::7".parse().ok(), label, service_origin: origin, token_id, user_agent
            };
            let header = header(actor, &detail);
            prop_assert_eq!(serde_json::to_vec(&header).unwrap(), serde_json_canonicalizer::to_vec(&header).unwrap());
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
}
