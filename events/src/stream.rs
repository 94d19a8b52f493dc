//! Event streams: which events an organization delivers to a receiver, and how far the receiver has
//! acknowledged them.

use rollcall_scim::event::Event;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use url::Url;

use crate::address::AllowList;
use crate::name::{DisplayName, Label};
use crate::token::TokenDigest;
use crate::{StreamId, WorkspaceId};

/// Maximum length of an endpoint, in bytes.
const MAX_ENDPOINT_BYTES: usize = 2000;
/// How many acknowledgements are kept beyond the first missing one.
const MAX_BEYOND: usize = 10_000;

/// The settings that an administrator chooses for an event stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamSettings {
    /// A label for people.
    pub label: Label,
    /// The receiver of the tokens: their `aud` claim.
    pub audience: DisplayName,
    /// The event types that the stream delivers.
    pub events: BTreeSet<Event>,
    /// The stream covers only members of these workspaces. If the set is empty, it covers every user and
    /// group.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub workspaces: BTreeSet<WorkspaceId>,
    /// Whether delivery begins at the start of the log instead of the stream's creation.
    #[serde(default)]
    pub from_start: bool,
    /// How events reach the receiver.
    pub delivery: Delivery,
}

/// How events reach the receiver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Delivery {
    /// The receiver polls for events (RFC 8936).
    Poll {
        /// The digest of the receiver's secret.
        digest: TokenDigest,
        /// The addresses that the receiver may poll from; `None` for any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        allow_list: Option<AllowList>,
    },
    /// The worker pushes events to the receiver (RFC 8935).
    Push {
        /// The URL to push to.
        endpoint: Endpoint,
    },
}

/// A URL that events are pushed to: http or https, without user, password or fragment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Endpoint(Url);

/// The text is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an endpoint is an https address without user, password and fragment, of at most {MAX_ENDPOINT_BYTES} bytes")]
pub struct InvalidEndpoint;

impl Endpoint {
    /// The URL.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Whether the connection is unencrypted.
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

/// The `jti` claim of a token: the stream, and the seq and the beginning of the leaf of the log entry. The same
/// event has the same `jti`, however often it is delivered. After a restore of the database, a new entry can have
/// the seq of a lost one. Its leaf differs, so a receiver can tell the new event from the lost one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetId {
    /// The stream.
    pub stream_id: StreamId,
    /// The seq of the event in the organization's log.
    pub seq: u64,
    /// The first digits of the entry's leaf, see [`crate::log::Hash::short`].
    pub leaf: String,
}

impl fmt::Display for SetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.stream_id, self.seq, self.leaf)
    }
}

impl FromStr for SetId {
    type Err = InvalidSetId;

    fn from_str(text: &str) -> Result<Self, InvalidSetId> {
        let mut parts = text.splitn(3, ':');
        let mut part = || parts.next().ok_or(InvalidSetId);
        let (stream, seq, leaf) = (part()?, part()?, part()?);
        Ok(Self {
            stream_id: stream.parse().map_err(|_| InvalidSetId)?,
            seq: seq.parse().map_err(|_| InvalidSetId)?,
            leaf: leaf.to_owned(),
        })
    }
}

/// The text is not the `jti` of one of our tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the jti of an event that was delivered")]
pub struct InvalidSetId;

/// How far the receiver of a stream has acknowledged: everything up to a seq, and some events beyond it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Up to this seq, every event is acknowledged, and the other entries have no event in this stream.
    pub seq: u64,
    /// Acknowledged seqs after `seq`.
    #[serde(default)]
    pub beyond: BTreeSet<u64>,
    /// The number of accepted restores of the log when the position was read. Accepting a restore moves all
    /// positions back, so an older position is ignored.
    #[serde(default)]
    pub restores: i64,
}

impl Position {
    /// Records an acknowledgement. If too many are recorded beyond a missing one, it is dropped, and the
    /// event is delivered again.
    pub fn acknowledge(&mut self, seq: u64) {
        if seq > self.seq && self.beyond.len() < MAX_BEYOND {
            self.beyond.insert(seq);
        }
    }

    /// Adds the acknowledgements of another position. A position never moves back, unless a restore was accepted.
    pub fn merge(&mut self, other: Self) {
        match other.restores.cmp(&self.restores) {
            Ordering::Less => return,
            Ordering::Greater => *self = Self { restores: other.restores, ..Self::default() },
            Ordering::Equal => {}
        }
        self.seq = self.seq.max(other.seq);
        self.beyond.retain(|seq| *seq > self.seq);
        other.beyond.into_iter().for_each(|seq| self.acknowledge(seq));
    }

    /// Moves the position to just before the first event that is not acknowledged, or to `until` if there is
    /// none. `seqs` holds the seqs up to `until` that have an event in this stream. Returns the seqs that are
    /// not acknowledged.
    pub fn advance(&mut self, seqs: impl IntoIterator<Item = u64>, until: u64) -> Vec<u64> {
        let waiting: Vec<_> = seqs.into_iter().filter(|seq| *seq > self.seq && !self.beyond.contains(seq)).collect();
        self.seq = waiting.first().map_or(until, |first| first - 1).max(self.seq);
        self.beyond.retain(|seq| *seq > self.seq);
        waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Hash;
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
        assert_eq!(position.advance([4, 7, 9], 10), [4, 9]);
        assert_eq!(position, Position { seq: 3, beyond: [7].into(), restores: 0 });
        position.acknowledge(4);
        assert_eq!(position.advance([4, 7, 9], 10), [9]);
        assert_eq!(position, Position { seq: 8, ..Position::default() });
        position.acknowledge(9);
        assert_eq!(position.advance([9], 10), [] as [u64; 0]);
        assert_eq!(position, Position { seq: 10, ..Position::default() });
    }

    #[test]
    fn a_position_from_before_a_restore_is_void() {
        let position = |seq, restores| Position { seq, beyond: [seq + 2].into(), restores };
        let merged = |one: &Position, other: &Position| {
            let mut merged = one.clone();
            merged.merge(other.clone());
            merged
        };
        let (before, after) = (position(100, 1), position(97, 2));
        assert_eq!(merged(&before, &after), after);
        assert_eq!(merged(&after, &before), after);
        assert_eq!(merged(&after, &position(98, 2)), Position { seq: 98, beyond: [99, 100].into(), restores: 2 });
    }

    #[test]
    fn the_id_of_a_token_reads_back() {
        let id = SetId { stream_id: StreamId::generate(), seq: 7, leaf: Hash::of_entry(b"7").short() };
        assert_eq!(id.to_string().parse(), Ok(id.clone()));
        assert_eq!("7".parse::<SetId>(), Err(InvalidSetId));
        assert_eq!(format!("{}:7", id.stream_id).parse::<SetId>(), Err(InvalidSetId));
    }

    proptest! {
        /// The order and grouping of acknowledgements make no difference: exactly the unacknowledged events
        /// stay to be delivered.
        #[test]
        fn no_event_is_skipped(
            seqs in proptest::collection::btree_set(1u64..60, 0..30),
            acknowledged in proptest::collection::vec(1u64..60, 0..40), cut in 0usize..40,
        ) {
            let mut position = Position::default();
            let (first, rest) = acknowledged.split_at(cut.min(acknowledged.len()));
            let mut other = Position::default();
            for seq in first { position.acknowledge(*seq); }
            position.advance(seqs.iter().copied(), 60);
            for seq in rest { other.acknowledge(*seq); }
            other.advance(seqs.iter().copied(), 60);
            position.merge(other);
            let waiting = position.advance(seqs.iter().copied(), 60);
            let expected: Vec<_> = seqs.iter().copied().filter(|seq| !acknowledged.contains(seq)).collect();
            prop_assert_eq!(waiting, expected);
        }
    }
}
