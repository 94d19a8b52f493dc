//! Identifiers. Each kind has its own type, so that the compiler finds mix-ups.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

use crate::{Timestamp, TreeHead};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "postgres", derive(postgres_types::ToSql, postgres_types::FromSql), postgres(transparent))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new identifier that sorts by its time of creation (RFC 9562, version 7).
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
    /// A SCIM token or an auditor token. This is the id, not the secret.
    TokenId
);
id!(
    /// An administrator's session. The id is the same from the sign-in link on.
    SessionId
);
id!(
    /// A dead letter.
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
    /// A request, and the log entry that records it: the `txn` of RFC 9967.
    EventId
);

id!(
    /// A call that waits for an outcome. The id is used in messages only and never stored.
    CorrelationId
);

impl OrganizationId {
    /// The system organization. Its log has the events that belong to no organization.
    pub const SYSTEM: Self = Self(Uuid::nil());
}

/// The BLAKE3 context of [`EventId::from_client_key`].
const CLIENT_KEY_CONTEXT: &str = "rollcall 2026 idempotency key";
/// The BLAKE3 context of [`EventId::of_operation`].
const OPERATION_CONTEXT: &str = "rollcall 2026 bulk operation";
/// The BLAKE3 context of [`EventId::created_by_operation`].
const CREATED_CONTEXT: &str = "rollcall 2026 bulk resource";
/// The BLAKE3 context of [`EventId::of_announcement`].
const ANNOUNCEMENT_CONTEXT: &str = "rollcall 2026 expiry announcement";
/// The BLAKE3 context of [`EventId::of_restore`].
const RESTORE_CONTEXT: &str = "rollcall 2026 accepted restore";
/// The BLAKE3 context of [`EventId::fingerprint`].
const FINGERPRINT_CONTEXT: &str = "rollcall 2026 fingerprint";

/// Event ids derived from the content of a request. Each kind has its own BLAKE3 context, so ids of different
/// kinds never collide, whatever text a client chooses as its key.
impl EventId {
    /// The event id of every request of an organization with the same `Idempotency-Key` (RFC 9562, version
    /// 8).
    pub fn from_client_key(organization: OrganizationId, key: &str) -> Self {
        Self::derived(CLIENT_KEY_CONTEXT, organization, &[key.as_bytes()])
    }

    /// The event id of one operation in a bulk request; `self` is the transaction of the bulk request.
    #[must_use]
    pub fn of_operation(self, organization: OrganizationId, index: usize) -> Self {
        Self::derived(OPERATION_CONTEXT, organization, &[self.0.as_bytes(), &(index as u64).to_be_bytes()])
    }

    /// The id of the resource that one operation of a bulk request creates; `self` is the transaction of the
    /// bulk request. If the bulk request is repeated, it refers to the same resources, however much of it was
    /// done.
    pub fn created_by_operation(self, organization: OrganizationId, index: usize) -> Uuid {
        Self::derived(CREATED_CONTEXT, organization, &[self.0.as_bytes(), &(index as u64).to_be_bytes()]).0
    }

    /// The event id of the announcement that a token expires at `expires_at`, made `days` days ahead.
    pub fn of_announcement(organization: OrganizationId, token: TokenId, expires_at: Timestamp, days: u32) -> Self {
        let expires_at = expires_at.to_string();
        let parts: [&[u8]; 3] = [token.0.as_bytes(), &days.to_be_bytes(), expires_at.as_bytes()];
        Self::derived(ANNOUNCEMENT_CONTEXT, organization, &parts)
    }

    /// The event id of the entry that a log goes on although this tree head was signed. If the command breaks
    /// off and is repeated, the log has the entry once.
    pub fn of_restore(organization: OrganizationId, signed: TreeHead) -> Self {
        Self::derived(RESTORE_CONTEXT, organization, &[&signed.size.to_be_bytes(), signed.root.as_bytes()])
    }

    /// Hashes the parts into an id. All parts but the last must have a fixed length: then different parts
    /// never give the same bytes.
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

    /// A hash of the parts of a call. It shows whether a repeated `Idempotency-Key` comes with the same call.
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
    fn a_clients_key_never_gives_an_id_made_by_the_service() {
        let (organization, token) = (OrganizationId::generate(), TokenId::generate());
        let (txn, at) = (EventId::generate(), Timestamp::now());
        let operation = txn.of_operation(organization, 3);
        let announcement = EventId::of_announcement(organization, token, at, 7);
        assert_ne!(EventId::from_client_key(organization, &format!("{txn}:3")), operation);
        assert_ne!(EventId::from_client_key(organization, &format!("expiring {token} {at} 7")), announcement);
        assert_ne!(operation, announcement);
        // A client that knows how ids are derived can choose the hashed bytes, as far as they are text.
        let (text, index) = (
            EventId(Uuid::from_bytes(*b"0123456789abcdef")),
            usize::try_from(u64::from_be_bytes(*b"ghijklmn")).unwrap(),
        );
        assert_ne!(
            EventId::from_client_key(organization, "0123456789abcdefghijklmn"),
            text.of_operation(organization, index)
        );
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
