//! What is observed of calls beside the log: each with what it meant and how it was answered. Best effort, and kept for some days only.

use rollcall_scim::ScimType;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::str::FromStr;
use uuid::Uuid;

use crate::{EventId, OrganizationId, Timestamp, TokenId};

/// The `type` of a message of observed calls.
pub const OBSERVED_TYPE: &str = "Observed";

macro_rules! meanings {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),* $(,)?) => {
        /// What a call meant.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub enum Meaning {
            $($(#[$doc])* $variant),*
        }

        impl Meaning {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

meanings!(
    /// Whether there is such a user or group: what providers ask before they create one.
    LookUp = "lookUp",
    /// One user or group.
    Read = "read",
    /// Users or groups, page by page.
    List = "list",
    /// A user or group is to come to be.
    Create = "create",
    /// A user or group is to be replaced.
    Replace = "replace",
    /// A user or group is to be changed.
    Modify = "modify",
    /// A user's account is no longer to be used.
    Deactivate = "deactivate",
    /// A user's account is to be used again.
    Activate = "activate",
    /// A user or group is to be deleted.
    Delete = "delete",
    /// Users are to join a group.
    AddMembers = "addMembers",
    /// Users are to leave a group.
    RemoveMembers = "removeMembers",
    /// The members of a group are to be others.
    SetMembers = "setMembers",
    /// Several operations at once.
    Bulk = "bulk",
    /// What the service can do.
    Discover = "discover",
    /// What became of an earlier call.
    Outcome = "outcome",
    /// Anything else.
    Other = "other",
);

/// A text that is no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such meaning of a call")]
pub struct UnknownMeaning;

impl FromStr for Meaning {
    type Err = UnknownMeaning;

    fn from_str(text: &str) -> Result<Self, UnknownMeaning> {
        Self::ALL.iter().copied().find(|meaning| meaning.as_str() == text).ok_or(UnknownMeaning)
    }
}

/// A call that was answered. The names of its members are those of the columns that keep it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Its own id, by which it is kept once however often it is told; in the order of time.
    pub id: Uuid,
    /// Whose token it came with.
    pub organization_id: OrganizationId,
    /// When it came.
    pub at: Timestamp,
    /// How long its answer took, in microseconds.
    pub micros: u32,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query string, decoded, if there is one.
    pub query: Option<String>,
    /// What it meant.
    pub meaning: Meaning,
    /// What whoever it is about is called.
    pub subject: Option<String>,
    /// Their id.
    pub subject_id: Option<Uuid>,
    /// The status of the answer.
    pub status: u16,
    /// The `scimType` of the error (RFC 7644 section 3.12).
    pub scim_type: Option<ScimType>,
    /// What the error said.
    pub detail: Option<String>,
    /// The transaction of a call that changes something: the id of its event.
    pub txn: Option<EventId>,
    /// The token.
    pub token_id: TokenId,
    /// Its name for people.
    pub label: String,
    /// The address that counts as the caller's.
    pub address: Option<IpAddr>,
    /// What the caller calls itself.
    pub user_agent: Option<String>,
    /// What it held, without secrets and shortened, where its organization has that recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_body: Option<String>,
    /// What its answer held, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_body: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meaning_has_one_name_everywhere() {
        for meaning in Meaning::ALL {
            assert_eq!(serde_json::to_value(meaning).unwrap(), meaning.as_str());
            assert_eq!(meaning.as_str().parse(), Ok(*meaning));
        }
        assert_eq!("x".parse::<Meaning>(), Err(UnknownMeaning));
    }
}
