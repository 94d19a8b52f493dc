//! Publishes over the current connection, and connects again when it ends.

use arc_swap::ArcSwapOption;
use futures_util::StreamExt;
use lapin::Consumer;
use lapin::types::ShortString;
use rollcall_events::OrganizationId;
use rollcall_events::call_log::CallRecord;
use rollcall_events::request::Request;
use rollcall_queue::envelope::decode_outcomes;
use rollcall_queue::framing::Frame;
use rollcall_queue::topology;
use rollcall_service::backoff::Backoff;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::batching::BatchingPublisher;
use super::error::NotConfirmed;
use super::link::{Link, QueueStatus};
use crate::pending::{PendingReplies, ReplySlot};

/// Maximum time to connect and to declare the queues.
const CONNECT: Duration = Duration::from_secs(15);

/// Publishes requests over the current connection, if there is one.
pub struct Publisher {
    link: Arc<ArcSwapOption<Link>>,
    confirm_within: Duration,
    /// The name of each partition's queue, which is also its routing key.
    keys: Vec<ShortString>,
    publishers: Vec<BatchingPublisher>,
}

impl Publisher {
    /// A publisher that is not connected yet. The broker must confirm each message within `confirm_within`.
    pub fn new(partitions: u16, confirm_within: Duration) -> Self {
        let keys: Vec<ShortString> = (0..partitions).map(|partition| topology::queue_name(partition).into()).collect();
        let link = Arc::new(ArcSwapOption::empty());
        let publishers =
            keys.iter().map(|key| BatchingPublisher::open(key.clone(), link.clone(), confirm_within)).collect();
        Self { link, confirm_within, keys, publishers }
    }

    /// Publishes a request after the earlier requests of its organization. If the broker does not confirm it,
    /// its reply slot is canceled.
    ///
    /// # Errors
    /// If the request was not sent at all.
    pub fn publish(&self, request: &Request, slot: Option<&ReplySlot>) -> Result<PendingPublish, NotConfirmed> {
        self.link()?;
        let frame = Frame::new(request, slot.map(ReplySlot::id))?;
        let confirmation =
            self.publishers[usize::from(self.partition(request.organization_id))].enqueue(frame, slot)?;
        Ok(PendingPublish { confirmation, deadline: Instant::now() + self.confirm_within })
    }

    /// Publishes requests of one organization in their order. Returns for each whether the broker has it on a
    /// durable queue.
    pub async fn publish_all(
        &self,
        requests: impl Iterator<Item = (&Request, Option<&ReplySlot>)>,
    ) -> Vec<Result<(), NotConfirmed>> {
        let publishing: Vec<_> = requests.map(|(request, slot)| self.publish(request, slot)).collect();
        let mut confirms = Vec::with_capacity(publishing.len());
        for publishing in publishing {
            confirms.push(match publishing {
                Ok(publishing) => publishing.confirmed().await,
                Err(error) => Err(error),
            });
        }
        confirms
    }

    /// Publishes call records. The message is not durable.
    ///
    /// # Errors
    /// If the broker did not confirm the message in time.
    pub async fn publish_calls(&self, calls: &[CallRecord]) -> Result<(), NotConfirmed> {
        let (link, body) = (self.link()?, serde_json::to_vec(calls)?);
        let publishing = tokio::spawn(async move { link.publish_calls(&body).await });
        let ended = tokio::time::timeout(self.confirm_within, publishing).await;
        ended.map_err(|_| NotConfirmed::TimedOut)?.map_err(|_| NotConfirmed::TaskEnded)?
    }

    /// The connection, if it accepts messages.
    fn link(&self) -> Result<Arc<Link>, NotConfirmed> {
        let link = self.link.load_full().ok_or(NotConfirmed::NotConnected)?;
        if link.is_blocked() { Err(NotConfirmed::Blocked) } else { Ok(link) }
    }

    /// The state of the queue of an organization's partition.
    ///
    /// # Errors
    /// If the broker does not answer in time.
    pub async fn queue_status(&self, organization: OrganizationId) -> Result<QueueStatus, NotConfirmed> {
        let key = &self.keys[usize::from(self.partition(organization))];
        let found = self.statuses_of(std::slice::from_ref(key)).await?;
        found.first().copied().ok_or(NotConfirmed::NotConnected)
    }

    /// The state of every partition's queue, in the order of the partitions.
    ///
    /// # Errors
    /// If the broker does not answer in time.
    pub async fn queue_statuses(&self) -> Result<Vec<QueueStatus>, NotConfirmed> {
        self.statuses_of(&self.keys).await
    }

    async fn statuses_of(&self, queues: &[ShortString]) -> Result<Vec<QueueStatus>, NotConfirmed> {
        let link = self.link.load_full().ok_or(NotConfirmed::NotConnected)?;
        tokio::time::timeout(self.confirm_within, link.queue_statuses(queues))
            .await
            .map_err(|_| NotConfirmed::TimedOut)?
    }

    /// The partition of an organization.
    pub fn partition(&self, organization: OrganizationId) -> u16 {
        topology::partition(organization, self.partitions())
    }

    fn partitions(&self) -> u16 {
        u16::try_from(self.keys.len()).unwrap_or(u16::MAX)
    }

    /// Connects and receives outcomes until the process ends. After each end of a connection it connects
    /// again.
    pub async fn keep_connected(&self, amqp_url: &SecretString, pending: &PendingReplies) {
        let mut backoff = Backoff::default();
        loop {
            // A broker may accept the connection and never answer.
            let opening =
                tokio::time::timeout(CONNECT, Link::open(amqp_url, self.partitions(), self.confirm_within)).await;
            match opening.unwrap_or(Err(NotConfirmed::TimedOut)) {
                Ok((link, outcomes)) => {
                    tracing::info!("connected to rabbitmq");
                    backoff = Backoff::default();
                    self.link.store(Some(Arc::new(link)));
                    receive_outcomes(outcomes, pending).await;
                    self.link.store(None);
                    // The reply address ended with the connection, so no further reply can arrive.
                    pending.cancel_all();
                    tracing::warn!("the connection to rabbitmq ended");
                }
                Err(error) => tracing::warn!(%error, "cannot connect to rabbitmq"),
            }
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }
}

/// A request on its way to the broker. If this is dropped before the request is sent, the request is not
/// sent.
pub struct PendingPublish {
    confirmation: oneshot::Receiver<Result<(), NotConfirmed>>,
    deadline: Instant,
}

impl PendingPublish {
    /// Returns once the broker has the request on a durable queue.
    ///
    /// # Errors
    /// If this is not certain. The request may be applied nevertheless.
    pub async fn confirmed(self) -> Result<(), NotConfirmed> {
        let ended = tokio::time::timeout_at(self.deadline, self.confirmation).await;
        ended.map_err(|_| NotConfirmed::TimedOut)?.map_err(|_| NotConfirmed::TaskEnded)?
    }
}

/// Resolves pending replies until the connection ends.
async fn receive_outcomes(mut replies: Consumer, pending: &PendingReplies) {
    while let Some(Ok(delivery)) = replies.next().await {
        match decode_outcomes(&delivery.data) {
            Ok(outcomes) => outcomes.outcomes.into_iter().for_each(|(id, outcome)| pending.resolve(id, outcome)),
            Err(error) => {
                tracing::error!(%error, "an outcome cannot be read; do the api and the worker have the same version?");
            }
        }
    }
}
