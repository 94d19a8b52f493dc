//! Puts several requests of one partition into one AMQP message. Each message costs the broker far more than
//! its content, so a publisher collects requests while it waits for the broker to confirm the previous
//! message.
//!
//! A batch is only a list of messages. The consumer unpacks it and treats each message as if it had arrived
//! alone.

use lapin::BasicProperties;
use lapin::types::ShortString;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::envelope::{CONTENT_TYPE, DecodeError, PERSISTENT, Preamble, ReplyTo, RequestMessage, VERSION, reply_to};
use rollcall_events::request::Request;
use rollcall_events::{CorrelationId, EventId};

/// The AMQP `type` property of a message with several requests.
pub const BATCH_TYPE: &str = "Batch";

/// An encoded request, ready to be sent alone or in a batch.
#[derive(Debug)]
pub struct Frame {
    message_id: EventId,
    type_name: &'static str,
    /// The time of the request, in Unix seconds.
    timestamp: u64,
    correlation_id: Option<CorrelationId>,
    body: Box<RawValue>,
}

/// An AMQP message: one that was sent alone, or one unpacked from a batch.
#[derive(Debug)]
pub struct Message {
    /// The AMQP properties.
    pub properties: BasicProperties,
    /// The body.
    pub body: Vec<u8>,
}

/// The body of a batch. Properties that all its messages share are properties of the batch's own message.
#[derive(Serialize, Deserialize)]
struct Batch<'a> {
    version: u16,
    #[serde(borrow)]
    messages: Vec<Entry<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Entry<'a> {
    message_id: EventId,
    #[serde(rename = "type", deserialize_with = "short")]
    type_name: ShortString,
    timestamp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<CorrelationId>,
    #[serde(borrow)]
    body: &'a RawValue,
}

impl Frame {
    /// Encodes a request. `correlation_id` identifies the call that waits for the outcome, if there is one.
    ///
    /// # Errors
    /// If the request cannot be written as JSON. A request made of these types can.
    pub fn new(request: &Request, correlation_id: Option<CorrelationId>) -> Result<Self, serde_json::Error> {
        Ok(Self {
            message_id: request.id,
            type_name: request.body.type_name(),
            timestamp: u64::try_from(request.requested_at.as_second()).unwrap_or(0),
            correlation_id,
            body: to_raw_value(&RequestMessage::of(request))?,
        })
    }

    /// The size of the body, in bytes. The overhead of the AMQP message is not included.
    pub fn size(&self) -> usize {
        self.body.get().len()
    }

    fn entry(&self) -> Entry<'_> {
        Entry {
            message_id: self.message_id,
            type_name: self.type_name.into(),
            timestamp: self.timestamp,
            correlation_id: self.correlation_id,
            body: &self.body,
        }
    }
}

/// Packs requests into one message. A single request becomes an ordinary message; several become a batch with
/// the message id of the first. `app_id` identifies the sender, and `reply_queue` is the queue for the
/// outcomes.
///
/// # Errors
/// If the batch cannot be written as JSON. Frames can.
pub fn pack(packed: &[Frame], app_id: &str, reply_queue: &str) -> Result<Message, serde_json::Error> {
    let common = BasicProperties::default()
        .with_content_type(CONTENT_TYPE.into())
        .with_delivery_mode(PERSISTENT)
        .with_app_id(app_id.into())
        .with_reply_to(reply_queue.into());
    if let [alone] = packed {
        return Ok(message(&common, &alone.entry()));
    }
    let messages: Vec<_> = packed.iter().map(Frame::entry).collect();
    let mut properties = common.with_type(BATCH_TYPE.into());
    if let Some(first) = messages.first() {
        properties = properties.with_message_id(first.message_id.to_string().into()).with_timestamp(first.timestamp);
    }
    Ok(Message { properties, body: serde_json::to_vec(&Batch { version: VERSION, messages })? })
}

/// Unpacks a batch into its messages, in order; `None` if the message is not a batch.
///
/// # Errors
/// If the batch is malformed or has another version.
pub fn unpack(message: &Message) -> Result<Option<Vec<Message>>, DecodeError> {
    if message.properties.kind().as_ref().is_none_or(|kind| kind.as_str() != BATCH_TYPE) {
        return Ok(None);
    }
    let entries = entries(&message.body)?;
    Ok(Some(entries.iter().map(|entry| self::message(&message.properties, entry)).collect()))
}

fn entries(body: &[u8]) -> Result<Vec<Entry<'_>>, DecodeError> {
    let batch: Batch<'_> =
        serde_json::from_slice(body).map_err(|error| Preamble::other_version(body).unwrap_or(error.into()))?;
    if batch.version == VERSION { Ok(batch.messages) } else { Err(DecodeError::UnknownVersion(batch.version)) }
}

/// The replies that the senders of an unreadable message wait for. The reply queue and correlation ids can be
/// read even if the batch has another version.
pub fn awaited(message: &Message) -> Vec<ReplyTo<'_>> {
    let Some(queue) = message.properties.reply_to().as_ref().map(ShortString::as_str) else { return Vec::new() };
    if let Some(alone) = reply_to(&message.properties) {
        return vec![alone];
    }
    let body: Value = serde_json::from_slice(&message.body).unwrap_or_default();
    let entries = body["messages"].as_array().into_iter().flatten();
    let ids = entries.filter_map(|entry| entry["correlation_id"].as_str()?.parse().ok());
    ids.map(|correlation_id| ReplyTo { queue, correlation_id }).collect()
}

/// Reads a string that is short enough for an AMQP property (255 bytes).
fn short<'de, D: Deserializer<'de>>(text: D) -> Result<ShortString, D::Error> {
    ShortString::try_new(String::deserialize(text)?).map_err(D::Error::custom)
}

/// Turns an entry of a batch into a message of its own, with the shared properties and the entry's.
fn message(common: &BasicProperties, entry: &Entry<'_>) -> Message {
    let mut properties = BasicProperties::default()
        .with_message_id(entry.message_id.to_string().into())
        .with_type(entry.type_name.clone())
        .with_timestamp(entry.timestamp)
        .with_content_type(CONTENT_TYPE.into())
        .with_delivery_mode(PERSISTENT);
    if let Some(app_id) = common.app_id() {
        properties = properties.with_app_id(app_id.clone());
    }
    if let (Some(queue), Some(correlation_id)) = (common.reply_to(), entry.correlation_id) {
        properties = properties.with_reply_to(queue.clone()).with_correlation_id(correlation_id.to_string().into());
    }
    Message { properties, body: entry.body.get().into() }
}

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;
