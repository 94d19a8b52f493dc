//! The security events of SCIM (RFC 9967 sections 2.3 to 2.5) that receivers get.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The event with the outcome of an asynchronous request (RFC 9967 section 2.5.1).
pub const ASYNC_RESPONSE: &str = "urn:ietf:params:scim:event:misc:asyncresp";

const PREFIX: &str = "urn:ietf:params:scim:event:";

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),* $(,)?) => {
        /// An event about a resource. If one change has several events, they are sent in this order.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub enum Event {
            $($(#[$doc])* $variant),*
        }

        impl Event {
            /// All events.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The URI of the event.
            pub fn uri(self) -> &'static str {
                match self { $(Self::$variant => concat!("urn:ietf:params:scim:event:", $name)),* }
            }
        }
    };
}

events!(
    /// A resource is added to the feed (section 2.3.1).
    FeedAdd = "feed:add",
    /// A resource is removed from the feed (section 2.3.2).
    FeedRemove = "feed:remove",
    /// A resource was created: the names of its attributes (section 2.4.1).
    CreateNotice = "prov:create:notice",
    /// A resource was created: the resource (section 2.4.1).
    CreateFull = "prov:create:full",
    /// A resource was modified: the names of the modified attributes (section 2.4.2).
    PatchNotice = "prov:patch:notice",
    /// A resource was modified: the modifications (section 2.4.2).
    PatchFull = "prov:patch:full",
    /// A resource was replaced: the names of the changed attributes (section 2.4.3).
    PutNotice = "prov:put:notice",
    /// A resource was replaced: the resource (section 2.4.3).
    PutFull = "prov:put:full",
    /// A resource was deleted (section 2.4.4).
    Delete = "prov:delete",
    /// A user may use the account (section 2.4.5).
    Activate = "prov:activate",
    /// A user may no longer use the account (section 2.4.6).
    Deactivate = "prov:deactivate",
);

/// The error for a text that is not the URI of an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an event of RFC 9967 such as prov:create:full or urn:ietf:params:scim:event:prov:create:full")]
pub struct UnknownEvent(String);

impl FromStr for Event {
    type Err = UnknownEvent;

    /// Reads a URI, or the part of it after `urn:ietf:params:scim:event:`.
    fn from_str(text: &str) -> Result<Self, UnknownEvent> {
        let name = text.strip_prefix(PREFIX).unwrap_or(text);
        let is_named = |event: &&Self| event.uri().strip_prefix(PREFIX) == Some(name);
        Self::ALL.iter().find(is_named).copied().ok_or_else(|| UnknownEvent(text.chars().take(100).collect()))
    }
}

impl TryFrom<String> for Event {
    type Error = UnknownEvent;

    fn try_from(text: String) -> Result<Self, UnknownEvent> {
        text.parse()
    }
}

impl From<Event> for String {
    fn from(event: Event) -> Self {
        event.uri().to_owned()
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.uri())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_known_by_its_uri_and_by_its_name() {
        for event in Event::ALL {
            assert_eq!(event.uri().parse(), Ok(*event));
            assert_eq!(event.uri().strip_prefix(PREFIX).unwrap().parse(), Ok(*event));
        }
        assert_eq!("prov:create".parse::<Event>(), Err(UnknownEvent("prov:create".to_owned())));
    }
}
