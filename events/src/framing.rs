//! Several requests of one partition in one AMQP message: what a sender has waiting while the broker writes the message before travels together, since each message costs
//! the broker far more than what is in it.
//!
//! A batch is nothing but the messages that it is made of. Whoever takes one unpacks it, and has each as if it had come by itself.

use lapin::BasicProperties;
use lapin::types::ShortString;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::envelope::{CONTENT_TYPE, DecodeError, PERSISTENT, Preamble, ReplyTo, VERSION, Written, reply_to};
use crate::request::Request;
use crate::{CorrelationId, EventId};

/// The `type` of a message with several requests.
pub const BATCH_TYPE: &str = "Batch";

/// A request that is ready to travel, alone or with others.
#[derive(Debug)]
pub struct Frame {
    message_id: EventId,
    type_name: &'static str,
    /// When it was asked for, in Unix seconds.
    timestamp: u64,
    correlation_id: Option<CorrelationId>,
    body: Box<RawValue>,
}

/// A message, whether it travelled alone or with others.
#[derive(Debug)]
pub struct Message {
    /// What it says of itself.
    pub properties: BasicProperties,
    /// What is in it.
    pub body: Vec<u8>,
}

/// A batch's body. The properties that all messages have in common are those of the batch.
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
    /// Packs a request; `correlation_id` is the number that its outcome is to come with, if somebody awaits it.
    ///
    /// # Errors
    /// Where it cannot be written as JSON; a request made of these types can.
    pub fn new(request: &Request, correlation_id: Option<CorrelationId>) -> Result<Self, serde_json::Error> {
        Ok(Self {
            message_id: request.id,
            type_name: request.body.type_name(),
            timestamp: u64::try_from(request.requested_at.as_second()).unwrap_or(0),
            correlation_id,
            body: to_raw_value(&Written::of(request))?,
        })
    }

    /// How large it is, in bytes, but for what a message needs besides its body.
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

/// Makes one message of requests: of one alone, the message that it is by itself; of several, a batch, which has the id of the first. `app_id` is who sends them, and
/// `reply_queue` where outcomes are awaited.
///
/// # Errors
/// Where it cannot be written as JSON; what is packed can.
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

/// The messages that a batch is made of, in their order; `None` where it is a message by itself.
///
/// # Errors
/// Where it is a batch that this program cannot read.
pub fn unpack(message: &Message) -> Result<Option<Vec<Message>>, DecodeError> {
    if message.properties.kind().as_ref().is_none_or(|kind| kind.as_str() != BATCH_TYPE) {
        return Ok(None);
    }
    let entries = entries(&message.body)?;
    Ok(Some(entries.iter().map(|entry| self::message(&message.properties, entry)).collect()))
}

fn entries(body: &[u8]) -> Result<Vec<Entry<'_>>, DecodeError> {
    let batch: Batch<'_> = serde_json::from_slice(body).map_err(|error| Preamble::other_version(body).unwrap_or(error.into()))?;
    if batch.version == VERSION { Ok(batch.messages) } else { Err(DecodeError::UnknownVersion(batch.version)) }
}

/// Where the outcomes of a message are awaited that cannot be read as a whole: what it says of that can be read from another version of the form as well.
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

/// A string as short as AMQP wants it in a property.
fn short<'de, D: Deserializer<'de>>(text: D) -> Result<ShortString, D::Error> {
    ShortString::try_new(String::deserialize(text)?).map_err(D::Error::custom)
}

/// An entry as a message of its own: with the properties that all have in common, and its own.
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
