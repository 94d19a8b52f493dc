//! Receives the messages of a partition that are delivered already, and reads their requests.

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::{Acker, Consumer};
use rollcall_events::Timestamp;
use rollcall_events::request::Request;
use rollcall_queue::envelope::{DecodeError, decode};
use rollcall_queue::framing::{Message, unpack};

use super::error::RunError;

/// The messages of a batch and their requests.
pub(super) struct MessageBatch {
    /// The number of deliveries, and the acker of the last one, which acknowledges all of them.
    pub(super) deliveries: usize,
    pub(super) last: Acker,
    /// When the first message was sent, in Unix seconds.
    pub(super) sent: i64,
    /// Whether the broker delivered one of the messages before.
    pub(super) is_redelivered: bool,
    /// The requests, and their messages at the same index.
    pub(super) requests: Vec<Request>,
    pub(super) messages: Vec<Message>,
    /// Messages that cannot be read as requests.
    pub(super) unreadable: Vec<(Message, DecodeError)>,
}

impl MessageBatch {
    /// Starts with one delivery.
    fn of(first: Delivery) -> Self {
        let mut batch = Self {
            deliveries: 0,
            last: first.acker.clone(),
            sent: sent(&first),
            is_redelivered: false,
            requests: Vec::new(),
            messages: Vec::new(),
            unreadable: Vec::new(),
        };
        batch.add(first);
        batch
    }

    fn add(&mut self, delivery: Delivery) {
        self.deliveries += 1;
        self.last = delivery.acker;
        self.is_redelivered |= delivery.redelivered;
        let message = Message { properties: delivery.properties, body: delivery.data };
        match unpack(&message) {
            Ok(None) => self.read(message),
            Ok(Some(messages)) => messages.into_iter().for_each(|message| self.read(message)),
            Err(error) => self.unreadable.push((message, error)),
        }
    }

    fn read(&mut self, message: Message) {
        match decode(&message.properties, &message.body) {
            Ok(request) => {
                self.requests.push(request);
                self.messages.push(message);
            }
            Err(error) => self.unreadable.push((message, error)),
        }
    }

    /// The number of requests.
    fn len(&self) -> usize {
        self.requests.len() + self.unreadable.len()
    }
}

/// When a message was sent, in Unix seconds. A message without a time counts as sent now.
fn sent(delivery: &Delivery) -> i64 {
    let sent = delivery.properties.timestamp().and_then(|seconds| i64::try_from(seconds).ok());
    sent.unwrap_or_else(|| Timestamp::now().as_second())
}

/// Takes a delivery and the messages that are delivered already, up to `enough` requests. It never waits for more.
///
/// # Errors
/// If the connection to the broker fails, or the broker has ended the consumer.
pub(super) fn drain(
    first: Option<Result<Delivery, lapin::Error>>,
    consumer: &mut Consumer,
    enough: usize,
) -> Result<MessageBatch, RunError> {
    let mut batch = MessageBatch::of(first.ok_or(RunError::ConsumerClosed)??);
    while batch.len() < enough {
        match consumer.next().now_or_never() {
            Some(Some(delivery)) => batch.add(delivery?),
            Some(None) | None => break,
        }
    }
    Ok(batch)
}
