//! A partition's requests on their way to `RabbitMQ`: one message after the other, each with all that came while the one before was being confirmed. A busy broker so gets
//! few, full messages; a lone request waits for nothing.

use arc_swap::ArcSwapOption;
use lapin::types::ShortString;
use rollcall_events::CorrelationId;
use rollcall_queue::framing::{Frame, pack};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel, error::TrySendError};
use tokio::sync::oneshot;

use super::{APP_ID, Link, NotConfirmed, REPLY_QUEUE, confirmed};
use crate::pending::{PendingReplies, ReplySlot};

/// How many requests may wait for the message before theirs.
const BACKLOG: usize = 10_000;
/// How many requests travel in one message at most.
const MOST: usize = 64;
/// How many bytes are enough for one message.
const ENOUGH: usize = 128 * 1024;

/// The way to one partition.
pub(super) struct BatchingPublisher(Sender<Queued>);

/// A request that waits to be sent.
pub(super) struct Queued {
    request: Frame,
    /// Where its outcome is awaited, if it is.
    awaited: Option<(PendingReplies, CorrelationId)>,
    /// Who wants to know whether it was taken; nobody does any more where the caller has gone.
    taken: oneshot::Sender<Result<(), NotConfirmed>>,
}

impl BatchingPublisher {
    /// A publisher to a partition, over whatever link there is at the time; it is served for as long as it is there.
    pub(super) fn open(key: ShortString, link: Arc<ArcSwapOption<Link>>, confirm_within: Duration) -> Self {
        let (publisher, posted) = channel(BACKLOG);
        let broker = Broker { key, link, confirm_within };
        tokio::spawn(async move { broker.send_all(posted).await });
        Self(publisher)
    }

    /// Puts a request behind those that wait; answers where it will be told whether it was taken.
    ///
    /// # Errors
    /// Where too many wait already.
    pub(super) fn post(
        &self,
        request: Frame,
        slot: Option<&ReplySlot>,
    ) -> Result<oneshot::Receiver<Result<(), NotConfirmed>>, NotConfirmed> {
        let (taken, told) = oneshot::channel();
        let awaited = slot.map(|slot| (slot.waiting(), slot.id()));
        self.0.try_send(Queued { request, awaited, taken }).map_err(|error| match error {
            TrySendError::Full(_) => NotConfirmed::Blocked,
            TrySendError::Closed(_) => NotConfirmed::BrokeOff,
        })?;
        Ok(told)
    }
}

/// What is at the end of a publisher.
struct Broker {
    key: ShortString,
    link: Arc<ArcSwapOption<Link>>,
    confirm_within: Duration,
}

impl Broker {
    async fn send_all(&self, mut posted: Receiver<Queued>) {
        let mut waiting = Vec::with_capacity(MOST);
        while posted.recv_many(&mut waiting, MOST).await > 0 {
            while !waiting.is_empty() {
                self.send_first(&mut waiting).await;
            }
        }
    }

    /// Sends the first of those that wait, as many as fit, and tells their callers.
    async fn send_first(&self, waiting: &mut Vec<Queued>) {
        // Whoever was told that it took too long, or has hung up, is not to be surprised by it later.
        waiting.retain(|posted| !posted.taken.is_closed());
        let first = waiting.drain(..fitting(waiting));
        let (requests, callers): (Vec<_>, Vec<_>) = first.map(|posted| (posted.request, (posted.awaited, posted.taken))).unzip();
        if requests.is_empty() {
            return;
        }
        let result = self.send(&requests).await;
        for (awaited, taken) in callers {
            if let (Err(_), Some((waiting, id))) = (&result, awaited) {
                waiting.give_up_on(id);
            }
            // Most callers have their outcome by now.
            let _ = taken.send(result.clone());
        }
    }

    /// Sends requests as one message; returns once `RabbitMQ` has it on a durable queue. What is not confirmed in time holds up nothing behind it.
    async fn send(&self, requests: &[Frame]) -> Result<(), NotConfirmed> {
        let sending = async {
            let link = self.link.load_full().ok_or(NotConfirmed::NotConnected)?;
            let message = pack(requests, APP_ID, REPLY_QUEUE)?;
            confirmed(link.send(self.key.clone(), message).await?.await)
        };
        tokio::time::timeout(self.confirm_within, sending).await.map_err(|_| NotConfirmed::TimedOut)?
    }
}

/// How many of the first travel in one message.
fn fitting(waiting: &[Queued]) -> usize {
    let mut bytes = 0;
    let more = waiting.iter().take_while(|posted| {
        let fits = bytes < ENOUGH;
        bytes += posted.request.size();
        fits
    });
    more.count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_events::actor::Actor;
    use rollcall_events::request::{Request, RequestBody, SettingsRequested};
    use rollcall_events::{EventId, OrganizationId, Timestamp, WorkspaceId};

    fn posted(bytes: usize) -> Queued {
        let organization_id = OrganizationId::generate();
        let create = SettingsRequested::CreateWorkspace { workspace_id: WorkspaceId::generate(), name: "x".repeat(bytes) };
        let request = Request {
            id: EventId::generate(),
            organization_id,
            requested_at: Timestamp::now(),
            actor: Actor::operator("test"),
            fingerprint: None,
            body: RequestBody::SettingsRequested(create),
        };
        Queued { request: Frame::new(&request, None).unwrap(), awaited: None, taken: oneshot::channel().0 }
    }

    #[test]
    fn a_message_has_enough_and_not_much_more() {
        let small: Vec<_> = (0..MOST).map(|_| posted(500)).collect();
        assert_eq!(fitting(&small), MOST);
        let large: Vec<_> = [500, ENOUGH, 500, ENOUGH].map(posted).into();
        assert_eq!((fitting(&large), fitting(&large[1..]), fitting(&large[2..])), (2, 1, 2), "the one that makes it enough is the last");
    }

    #[tokio::test]
    async fn where_there_is_no_connection_everybody_is_told() {
        let publisher = BatchingPublisher::open("q".into(), Arc::new(ArcSwapOption::empty()), Duration::from_mins(1));
        let waiting = PendingReplies::new(1);
        let slot = waiting.enter().unwrap();
        let told: Vec<_> = (0..3).map(|n| publisher.post(posted(n).request, (n == 1).then_some(&slot)).unwrap()).collect();
        for told in told {
            assert!(matches!(told.await, Ok(Err(NotConfirmed::NotConnected))));
        }
        assert_eq!(waiting.len(), 0, "an outcome that cannot come is not awaited");
    }
}
