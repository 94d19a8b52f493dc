//! Identifiers, each a type of its own so that none can stand for another.

use postgres_types::{FromSql, ToSql};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

use crate::Timestamp;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSql, FromSql)]
        #[serde(transparent)]
        #[postgres(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new identifier that sorts by the time of its making (RFC 9562, version 7).
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::try_parse(text).map(Self)
            }
        }
    };
}

id!(
    /// A customer company.
    OrganizationId
);
id!(
    /// A workspace of an organization.
    WorkspaceId
);
id!(
    /// A user of an organization: the SCIM `id`.
    UserId
);
id!(
    /// A group of an organization: the SCIM `id`.
    GroupId
);
id!(
    /// A SCIM token, not to be mistaken for its secret.
    TokenId
);
id!(
    /// An administrator's session, from the link that it begins with.
    SessionId
);
id!(
    /// A request that can never be applied, as it is kept.
    DeadLetterId
);
id!(
    /// An event stream.
    StreamId
);
id!(
    /// A role or an entitlement that users can have: the SCIM `id`.
    EntitlementId
);
id!(
    /// A request, and so the log entry that records it: the `txn` of RFC 9967.
    EventId
);

id!(
    /// One call that awaits an outcome; it never leaves the queue.
    CorrelationId
);

impl OrganizationId {
    /// The log of events that belong to no organization.
    pub const SYSTEM: Self = Self(Uuid::nil());
}

/// The context of [`EventId::from_client_key`].
const CLIENT_KEY_CONTEXT: &str = "rollcall 2026 idempotency key";
/// The context of [`EventId::of_operation`].
const OPERATION_CONTEXT: &str = "rollcall 2026 bulk operation";
/// The context of [`EventId::created_by_operation`].
const CREATED_CONTEXT: &str = "rollcall 2026 bulk resource";
/// The context of [`EventId::of_announcement`].
const ANNOUNCEMENT_CONTEXT: &str = "rollcall 2026 expiry announcement";
/// The context of [`EventId::fingerprint`].
const FINGERPRINT_CONTEXT: &str = "rollcall 2026 fingerprint";

/// Event ids that follow from what is asked for. Each kind has a BLAKE3 context of its own, so an id of one kind is never an id of another,
/// whatever text a client chooses as its key.
impl EventId {
    /// The event id of every request of an organization that carries the same `Idempotency-Key` (RFC 9562, version 8).
    pub fn from_client_key(organization: OrganizationId, key: &str) -> Self {
        Self::derived(CLIENT_KEY_CONTEXT, organization, &[key.as_bytes()])
    }

    /// The event id of one operation of the bulk request whose transaction this is.
    #[must_use]
    pub fn of_operation(self, organization: OrganizationId, index: usize) -> Self {
        Self::derived(OPERATION_CONTEXT, organization, &[self.0.as_bytes(), &(index as u64).to_be_bytes()])
    }

    /// The id of what one operation of the bulk request creates whose transaction this is. A repeated request refers to the resources of the first, whatever was done of it.
    pub fn created_by_operation(self, organization: OrganizationId, index: usize) -> Uuid {
        Self::derived(CREATED_CONTEXT, organization, &[self.0.as_bytes(), &(index as u64).to_be_bytes()]).0
    }

    /// The event id of the announcement that a token expires at that time, made so many days ahead.
    pub fn of_announcement(organization: OrganizationId, token: TokenId, expires_at: Timestamp, days: u32) -> Self {
        let expires_at = expires_at.to_string();
        Self::derived(ANNOUNCEMENT_CONTEXT, organization, &[token.0.as_bytes(), &days.to_be_bytes(), expires_at.as_bytes()])
    }

    /// All parts but the last have a fixed length, so that different parts never hash the same bytes.
    fn derived(context: &str, organization: OrganizationId, parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(organization.0.as_bytes());
        for part in parts {
            hasher.update(part);
        }
        let mut bytes = [0; 16];
        hasher.finalize_xof().fill(&mut bytes);
        Self(Uuid::new_v8(bytes))
    }

    /// What tells a call that carries an `Idempotency-Key` from another one: a hash of its parts.
    pub fn fingerprint(parts: [&[u8]; 3]) -> String {
        let mut hasher = blake3::Hasher::new_derive_key(FINGERPRINT_CONTEXT);
        for part in parts {
            hasher.update(&part.len().to_be_bytes()).update(part);
        }
        hasher.finalize().to_hex().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_one_event_id_within_an_organization() {
        let (one, other) = (OrganizationId::generate(), OrganizationId::generate());
        assert_eq!(EventId::from_client_key(one, "k"), EventId::from_client_key(one, "k"));
        assert_ne!(EventId::from_client_key(one, "k"), EventId::from_client_key(one, "l"));
        assert_ne!(EventId::from_client_key(one, "k"), EventId::from_client_key(other, "k"));
    }

    #[test]
    fn no_key_of_a_client_gives_an_id_that_the_service_makes() {
        let (organization, token) = (OrganizationId::generate(), TokenId::generate());
        let (txn, at) = (EventId::generate(), Timestamp::now());
        let operation = txn.of_operation(organization, 3);
        let announcement = EventId::of_announcement(organization, token, at, 7);
        assert_ne!(EventId::from_client_key(organization, &format!("{txn}:3")), operation);
        assert_ne!(EventId::from_client_key(organization, &format!("expiring {token} {at} 7")), announcement);
        assert_ne!(operation, announcement);
        // A client that knows how ids are derived can choose the very bytes that are hashed, as far as they are text.
        let (text, index) = (EventId(Uuid::from_bytes(*b"0123456789abcdef")), usize::try_from(u64::from_be_bytes(*b"ghijklmn")).unwrap());
        assert_ne!(EventId::from_client_key(organization, "0123456789abcdefghijklmn"), text.of_operation(organization, index));
    }

    #[test]
    fn every_operation_and_every_announcement_has_an_id_of_its_own() {
        let (one, other) = (OrganizationId::generate(), OrganizationId::generate());
        let (txn, token, at) = (EventId::generate(), TokenId::generate(), Timestamp::now());
        let operations = [txn.of_operation(one, 0), txn.of_operation(one, 1), txn.of_operation(other, 0)];
        let announcements = [
            EventId::of_announcement(one, token, at, 1),
            EventId::of_announcement(one, token, at, 7),
            EventId::of_announcement(one, TokenId::generate(), at, 1),
            EventId::of_announcement(other, token, at, 1),
        ];
        let all: std::collections::HashSet<_> = operations.iter().chain(&announcements).collect();
        assert_eq!(all.len(), operations.len() + announcements.len());
        assert_eq!(EventId::of_announcement(one, token, at, 1), announcements[0], "the same announcement is made once");
    }
}
