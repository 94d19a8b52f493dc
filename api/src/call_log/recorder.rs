//! Gathers what is observed and sends it off at intervals. It can neither slow nor fail a call: what comes too thick or cannot be sent is left out.

use rollcall_events::call_log::CallRecord;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::submit::RequestClient;

/// How often what was gathered is sent.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many bytes of bodies are kept of an interval; a message is small, however large the bodies are.
const MOST_BODY_BYTES: usize = 64 * 1024;

/// The recorder.
pub(crate) struct CallRecorder {
    gathered: Mutex<Gathered>,
    /// How many calls of an interval are kept.
    most: usize,
}

#[derive(Default)]
struct Gathered {
    calls: Vec<CallRecord>,
    left_out: u64,
    body_bytes: usize,
}

impl CallRecorder {
    /// One that keeps so many calls a second.
    pub(crate) fn new(calls_per_second: u32) -> Self {
        Self { gathered: Mutex::default(), most: usize::try_from(calls_per_second).unwrap_or(usize::MAX) }
    }

    /// Notes a call, which is only written down where there is room for it.
    pub(super) fn note(&self, call: impl FnOnce() -> CallRecord) {
        let mut gathered = self.gathered();
        if gathered.calls.len() < self.most {
            let call = call();
            gathered.body_bytes += [&call.request_body, &call.response_body].into_iter().flatten().map(String::len).sum::<usize>();
            gathered.calls.push(call);
        } else {
            gathered.left_out += 1;
        }
    }

    /// Whether what another call held would be kept.
    pub(super) fn has_room_for_bodies(&self) -> bool {
        let gathered = self.gathered();
        gathered.body_bytes < MOST_BODY_BYTES && gathered.calls.len() < self.most
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        // Nothing that holds the lock can leave it half-changed.
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what was gathered, for as long as the process lives.
    pub(crate) async fn keep_sending(&self, requests: &RequestClient) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            self.send(requests).await;
        }
    }

    /// Sends what was gathered.
    pub(crate) async fn send(&self, requests: &RequestClient) {
        let Gathered { calls, left_out, .. } = std::mem::take(&mut *self.gathered());
        if left_out > 0 {
            tracing::info!(left_out, kept = calls.len(), "more calls than observed_per_second: the page Requests does not show them all");
        }
        if calls.is_empty() {
            return;
        }
        if let Err(error) = requests.publisher().tell(&calls).await {
            tracing::warn!(%error, calls = calls.len(), "observed calls are lost");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_events::call_log::Meaning;
    use rollcall_events::{OrganizationId, Timestamp, TokenId};
    use uuid::Uuid;

    fn call() -> CallRecord {
        CallRecord {
            id: Uuid::now_v7(),
            organization_id: OrganizationId::generate(),
            at: Timestamp::now(),
            micros: 1,
            method: "GET".to_owned(),
            path: "/Users".to_owned(),
            query: None,
            meaning: Meaning::List,
            subject: None,
            subject_id: None,
            status: 200,
            scim_type: None,
            detail: None,
            txn: None,
            token_id: TokenId::generate(),
            label: "HR".to_owned(),
            address: None,
            user_agent: None,
            request_body: None,
            response_body: None,
        }
    }

    #[test]
    fn a_flood_is_counted_and_not_kept() {
        let recorder = CallRecorder::new(2);
        (0..5).for_each(|_| recorder.note(call));
        let gathered = recorder.gathered.lock().unwrap();
        assert_eq!((gathered.calls.len(), gathered.left_out), (2, 3));
    }

    #[test]
    fn bodies_are_kept_while_there_is_room_for_them() {
        let recorder = CallRecorder::new(100);
        let with_body = || CallRecord { response_body: Some("x".repeat(MOST_BODY_BYTES / 2)), ..call() };
        recorder.note(with_body);
        assert!(recorder.has_room_for_bodies());
        recorder.note(with_body);
        assert!(!recorder.has_room_for_bodies());
        assert!(!CallRecorder::new(0).has_room_for_bodies());
    }
}
