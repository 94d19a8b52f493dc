//! Counts denials and logs them at intervals, so that a flood of bad calls cannot fill the log.

use rollcall_events::actor::{Actor, ActorDetails};
use rollcall_events::origin::ServiceOrigin;
use rollcall_events::request::{AccessDenied, Denial, Request, RequestBody};
use rollcall_events::{EventId, OrganizationId, Timestamp, TokenId};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::tokens::KnownToken;
use crate::submit::RequestClient;

/// How many entries with an address one interval can add to the log. Further denials are counted without
/// their addresses.
const MAX_ADDRESSES: usize = 32;
/// Maximum number of entries in one interval. Further denials are counted without their tokens too.
const MAX_ENTRIES: usize = 256;

/// The token that a denied call presented.
#[derive(Debug, Clone, Copy)]
pub(super) struct PresentedToken<'a> {
    pub(super) organization_id: OrganizationId,
    pub(super) id: TokenId,
    pub(super) label: &'a str,
    pub(super) origin: Option<&'a ServiceOrigin>,
}

impl<'a> From<&'a KnownToken> for PresentedToken<'a> {
    fn from(token: &'a KnownToken) -> Self {
        Self {
            organization_id: token.organization_id,
            id: token.id,
            label: &token.label,
            origin: Some(&token.service_origin),
        }
    }
}

/// A denied call.
pub(super) struct DeniedCall<'a> {
    pub(super) token: Option<PresentedToken<'a>>,
    pub(super) reason: Denial,
    pub(super) address: Option<IpAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    organization_id: OrganizationId,
    token_id: Option<TokenId>,
    reason: Denial,
    address: Option<IpAddr>,
}

struct DenialCount {
    label: Option<String>,
    service_origin: Option<String>,
    count: u64,
    first_at: Timestamp,
    last_at: Timestamp,
}

/// The denials since the last interval.
#[derive(Default)]
pub struct Denials {
    counts: Mutex<HashMap<Key, DenialCount>>,
}

impl Denials {
    /// Counts a denied call.
    pub(super) fn count(&self, refused: &DeniedCall<'_>) {
        let DeniedCall { token, reason, address } = *refused;
        let now = Timestamp::now();
        let organization_id = token.map_or(OrganizationId::SYSTEM, |token| token.organization_id);
        let key = Key { organization_id, token_id: token.map(|token| token.id), reason, address };
        let tally = DenialCount {
            label: token.map(|token| token.label.to_owned()),
            service_origin: token.and_then(|token| token.origin).map(ToString::to_string),
            count: 1,
            first_at: now,
            last_at: now,
        };
        self.add(key, tally);
    }

    fn add(&self, key: Key, tally: DenialCount) {
        let mut counts = self.lock();
        let key = match counts.len() {
            _ if counts.contains_key(&key) => key,
            0..MAX_ADDRESSES => key,
            MAX_ADDRESSES..MAX_ENTRIES => Key { address: None, ..key },
            _ => Key { organization_id: OrganizationId::SYSTEM, token_id: None, address: None, ..key },
        };
        let sum = counts.entry(key).or_insert(DenialCount { count: 0, ..tally });
        sum.count += tally.count;
        sum.first_at = sum.first_at.min(tally.first_at);
        sum.last_at = sum.last_at.max(tally.last_at);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, DenialCount>> {
        // No holder of the lock can panic and leave the counts half-changed.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes the counts to the log. Counts that cannot be published now are kept for the next interval.
    pub async fn flush(&self, requests: &RequestClient) {
        let counts = std::mem::take(&mut *self.lock());
        for (key, tally) in counts {
            if let Err(error) = requests.publish(&request(&key, &tally)).await {
                tracing::warn!(%error, count = tally.count, "denials cannot be logged at the moment and are kept");
                self.add(key, tally);
            }
        }
    }

    /// Flushes at intervals until the process ends.
    pub async fn keep_flushing(&self, requests: &RequestClient, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            self.flush(requests).await;
        }
    }
}

fn request(key: &Key, tally: &DenialCount) -> Request {
    let details = ActorDetails {
        address: key.address,
        label: tally.label.clone(),
        service_origin: tally.service_origin.clone(),
        user_agent: None,
    };
    Request {
        id: EventId::generate(),
        organization_id: key.organization_id,
        requested_at: Timestamp::now(),
        actor: match key.token_id {
            Some(token) => Actor::token(token, details),
            None => Actor::anonymous(details),
        },
        fingerprint: None,
        body: RequestBody::AccessDenied(AccessDenied {
            reason: key.reason,
            count: tally.count,
            first_at: tally.first_at,
            last_at: tally.last_at,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_from_many_addresses_makes_few_entries_and_counts_every_call() {
        let denials = Denials::default();
        for n in 0..100_000_u32 {
            let address = Some(IpAddr::from(n.to_be_bytes()));
            denials.count(&DeniedCall { token: None, reason: Denial::UnknownToken, address });
        }
        let counts = denials.lock();
        assert_eq!(counts.len(), MAX_ADDRESSES + 1);
        assert_eq!(counts.values().map(|tally| tally.count).sum::<u64>(), 100_000);
    }
}
