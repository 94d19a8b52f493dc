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
#[serde(try_from = "ActorForm", into = "ActorForm")]
pub struct Actor {
    /// The details. They can be personal data.
    pub details: ActorDetails,
    identity: Identity,
}

/// The kind of an actor with the id that belongs to the kind. A token or a session without an id cannot be
/// written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Identity {
    Token(TokenId),
    Administrator(SessionId),
    Anonymous,
    Operator,
    Service,
}

/// The form of an actor in a message.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ActorForm {
    #[serde(default)]
    details: ActorDetails,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    kind: ActorKind,
}

/// The actor lacks the id that its kind needs, or has an id that its kind cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an actor of the kind {kind} {}", if *.has_id { "has no id" } else { "needs an id" })]
pub struct InvalidActor {
    kind: ActorKind,
    has_id: bool,
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
        Self { details, identity: Identity::Token(id) }
    }

    /// A person on the pages.
    pub fn administrator(id: SessionId, details: ActorDetails) -> Self {
        Self { details, identity: Identity::Administrator(id) }
    }

    /// A caller without a valid token.
    pub fn anonymous(details: ActorDetails) -> Self {
        Self { details, identity: Identity::Anonymous }
    }

    /// The actor of an operator's command; `tool` becomes the label.
    pub fn operator(tool: &str) -> Self {
        Self { details: ActorDetails::labeled(tool), identity: Identity::Operator }
    }

    /// The service itself; `component` becomes the label.
    pub fn service(component: &str) -> Self {
        Self { details: ActorDetails::labeled(component), identity: Identity::Service }
    }

    /// The kind.
    pub fn kind(&self) -> ActorKind {
        match self.identity {
            Identity::Token(_) => ActorKind::Token,
            Identity::Administrator(_) => ActorKind::Administrator,
            Identity::Anonymous => ActorKind::Anonymous,
            Identity::Operator => ActorKind::Operator,
            Identity::Service => ActorKind::Service,
        }
    }

    /// The id of the token or the session.
    pub fn id(&self) -> Option<Uuid> {
        match self.identity {
            Identity::Token(id) => Some(id.0),
            Identity::Administrator(id) => Some(id.0),
            Identity::Anonymous | Identity::Operator | Identity::Service => None,
        }
    }

    /// The token of the caller, if it has one.
    pub fn token_id(&self) -> Option<TokenId> {
        if let Identity::Token(id) = self.identity { Some(id) } else { None }
    }

    /// The session of the person, if it is one on the pages.
    pub fn session_id(&self) -> Option<SessionId> {
        if let Identity::Administrator(id) = self.identity { Some(id) } else { None }
    }
}

impl From<Actor> for ActorForm {
    fn from(actor: Actor) -> Self {
        let (id, kind) = (actor.id(), actor.kind());
        Self { details: actor.details, id, kind }
    }
}

impl TryFrom<ActorForm> for Actor {
    type Error = InvalidActor;

    fn try_from(form: ActorForm) -> Result<Self, InvalidActor> {
        let identity = match (form.kind, form.id) {
            (ActorKind::Token, Some(id)) => Identity::Token(TokenId(id)),
            (ActorKind::Administrator, Some(id)) => Identity::Administrator(SessionId(id)),
            (ActorKind::Anonymous, None) => Identity::Anonymous,
            (ActorKind::Operator, None) => Identity::Operator,
            (ActorKind::Service, None) => Identity::Service,
            (kind, id) => return Err(InvalidActor { kind, has_id: id.is_some() }),
        };
        Ok(Self { details: form.details, identity })
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
    use serde_json::json;

    #[test]
    fn an_actor_has_the_id_that_its_kind_needs_and_no_other() {
        let id = Uuid::from_u128(7);
        for kind in ActorKind::ALL {
            let needs_id = matches!(kind, ActorKind::Token | ActorKind::Administrator);
            for form in [json!({"kind": kind, "id": id}), json!({"kind": kind})] {
                let has_id = form.get("id").is_some();
                match serde_json::from_value::<Actor>(form) {
                    Ok(actor) => {
                        assert_eq!((has_id, actor.kind(), actor.id()), (needs_id, *kind, needs_id.then_some(id)));
                        let read = serde_json::from_value(serde_json::to_value(&actor).unwrap()).unwrap();
                        assert_eq!(actor, read, "{kind}");
                    }
                    Err(error) => assert!(has_id != needs_id && error.to_string().contains(kind.as_str()), "{error}"),
                }
            }
        }
    }

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
