//! The exchanges and queues (see ARCHITECTURE.md, "The queues"). Whoever starts first declares them; declaring twice is harmless.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use crate::OrganizationId;

/// Where requests are published.
pub const REQUESTED_EXCHANGE: &str = "rollcall.requested";
/// Where requests go that can never be applied, and the queue that keeps them.
pub const DEAD: &str = "rollcall.dead";
/// The queue of what is observed of calls. It is not worth a quorum: what is lost of it is missed on a page, and nowhere else.
pub const OBSERVED: &str = "rollcall.observed";
/// The header of a dead letter that says why it is one.
pub const REASON_HEADER: &str = "x-rollcall-reason";
/// How often a request may be delivered before it counts as one that kills its worker. Outages do not use this up: a worker holds its batch for a while, and
/// takes no messages before what failed can be applied.
const DELIVERY_LIMIT: i64 = 50;
/// How many messages of observed calls are kept while no worker takes them; the oldest go first.
const MAX_OBSERVED: i64 = 1000;
/// How many messages may wait in a partition before further ones are refused.
const MAX_LENGTH: i64 = 1_000_000;

/// The queue of a partition, which is its routing key as well.
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

/// Declares everything on a channel.
///
/// # Errors
/// Where the broker refuses, for instance because a queue exists with other arguments.
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

async fn declare_queue(channel: &Channel, name: &str, exchange: &str, arguments: FieldTable) -> Result<(), lapin::Error> {
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(name.into(), options, arguments).await?;
    channel.queue_bind(name.into(), exchange.into(), name.into(), QueueBindOptions::default(), FieldTable::default()).await
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

/// Looking at a dead letter and putting it back must never lose it, however often; from its version 4 on the broker would drop it after 20 times.
fn dead_letter_arguments() -> FieldTable {
    let mut arguments = quorum();
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(i64::from(i32::MAX)));
    arguments
}

/// One consumer at a time keeps the order; a full queue refuses instead of dropping; a dead letter is moved without being lost.
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
    fn an_organisation_stays_in_its_partition() {
        let partitions = [0, 1, 2, 3, 4].map(|n| partition(OrganizationId(Uuid::from_u128(n)), 8));
        assert_eq!(partitions, [5, 7, 2, 4, 4]);
    }

    #[test]
    fn organisations_are_spread_over_all_partitions() {
        let mut count = [0; 8];
        for n in 0..8000 {
            count[usize::from(partition(OrganizationId(Uuid::from_u128(n)), 8))] += 1;
        }
        assert!(count.iter().all(|&count| (800..1200).contains(&count)), "{count:?}");
    }
}
