//! The exchanges and queues (see docs/architecture/write-path.md, "The queues"). Every process declares them
//! when it starts; declaring them again is harmless.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use rollcall_events::OrganizationId;

/// The exchange that requests are published to.
pub const REQUESTED_EXCHANGE: &str = "rollcall.requested";
/// The exchange and the queue for dead letters.
pub const DEAD: &str = "rollcall.dead";
/// The queue for call records. It is a classic queue, because losing records only affects the page that shows
/// calls.
pub const OBSERVED: &str = "rollcall.observed";
/// The header that holds the reason of a dead letter.
pub const REASON_HEADER: &str = "x-rollcall-reason";
/// How often a request may be delivered before the broker dead-letters it as one that kills its worker.
/// Outages do not count: during an outage, a worker keeps its batch and consumes no more messages until the
/// batch succeeds.
const DELIVERY_LIMIT: i64 = 50;
/// Maximum number of messages with call records in the queue. The oldest are dropped first.
const MAX_OBSERVED: i64 = 1000;
/// Maximum number of messages in a partition. The broker refuses further ones.
const MAX_LENGTH: i64 = 1_000_000;

/// The queue of a partition. The routing key has the same name.
pub fn queue_name(partition: u16) -> String {
    format!("{REQUESTED_EXCHANGE}.{partition}")
}

/// The partition of an organization among `partitions`.
#[expect(clippy::cast_possible_truncation, reason = "the remainder is smaller than the divisor, which is a u16")]
pub fn partition(organization: OrganizationId, partitions: u16) -> u16 {
    let hash = blake3::hash(organization.0.as_bytes());
    let mut head = [0; 8];
    head.copy_from_slice(&hash.as_bytes()[..8]);
    (u64::from_le_bytes(head) % u64::from(partitions.max(1))) as u16
}

/// Declares all exchanges and queues on a channel.
///
/// # Errors
/// If the broker refuses, such as when a queue exists with other arguments.
pub async fn declare(channel: &Channel, partitions: u16) -> Result<(), lapin::Error> {
    for exchange in [REQUESTED_EXCHANGE, DEAD] {
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        channel.exchange_declare(exchange.into(), ExchangeKind::Direct, options, FieldTable::default()).await?;
    }
    declare_queue(channel, DEAD, DEAD, dead_letter_arguments()).await?;
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(OBSERVED.into(), options, observed_arguments()).await?;
    for partition in 0..partitions {
        declare_queue(channel, &queue_name(partition), REQUESTED_EXCHANGE, partition_arguments()).await?;
    }
    Ok(())
}

async fn declare_queue(
    channel: &Channel,
    name: &str,
    exchange: &str,
    arguments: FieldTable,
) -> Result<(), lapin::Error> {
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(name.into(), options, arguments).await?;
    channel
        .queue_bind(name.into(), exchange.into(), name.into(), QueueBindOptions::default(), FieldTable::default())
        .await
}

fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments
}

fn observed_arguments() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("classic"));
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(MAX_OBSERVED));
    arguments.insert("x-overflow".into(), text("drop-head"));
    arguments
}

/// The delivery limit is the maximum, because reading a dead letter and requeueing it must never lose it.
/// RabbitMQ 4 drops a message after 20 deliveries by default.
fn dead_letter_arguments() -> FieldTable {
    let mut arguments = quorum();
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(i64::from(i32::MAX)));
    arguments
}

/// A single active consumer keeps the order. A full queue refuses messages instead of dropping old ones.
/// Dead-lettering is at-least-once, so that no dead letter is lost.
fn partition_arguments() -> FieldTable {
    let mut arguments = quorum();
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(DELIVERY_LIMIT));
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(MAX_LENGTH));
    arguments.insert("x-overflow".into(), text("reject-publish"));
    arguments.insert("x-dead-letter-exchange".into(), text(DEAD));
    arguments.insert("x-dead-letter-routing-key".into(), text(DEAD));
    arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    arguments
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    /// If this fails, organizations have moved to other partitions, and their events can overtake each other.
    #[test]
    fn an_organization_stays_in_its_partition() {
        let partitions = [0, 1, 2, 3, 4].map(|n| partition(OrganizationId(Uuid::from_u128(n)), 8));
        assert_eq!(partitions, [5, 7, 2, 4, 4]);
    }

    #[test]
    fn organizations_are_spread_over_all_partitions() {
        let mut count = [0; 8];
        for n in 0..8000 {
            count[usize::from(partition(OrganizationId(Uuid::from_u128(n)), 8))] += 1;
        }
        assert!(count.iter().all(|&count| (800..1200).contains(&count)), "{count:?}");
    }
}
