//! Collects call records and publishes them at intervals. It never delays or fails a call: records that are
//! too many or cannot be published are dropped.

use rollcall_events::call_log::CallRecord;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::submit::RequestClient;

/// Interval at which records are published.
const INTERVAL: Duration = Duration::from_secs(1);

/// Maximum size of all bodies in an interval, in bytes. It keeps messages small, however large the bodies
/// are.
const MOST_BODY_BYTES: usize = 64 * 1024;

/// Collects call records.
pub struct CallRecorder {
    buffer: Mutex<CallBuffer>,
    /// Maximum number of records in an interval.
    most: usize,
}

#[derive(Default)]
struct CallBuffer {
    calls: Vec<CallRecord>,
    left_out: u64,
    body_bytes: usize,
}

impl CallRecorder {
    /// A recorder that keeps `calls_per_second` records per second.
    pub fn new(calls_per_second: u32) -> Self {
        Self { buffer: Mutex::default(), most: usize::try_from(calls_per_second).unwrap_or(usize::MAX) }
    }

    /// Records a call. `call` is only evaluated if the interval has room for the record.
    pub(super) fn record(&self, call: impl FnOnce() -> CallRecord) {
        let mut buffer = self.buffer();
        if buffer.calls.len() < self.most {
            let call = call();
            buffer.body_bytes +=
                [&call.request_body, &call.response_body].into_iter().flatten().map(String::len).sum::<usize>();
            buffer.calls.push(call);
        } else {
            buffer.left_out += 1;
        }
    }

    /// Whether the bodies of another call would be kept.
    pub(super) fn has_room_for_bodies(&self) -> bool {
        let buffer = self.buffer();
        buffer.body_bytes < MOST_BODY_BYTES && buffer.calls.len() < self.most
    }

    fn buffer(&self) -> MutexGuard<'_, CallBuffer> {
        // No holder of the lock can panic and leave it half-changed.
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes the collected records at intervals, until the process ends.
    pub async fn keep_sending(&self, requests: &RequestClient) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            self.send(requests).await;
        }
    }

    /// Publishes the collected records.
    pub async fn send(&self, requests: &RequestClient) {
        let CallBuffer { calls, left_out, .. } = std::mem::take(&mut *self.buffer());
        if left_out > 0 {
            tracing::info!(
                left_out,
                kept = calls.len(),
                "more calls than observed_per_second: the page Call log does not show all of them"
            );
        }
        if calls.is_empty() {
            return;
        }
        if let Err(error) = requests.publisher().publish_calls(&calls).await {
            tracing::warn!(%error, calls = calls.len(), "call records are lost");
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
    fn a_flood_of_denials_is_counted_and_not_stored() {
        let recorder = CallRecorder::new(2);
        (0..5).for_each(|_| recorder.record(call));
        let buffer = recorder.buffer.lock().unwrap();
        assert_eq!((buffer.calls.len(), buffer.left_out), (2, 3));
    }

    #[test]
    fn bodies_are_kept_up_to_the_memory_limit() {
        let recorder = CallRecorder::new(100);
        let with_body = || CallRecord { response_body: Some("x".repeat(MOST_BODY_BYTES / 2)), ..call() };
        recorder.record(with_body);
        assert!(recorder.has_room_for_bodies());
        recorder.record(with_body);
        assert!(!recorder.has_room_for_bodies());
        assert!(!CallRecorder::new(0).has_room_for_bodies());
    }
}
