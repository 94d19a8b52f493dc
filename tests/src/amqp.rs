//! Publishes messages to the queues directly, as a broken sender or one that repeats itself would.

use futures_util::StreamExt;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use rollcall_events::call_log::CallRecord;
use rollcall_events::outcome::Outcome;
use rollcall_events::request::Request;
use rollcall_events::{CorrelationId, OrganizationId};
use rollcall_queue::envelope::{ReplyTo, decode_outcomes, encode, properties};
use rollcall_queue::topology::{DEAD, OBSERVED, REQUESTED_EXCHANGE, partition, queue_name};

use crate::instance::Instance;
use crate::wait::within;

/// The number of partitions in the stack.
pub const PARTITIONS: u16 = 8;

/// A connection to the broker that publishes messages.
#[derive(Debug)]
pub struct Sender {
    connection: Connection,
    channel: Channel,
    answers: String,
}

impl Sender {
    /// Connects to the broker.
    pub async fn connect(instance: &Instance) -> Self {
        let connection = Connection::connect(&instance.amqp_url(), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let own = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
        let answers =
            channel.queue_declare("".into(), own, FieldTable::default()).await.unwrap().name().as_str().to_owned();
        Self { connection, channel, answers }
    }

    /// Publishes any message to the partition of an organization.
    pub async fn publish(&self, organization: OrganizationId, properties: BasicProperties, body: &[u8]) {
        self.publish_to(partition(organization, PARTITIONS), properties, body).await;
    }

    /// Publishes any message to a partition.
    pub async fn publish_to(&self, partition: u16, properties: BasicProperties, body: &[u8]) {
        let key = queue_name(partition);
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let confirm = self
            .channel
            .basic_publish(REQUESTED_EXCHANGE.into(), key.into(), options, body, properties)
            .await
            .unwrap()
            .await
            .unwrap();
        assert_eq!(confirm, Confirmation::Ack(None));
    }

    /// Publishes requests, waits for their outcomes, and returns these in the order of the requests.
    pub async fn submit(&self, requests: &[Request]) -> Vec<Outcome> {
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let tag = CorrelationId::generate().to_string();
        let mut consumer = self
            .channel
            .basic_consume(self.answers.as_str().into(), tag.into(), options, FieldTable::default())
            .await
            .unwrap();
        let ids: Vec<_> = requests.iter().map(|_| CorrelationId::generate()).collect();
        for (request, &correlation_id) in requests.iter().zip(&ids) {
            let reply = ReplyTo { queue: &self.answers, correlation_id };
            self.publish(request.organization_id, properties(request, "test", Some(reply)), &encode(request).unwrap())
                .await;
        }
        let mut outcomes = std::collections::HashMap::new();
        while outcomes.len() < ids.len() {
            let delivery = within("an outcome", consumer.next()).await.unwrap().unwrap();
            outcomes.extend(decode_outcomes(&delivery.data).unwrap().outcomes);
        }
        ids.iter().map(|id| outcomes.remove(id).unwrap()).collect()
    }

    /// Publishes any message and returns its outcome.
    pub async fn ask(&self, organization: OrganizationId, properties: BasicProperties, body: &[u8]) -> Outcome {
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let tag = CorrelationId::generate().to_string();
        let mut consumer = self
            .channel
            .basic_consume(self.answers.as_str().into(), tag.into(), options, FieldTable::default())
            .await
            .unwrap();
        let id = CorrelationId::generate();
        let properties =
            properties.with_reply_to(self.answers.as_str().into()).with_correlation_id(id.to_string().into());
        self.publish(organization, properties, body).await;
        let delivery = within("an outcome", consumer.next()).await.unwrap().unwrap();
        let outcomes = decode_outcomes(&delivery.data).unwrap().outcomes;
        outcomes.into_iter().find(|(answered, _)| *answered == id).unwrap().1
    }

    /// Publishes call records, as an api does.
    pub async fn observe(&self, calls: &[CallRecord]) {
        let body = serde_json::to_vec(calls).unwrap();
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let confirm = self.channel.basic_publish("".into(), OBSERVED.into(), options, &body, properties).await.unwrap();
        assert_eq!(confirm.await.unwrap(), Confirmation::Ack(None));
    }

    /// Deletes the queue of an organization's partition.
    pub async fn delete_queue(&self, organization: OrganizationId) {
        let queue = queue_name(partition(organization, PARTITIONS));
        self.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    }

    /// How often the next message of an organization's partition was delivered without an ack. No other
    /// consumer may be on the partition.
    pub async fn failed_deliveries(&self, organization: OrganizationId) -> i64 {
        let channel = self.connection.create_channel().await.unwrap();
        channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
        let queue = queue_name(partition(organization, PARTITIONS));
        let mut consumer = channel
            .basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
            .await
            .unwrap();
        let delivery = within("a delivery", consumer.next()).await.unwrap().unwrap();
        let headers = delivery.properties.headers().clone().unwrap_or_default();
        let count = headers.inner().get("x-delivery-count").map_or(0, |count| count.as_long_long_int().unwrap());
        channel.close(200, "seen".into()).await.unwrap();
        count
    }

    /// The number of messages that are ready in all partitions.
    pub async fn ready_messages(&self) -> u32 {
        let mut count = 0;
        for partition in 0..PARTITIONS {
            let passive = QueueDeclareOptions { passive: true, ..Default::default() };
            count += self
                .channel
                .queue_declare(queue_name(partition).into(), passive, FieldTable::default())
                .await
                .unwrap()
                .message_count();
        }
        count
    }

    /// Publishes a dead letter.
    pub async fn publish_dead_letter(&self, message_id: &str, body: &[u8]) {
        self.dead_letter_by_broker(BasicProperties::default().with_message_id(message_id.into()), body).await;
    }

    /// Publishes a dead letter as the broker does after too many deliveries.
    pub async fn dead_letter_by_broker(&self, properties: BasicProperties, body: &[u8]) {
        let confirm = self
            .channel
            .basic_publish(DEAD.into(), DEAD.into(), BasicPublishOptions::default(), body, properties)
            .await
            .unwrap();
        assert_eq!(confirm.await.unwrap(), Confirmation::Ack(None));
    }
}
