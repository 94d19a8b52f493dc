//! The header of a log entry: every column but payload and salt. It is never erased, so nothing personal may stand in it.

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
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name as it stands in the log.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// Reads the name back.
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
    /// What happened.
    EventType {
        /// A user came to be.
        UserCreated = "UserCreated",
        /// A user was changed, or asked to be what it was.
        UserUpdated = "UserUpdated",
        /// A user's account may no longer be used.
        UserDeactivated = "UserDeactivated",
        /// A user's account may be used again.
        UserReactivated = "UserReactivated",
        /// A user was deleted.
        UserDeleted = "UserDeleted",
        /// A deleted user's data was erased from the log.
        UserErased = "UserErased",
        /// A group came to be.
        GroupCreated = "GroupCreated",
        /// A group or its members were changed, or asked to be what they were.
        GroupUpdated = "GroupUpdated",
        /// A group was deleted.
        GroupDeleted = "GroupDeleted",
        /// A group's members came to belong to a workspace, or no longer do.
        GroupMapped = "GroupMapped",
        /// An organization came to be.
        OrganizationCreated = "OrganizationCreated",
        /// What calls and their answers hold is recorded for a while, or no longer.
        RecordingChanged = "RecordingChanged",
        /// A workspace came to be.
        WorkspaceCreated = "WorkspaceCreated",
        /// A role or an entitlement came to be that users can have.
        EntitlementDefined = "EntitlementDefined",
        /// A role or an entitlement can no longer be assigned.
        EntitlementRemoved = "EntitlementRemoved",
        /// A SCIM token was issued.
        TokenIssued = "TokenIssued",
        /// A token was issued that an auditor reads the log with.
        AuditorTokenIssued = "AuditorTokenIssued",
        /// A token was revoked.
        TokenRevoked = "TokenRevoked",
        /// A SCIM token may be used otherwise.
        TokenChanged = "TokenChanged",
        /// A token is about to expire.
        TokenExpiring = "TokenExpiring",
        /// A link was made by which somebody can sign in once.
        SignInLinkIssued = "SignInLinkIssued",
        /// Somebody signed in to the pages.
        SignedIn = "SignedIn",
        /// Somebody signed out of them.
        SignedOut = "SignedOut",
        /// A request that could not be applied is tried again.
        DeadLetterRetried = "DeadLetterRetried",
        /// A request that could not be applied never will be.
        DeadLetterDiscarded = "DeadLetterDiscarded",
        /// An event stream was made.
        StreamCreated = "StreamCreated",
        /// An event stream delivers nothing until somebody has it go on.
        StreamPaused = "StreamPaused",
        /// An event stream goes on.
        StreamResumed = "StreamResumed",
        /// An event stream ended.
        StreamDeleted = "StreamDeleted",
        /// Calls were refused for want of authentication or from a wrong place.
        AccessDenied = "AccessDenied",
        /// A request was refused for the state that it met.
        RequestRejected = "RequestRejected",
    }
);

names!(
    /// What it happened to.
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
        /// A request that could not be applied.
        DeadLetter = "DeadLetter",
    }
);

names!(
    /// Whether the request had its effect.
    OutcomeKind {
        /// It had.
        Applied = "applied",
        /// It was refused.
        Rejected = "rejected",
    }
);

impl EventType {
    /// Whether it happened to a group.
    pub fn is_of_group(self) -> bool {
        matches!(self, Self::GroupCreated | Self::GroupUpdated | Self::GroupDeleted | Self::GroupMapped)
    }
}

/// The header of a log entry. The fields stand in the order of their names, here and in what is inside, so that the plain JSON of a header is its
/// canonical form; a test holds that to the library's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Who asked.
    pub actor: Actor,
    /// The commitment to the payload.
    pub commitment: Hash,
    /// Why it had no effect.
    pub error: Option<ScimError>,
    /// The request that it answers.
    pub event_id: EventId,
    /// Whose log it is in.
    pub organization_id: OrganizationId,
    /// Whether it had its effect.
    pub outcome: OutcomeKind,
    /// When it was recorded, by the worker's clock.
    pub recorded_at: Timestamp,
    /// When it was asked for, by the api's clock.
    pub requested_at: Timestamp,
    /// The version of the payload's form.
    pub schema_version: u16,
    /// Its place in that log: 1, 2, 3 …
    pub seq: u64,
    /// Which of them.
    pub subject_id: Option<Uuid>,
    /// What kind of thing it happened to.
    pub subject_type: Option<SubjectType>,
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: EventType,
}

impl Header {
    /// `H("rollcall 2026 leaf", JCS(header))`.
    ///
    /// # Errors
    /// Where the header cannot be written as JSON; a header made of these types can.
    pub fn leaf(&self) -> Result<Hash, NotCanonical> {
        Ok(Hash(blake3::derive_key(LEAF_CONTEXT, &serde_json::to_vec(self)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Salt, canonical, commitment};
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

    /// If this fails, the format of the log has changed, and every log written before can no longer be verified.
    #[test]
    fn the_format_of_the_log_does_not_change() {
        let actor = Actor { address: "203.0.113.7".parse().ok(), ..Actor::operator("test") };
        let header = header(actor, "userName is taken");
        assert_eq!(
            serde_json::to_string(&header).unwrap(),
            concat!(
                r#"{"actor":{"address":"203.0.113.7","label":"test"},"commitment":"108af39f79e9b5da1f357f18526b216e8824"#,
                r#"228b006046aa643d44b05e980e65","error":{"detail":"userName is taken","scimType":"uniqueness","status""#,
                r#":409},"event_id":"00000000-0000-0000-0000-000000000002","organization_id":"00000000-0000-0000-0000-0"#,
                r#"00000000001","outcome":"rejected","recorded_at":"2026-01-02T03:04:05.250000Z","requested_at":"2026-0"#,
                r#"1-02T03:04:05.000000Z","schema_version":1,"seq":1,"subject_id":"00000000-0000-0000-0000-000000000003"#,
                r#"","subject_type":"User","type":"UserCreated"}"#,
            )
        );
        assert_eq!(header.leaf().unwrap().to_string(), "858e31b98aa355de35ea2bc78e6b473e94782a4cda6be1a1410b6476f17b5b48");
    }

    proptest! {
        #[test]
        fn a_header_is_written_in_its_canonical_form(
            label in proptest::option::of("\\PC{0,12}"), origin in proptest::option::of("\\PC{0,12}"),
            user_agent in proptest::option::of("[\u{0}-\u{1f}\"\\\\/é😀a]{0,12}"), detail in "\\PC{0,12}", token in any::<Option<u128>>(),
        ) {
            let token_id = token.map(|n| crate::TokenId(Uuid::from_u128(n)));
            let actor = Actor { address: "2001:db8::7".parse().ok(), label, service_origin: origin, token_id, user_agent };
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
