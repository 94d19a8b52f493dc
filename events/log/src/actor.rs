//! The actor of a request: who made it.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use uuid::Uuid;

use crate::names::names;
use crate::{SessionId, TokenId};

/// Maximum stored length of a `User-Agent` header, in characters.
const MAX_USER_AGENT_CHARS: usize = 256;

names!(
    /// The kind of an actor. It says what the actor's id identifies.
    ActorKind {
        /// A caller with a SCIM token or an auditor token. The id is that of the token.
        Token = "token",
        /// A person on the pages. The id is that of the session.
        Administrator = "administrator",
        /// A caller without a valid token. There is no id.
        Anonymous = "anonymous",
        /// An operator's command. There is no id.
        Operator = "operator",
        /// The service itself. There is no id.
        Service = "service",
    }
);

/// Who made a request: what the header of the log entry states, and the details, which the header only
/// commits to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// The details. They can be personal data.
    #[serde(default)]
    pub details: ActorDetails,
    /// The id of the token or the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The kind.
    pub kind: ActorKind,
}

/// The details of an actor. A field is `None` if it is unknown. The fields are in alphabetical order, so that
/// the plain JSON of the details is their canonical form. A test compares it with the library's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorDetails {
    /// The caller's address, after trusted proxies were taken into account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The token's label, the person's name, or the name of the operator's tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The token's service origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_origin: Option<String>,
    /// The `User-Agent` header, cut to 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

impl Actor {
    /// A caller with a token.
    pub fn token(id: TokenId, details: ActorDetails) -> Self {
        Self { details, id: Some(id.0), kind: ActorKind::Token }
    }

    /// A person on the pages.
    pub fn administrator(id: SessionId, details: ActorDetails) -> Self {
        Self { details, id: Some(id.0), kind: ActorKind::Administrator }
    }

    /// A caller without a valid token.
    pub fn anonymous(details: ActorDetails) -> Self {
        Self { details, id: None, kind: ActorKind::Anonymous }
    }

    /// The actor of an operator's command; `tool` becomes the label.
    pub fn operator(tool: &str) -> Self {
        Self { details: ActorDetails::labeled(tool), id: None, kind: ActorKind::Operator }
    }

    /// The service itself; `component` becomes the label.
    pub fn service(component: &str) -> Self {
        Self { details: ActorDetails::labeled(component), id: None, kind: ActorKind::Service }
    }

    /// The token of the caller, if it has one.
    pub fn token_id(&self) -> Option<TokenId> {
        self.id.filter(|_| self.kind == ActorKind::Token).map(TokenId)
    }

    /// The session of the person, if it is one on the pages.
    pub fn session_id(&self) -> Option<SessionId> {
        self.id.filter(|_| self.kind == ActorKind::Administrator).map(SessionId)
    }
}

impl ActorDetails {
    /// Details with a label only.
    fn labeled(label: &str) -> Self {
        Self { label: Some(label.to_owned()), ..Self::default() }
    }

    /// The canonical form (RFC 8785).
    ///
    /// # Errors
    /// If the details cannot be written as JSON. Details made of these types can.
    pub fn canonical(&self) -> Result<Vec<u8>, crate::NotCanonical> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Prepares a `User-Agent` header for storage: removes control characters and keeps the first 256
    /// characters.
    pub fn shortened_user_agent(text: &str) -> String {
        text.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT_CHARS).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn details_are_written_in_their_canonical_form(
            label in proptest::option::of("\\PC{0,12}"), service_origin in proptest::option::of("\\PC{0,12}"),
            user_agent in proptest::option::of("[\u{0}-\u{1f}\"\\\\/é😀a]{0,12}"),
        ) {
            let details = ActorDetails { address: "2001:db8::7".parse().ok(), label, service_origin, user_agent };
            prop_assert_eq!(details.canonical().unwrap(), serde_json_canonicalizer::to_vec(&details).unwrap());
        }
    }
}
