//! Event streams: what an organization has delivered to whom, and how far each receiver has come.

use rollcall_scim::event::Event;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use url::Url;

use crate::address::AllowList;
use crate::token::TokenDigest;
use crate::{StreamId, WorkspaceId};

/// The most bytes of an endpoint.
const MAX_ENDPOINT_BYTES: usize = 2000;
/// How many events may be acknowledged beyond one that is not.
const MAX_BEYOND: usize = 10_000;

/// What an administrator chooses for an event stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamSettings {
    /// A name for people.
    pub label: String,
    /// For whom the tokens are: their `aud`.
    pub audience: String,
    /// What is told.
    pub events: BTreeSet<Event>,
    /// Whose members are told of; empty for every user and group.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub workspaces: BTreeSet<WorkspaceId>,
    /// Whether it begins with what was logged before it was made.
    #[serde(default)]
    pub from_start: bool,
    /// How it is delivered.
    pub delivery: Delivery,
}

/// How events are delivered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Delivery {
    /// The receiver asks for them (RFC 8936).
    Poll {
        /// The digest of the secret that it asks with.
        digest: TokenDigest,
        /// The addresses that it may ask from; `None` for any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        allow_list: Option<AllowList>,
    },
    /// They are sent to it (RFC 8935).
    Push {
        /// Where to.
        endpoint: Endpoint,
    },
}

/// An address that events are pushed to: http or https, without a user, password or fragment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Endpoint(Url);

/// Why a text is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an endpoint is an https address without user, password and fragment, of at most {MAX_ENDPOINT_BYTES} bytes")]
pub struct InvalidEndpoint;

impl Endpoint {
    /// The address.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Whether what is sent there can be read on the way.
    pub fn is_plain(&self) -> bool {
        self.0.scheme() != "https"
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let url: Url = text.trim().parse().map_err(|_| InvalidEndpoint)?;
        let is_endpoint = ["http", "https"].contains(&url.scheme())
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
            && url.as_str().len() <= MAX_ENDPOINT_BYTES;
        if is_endpoint { Ok(Self(url)) } else { Err(InvalidEndpoint) }
    }
}

impl TryFrom<String> for Endpoint {
    type Error = InvalidEndpoint;

    fn try_from(text: String) -> Result<Self, InvalidEndpoint> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.0.into()
    }
}

/// The `jti` of a token: the stream and the place in the log, so that the same event has the same one however often it is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetId {
    /// The stream.
    pub stream_id: StreamId,
    /// The place of the event in the organization's log.
    pub seq: u64,
}

impl fmt::Display for SetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.stream_id, self.seq)
    }
}

impl FromStr for SetId {
    type Err = InvalidSetId;

    fn from_str(text: &str) -> Result<Self, InvalidSetId> {
        let (stream, seq) = text.split_once(':').ok_or(InvalidSetId)?;
        Ok(Self { stream_id: stream.parse().map_err(|_| InvalidSetId)?, seq: seq.parse().map_err(|_| InvalidSetId)? })
    }
}

/// A text that is not the `jti` of a token of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the jti of an event that was delivered")]
pub struct InvalidSetId;

/// How far the receiver of a stream has come: everything up to a place in the log, and some of what is beyond.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Up to here everything is acknowledged or was nothing to be told.
    pub seq: u64,
    /// What is acknowledged beyond.
    #[serde(default)]
    pub beyond: BTreeSet<u64>,
}

impl Position {
    /// Takes in an acknowledgement. One too far beyond what is still missing is not kept: that event is delivered once more.
    pub fn acknowledge(&mut self, seq: u64) {
        if seq > self.seq && self.beyond.len() < MAX_BEYOND {
            self.beyond.insert(seq);
        }
    }

    /// Takes in what another position has acknowledged: a position never goes back.
    pub fn merge(&mut self, other: Self) {
        self.seq = self.seq.max(other.seq);
        self.beyond.retain(|seq| *seq > self.seq);
        other.beyond.into_iter().for_each(|seq| self.acknowledge(seq));
    }

    /// Moves on, given the places up to `until` at which there is something to be told: to the last place before one of them that is not acknowledged.
    /// Answers those that are not.
    pub fn move_on(&mut self, told: impl IntoIterator<Item = u64>, until: u64) -> Vec<u64> {
        let waiting: Vec<_> = told.into_iter().filter(|seq| *seq > self.seq && !self.beyond.contains(seq)).collect();
        self.seq = waiting.first().map_or(until, |first| first - 1).max(self.seq);
        self.beyond.retain(|seq| *seq > self.seq);
        waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use test_case::test_case;

    #[test_case("https://receiver.example.com/events?a=b" => true; "https")]
    #[test_case("http://127.0.0.1:8080/events" => true; "http, which the sender may refuse")]
    #[test_case("https://user:secret@receiver.example.com/" => false; "a secret")]
    #[test_case("https://receiver.example.com/#a" => false; "a fragment")]
    #[test_case("ftp://receiver.example.com/" => false; "another scheme")]
    #[test_case("receiver.example.com" => false; "no scheme")]
    fn an_endpoint(text: &str) -> bool {
        text.parse::<Endpoint>().is_ok()
    }

    #[test]
    fn a_position_moves_up_to_what_is_not_acknowledged() {
        let mut position = Position { seq: 2, ..Position::default() };
        position.acknowledge(7);
        assert_eq!(position.move_on([4, 7, 9], 10), [4, 9]);
        assert_eq!(position, Position { seq: 3, beyond: [7].into() });
        position.acknowledge(4);
        assert_eq!(position.move_on([4, 7, 9], 10), [9]);
        assert_eq!(position, Position { seq: 8, beyond: [].into() });
        position.acknowledge(9);
        assert_eq!(position.move_on([9], 10), [] as [u64; 0]);
        assert_eq!(position, Position { seq: 10, beyond: [].into() });
    }

    #[test]
    fn the_id_of_a_token_reads_back() {
        let id = SetId { stream_id: StreamId::generate(), seq: 7 };
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("7".parse::<SetId>(), Err(InvalidSetId));
    }

    proptest! {
        /// In whatever order and pieces acknowledgements come, the same is left to be delivered, and nothing that was not acknowledged is left out.
        #[test]
        fn nothing_is_passed_over(
            told in proptest::collection::btree_set(1u64..60, 0..30), acknowledged in proptest::collection::vec(1u64..60, 0..40), cut in 0usize..40,
        ) {
            let mut position = Position::default();
            let (first, rest) = acknowledged.split_at(cut.min(acknowledged.len()));
            let mut other = Position::default();
            for seq in first { position.acknowledge(*seq); }
            position.move_on(told.iter().copied(), 60);
            for seq in rest { other.acknowledge(*seq); }
            other.move_on(told.iter().copied(), 60);
            position.merge(other);
            let waiting = position.move_on(told.iter().copied(), 60);
            let expected: Vec<_> = told.iter().copied().filter(|seq| !acknowledged.contains(seq)).collect();
            prop_assert_eq!(waiting, expected);
        }
    }
}
