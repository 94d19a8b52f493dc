//! Identifiers, each a type of its own so that none can stand for another.

use postgres_types::{FromSql, ToSql};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

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
    /// A workspace of an organisation.
    WorkspaceId
);
id!(
    /// A user of an organisation: the SCIM `id`.
    UserId
);
id!(
    /// A group of an organisation: the SCIM `id`.
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
    /// A request, and so the log entry that records it: the `txn` of RFC 9967.
    EventId
);

id!(
    /// One call that awaits an outcome; it never leaves the queue.
    CorrelationId
);

impl OrganizationId {
    /// The log of events that belong to no organisation.
    pub const SYSTEM: Self = Self(Uuid::nil());
}

/// The context of [`EventId::from_key`].
const IDEMPOTENCY_CONTEXT: &str = "rollcall 2026 idempotency key";
/// The context of [`EventId::fingerprint`].
const FINGERPRINT_CONTEXT: &str = "rollcall 2026 fingerprint";

impl EventId {
    /// The event id of every request of an organisation that carries the same `Idempotency-Key` (RFC 9562, version 8).
    pub fn from_key(organization: OrganizationId, key: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(IDEMPOTENCY_CONTEXT);
        hasher.update(organization.0.as_bytes()).update(key.as_bytes());
        let mut bytes = [0; 16];
        hasher.finalize_xof().fill(&mut bytes);
        Self(Uuid::new_v8(bytes))
    }

    /// The event id of one operation of a bulk request that this is the transaction of.
    #[must_use]
    pub fn of_operation(self, organization: OrganizationId, index: usize) -> Self {
        Self::from_key(organization, &format!("{self}:{index}"))
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
    fn a_key_gives_one_event_id_within_an_organisation() {
        let (one, other) = (OrganizationId::generate(), OrganizationId::generate());
        assert_eq!(EventId::from_key(one, "k"), EventId::from_key(one, "k"));
        assert_ne!(EventId::from_key(one, "k"), EventId::from_key(one, "l"));
        assert_ne!(EventId::from_key(one, "k"), EventId::from_key(other, "k"));
    }
}
