//! The call log: what each call meant and how it was answered. It is separate from the organization's log,
//! recorded on a best-effort basis, and pruned after some days.

use rollcall_scim::ScimType;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::str::FromStr;
use uuid::Uuid;

use crate::{EventId, OrganizationId, Timestamp, TokenId};

/// The AMQP `type` property of a message with call records.
pub const OBSERVED_TYPE: &str = "Observed";

macro_rules! meanings {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),* $(,)?) => {
        /// The meaning of a call: what the caller wanted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub enum Meaning {
            $($(#[$doc])* $variant),*
        }

        impl Meaning {
            /// All meanings.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name, as the call log stores it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

meanings!(
    /// Checks whether a user or group exists. Providers send this before they create one.
    LookUp = "lookUp",
    /// Reads one user or group.
    Read = "read",
    /// Lists users or groups, page by page.
    List = "list",
    /// Creates a user or group.
    Create = "create",
    /// Replaces a user or group.
    Replace = "replace",
    /// Changes a user or group.
    Modify = "modify",
    /// Deactivates a user's account.
    Deactivate = "deactivate",
    /// Reactivates a user's account.
    Activate = "activate",
    /// Deletes a user or group.
    Delete = "delete",
    /// Adds users to a group.
    AddMembers = "addMembers",
    /// Removes users from a group.
    RemoveMembers = "removeMembers",
    /// Replaces the members of a group.
    SetMembers = "setMembers",
    /// Sends several operations in one bulk request.
    Bulk = "bulk",
    /// Discovers what the service supports.
    Discover = "discover",
    /// Asks for the outcome of an earlier call.
    Outcome = "outcome",
    /// Anything else.
    Other = "other",
);

/// The text is not the name of a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such meaning of a call")]
pub struct UnknownMeaning;

impl FromStr for Meaning {
    type Err = UnknownMeaning;

    fn from_str(text: &str) -> Result<Self, UnknownMeaning> {
        Self::ALL.iter().copied().find(|meaning| meaning.as_str() == text).ok_or(UnknownMeaning)
    }
}

/// The record of one answered call. The field names are the names of the columns in the call log's table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The id of the record. It is time-ordered and makes a repeated record recognizable.
    pub id: Uuid,
    /// The organization of the call's token.
    pub organization_id: OrganizationId,
    /// When the call arrived.
    pub at: Timestamp,
    /// How long the answer took, in microseconds.
    pub micros: u32,
    /// The HTTP method.
    pub method: String,
    /// The path of the URL.
    pub path: String,
    /// The decoded query string, if the URL has one.
    pub query: Option<String>,
    /// The meaning of the call.
    pub meaning: Meaning,
    /// The name of the user or group that the call is about.
    pub subject: Option<String>,
    /// The id of the user or group that the call is about.
    pub subject_id: Option<Uuid>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The `scimType` of the error (RFC 7644 section 3.12).
    pub scim_type: Option<ScimType>,
    /// The error's `detail`.
    pub detail: Option<String>,
    /// For a call that changes something: its transaction, which is the id of its event.
    pub txn: Option<EventId>,
    /// The token that the caller used.
    pub token_id: TokenId,
    /// The token's label.
    pub label: String,
    /// The caller's address, after trusted proxies were taken into account.
    pub address: Option<IpAddr>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// The request body, redacted and shortened. Present only while the organization records bodies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_body: Option<String>,
    /// The response body, redacted and shortened. Present only while the organization records bodies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_body: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_meaning_has_one_name() {
        for meaning in Meaning::ALL {
            assert_eq!(serde_json::to_value(meaning).unwrap(), meaning.as_str());
            assert_eq!(meaning.as_str().parse(), Ok(*meaning));
        }
        assert_eq!("x".parse::<Meaning>(), Err(UnknownMeaning));
    }
}
