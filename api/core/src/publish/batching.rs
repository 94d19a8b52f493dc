//! Publishes the requests of one partition in batches. Each message carries all requests that arrived while
//! the message before it was being confirmed. So a busy broker gets few, full messages, and a single request
//! waits for no other.

use arc_swap::ArcSwapOption;
use lapin::types::ShortString;
use rollcall_events::CorrelationId;
use rollcall_queue::framing::Frame;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel, error::TrySendError};
use tokio::sync::oneshot;

use super::error::NotConfirmed;
use super::link::Link;
use crate::pending::{PendingReplies, ReplySlot};

/// Maximum number of requests that wait to be sent.
const BACKLOG: usize = 10_000;
/// Maximum number of requests in one message.
const MAX_REQUESTS: usize = 64;
/// A message with this number of bytes takes no further request.
const FULL_BYTES: usize = 128 * 1024;

/// Publishes to one partition.
pub(super) struct BatchingPublisher(Sender<Queued>);

/// A request that waits to be sent.
struct Queued {
    request: Frame,
    /// The pending reply of the request, if a caller waits for its outcome.
    reply: Option<(PendingReplies, CorrelationId)>,
    /// Receives the confirm. It is closed once the caller no longer waits.
    confirmation: oneshot::Sender<Result<(), NotConfirmed>>,
}

impl BatchingPublisher {
    /// Starts a publisher to a partition, over the current link. It ends when this is dropped.
    pub(super) fn open(key: ShortString, link: Arc<ArcSwapOption<Link>>, confirm_within: Duration) -> Self {
        let (publisher, queue) = channel(BACKLOG);
        let sender = BatchSender { key, link, confirm_within };
        tokio::spawn(async move { sender.send_all(queue).await });
        Self(publisher)
    }

    /// Queues a request behind the waiting ones. Returns the receiver of its confirm.
    ///
    /// # Errors
    /// If too many requests wait already.
    pub(super) fn enqueue(
        &self,
        request: Frame,
        slot: Option<&ReplySlot>,
    ) -> Result<oneshot::Receiver<Result<(), NotConfirmed>>, NotConfirmed> {
        let (confirmation, receiver) = oneshot::channel();
        let reply = slot.map(|slot| (slot.pending(), slot.id()));
        self.0.try_send(Queued { request, reply, confirmation }).map_err(|error| match error {
            TrySendError::Full(_) => NotConfirmed::Blocked,
            TrySendError::Closed(_) => NotConfirmed::TaskEnded,
        })?;
        Ok(receiver)
    }
}

/// Sends the queued requests of one partition.
struct BatchSender {
    key: ShortString,
    link: Arc<ArcSwapOption<Link>>,
    confirm_within: Duration,
}

impl BatchSender {
    async fn send_all(&self, mut queue: Receiver<Queued>) {
        let mut waiting = Vec::with_capacity(MAX_REQUESTS);
        while queue.recv_many(&mut waiting, MAX_REQUESTS).await > 0 {
            while !waiting.is_empty() {
                self.send_first(&mut waiting).await;
            }
        }
    }

    /// Sends the first waiting requests, as many as fit into one message, and reports the confirm to their
    /// callers.
    async fn send_first(&self, waiting: &mut Vec<Queued>) {
        // A caller that was answered 503 or has disconnected must not find the request applied later.
        waiting.retain(|queued| !queued.confirmation.is_closed());
        let first = waiting.drain(..fitting(waiting));
        let (requests, callers): (Vec<_>, Vec<_>) =
            first.map(|queued| (queued.request, (queued.reply, queued.confirmation))).unzip();
        if requests.is_empty() {
            return;
        }
        let result = self.send(&requests).await;
        for (reply, confirmation) in callers {
            if let (Err(_), Some((pending, id))) = (&result, reply) {
                pending.cancel(id);
            }
            // Most callers have their outcome by now and no longer wait for the confirm.
            let _ = confirmation.send(result.clone());
        }
    }

    /// Sends requests as one message. Returns once the broker has it on a durable queue. A message that is
    /// not confirmed in time does not delay the messages after it.
    async fn send(&self, requests: &[Frame]) -> Result<(), NotConfirmed> {
        let sending = async {
            let link = self.link.load_full().ok_or(NotConfirmed::NotConnected)?;
            link.publish(&self.key, requests).await
        };
        tokio::time::timeout(self.confirm_within, sending).await.map_err(|_| NotConfirmed::TimedOut)?
    }
}

/// How many of the first requests fit into one message.
fn fitting(waiting: &[Queued]) -> usize {
    let mut bytes = 0;
    let more = waiting.iter().take_while(|queued| {
        let fits = bytes < FULL_BYTES;
        bytes += queued.request.size();
        fits
    });
    more.count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_events::actor::Actor;
    use rollcall_events::name::UniqueName;
    use rollcall_events::request::{CreateWorkspace, Request, RequestBody};
    use rollcall_events::{EventId, OrganizationId, Timestamp, WorkspaceId};

    fn queued(bytes: usize) -> Queued {
        let organization_id = OrganizationId::generate();
        let create =
            CreateWorkspace { workspace_id: WorkspaceId::generate(), name: UniqueName::recorded("x".repeat(bytes)) };
        let request = Request {
            id: EventId::generate(),
            organization_id,
            requested_at: Timestamp::now(),
            actor: Actor::operator("test"),
            fingerprint: None,
            body: RequestBody::settings(create),
        };
        Queued { request: Frame::new(&request, None).unwrap(), reply: None, confirmation: oneshot::channel().0 }
    }

    #[test]
    fn a_message_is_full_after_the_request_that_reaches_the_limit() {
        let small: Vec<_> = (0..MAX_REQUESTS).map(|_| queued(500)).collect();
        assert_eq!(fitting(&small), MAX_REQUESTS);
        let large: Vec<_> = [500, FULL_BYTES, 500, FULL_BYTES].map(queued).into();
        assert_eq!(
            (fitting(&large), fitting(&large[1..]), fitting(&large[2..])),
            (2, 1, 2),
            "the request that reaches the limit is the last one"
        );
    }

    #[tokio::test]
    async fn every_caller_gets_the_error_if_there_is_no_connection() {
        let publisher = BatchingPublisher::open("q".into(), Arc::new(ArcSwapOption::empty()), Duration::from_mins(1));
        let pending = PendingReplies::new(1);
        let slot = pending.reserve().unwrap();
        let confirms: Vec<_> =
            (0..3).map(|n| publisher.enqueue(queued(n).request, (n == 1).then_some(&slot)).unwrap()).collect();
        for confirm in confirms {
            assert!(matches!(confirm.await, Ok(Err(NotConfirmed::NotConnected))));
        }
        assert_eq!(pending.count(), 0, "a reply that cannot arrive is not pending");
    }
}
