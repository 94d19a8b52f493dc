//! The AMQP form of a request: a persistent message whose properties identify it before the body is read.

use lapin::BasicProperties;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

use rollcall_events::actor::Actor;
use rollcall_events::outcome::Outcomes;
use rollcall_events::request::{Request, RequestBody};
use rollcall_events::{CorrelationId, EventId, OrganizationId, Timestamp};

/// The version of the message format. A worker reads this version only, so workers are upgraded before apis.
pub const VERSION: u16 = 2;
/// The content type of every message.
pub const CONTENT_TYPE: &str = "application/json";
/// The AMQP `type` property of a message with outcomes.
pub const OUTCOMES_TYPE: &str = "Outcomes";
pub(crate) const PERSISTENT: u8 = 2;

/// Why a message cannot be decoded. The worker dead-letters such a message and stores this error as the
/// reason.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The body is not JSON, or not a request.
    #[error("the message is not a request: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The body has another version.
    #[error("the message has version {0}, and this program knows {VERSION}")]
    UnknownVersion(u16),
    /// The body has an unknown type.
    #[error("the message has the unknown type {0:?}")]
    UnknownType(String),
    /// The `message_id` property differs from the id in the body.
    #[error("the message_id is not the id of the request inside")]
    WrongMessageId,
}

/// The message format, for writing.
#[derive(Serialize)]
pub(crate) struct RequestMessage<'a> {
    version: u16,
    id: EventId,
    organization_id: OrganizationId,
    requested_at: Timestamp,
    actor: &'a Actor,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<&'a str>,
    #[serde(flatten)]
    body: &'a RequestBody,
}

/// The message format, for reading. The type decides how `data` is read.
#[derive(Deserialize)]
struct Read<'a> {
    version: u16,
    #[serde(rename = "type", borrow)]
    type_name: Cow<'a, str>,
    id: EventId,
    organization_id: OrganizationId,
    requested_at: Timestamp,
    actor: Actor,
    fingerprint: Option<String>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// The part of the message format that every version has.
#[derive(Deserialize)]
pub(crate) struct Preamble {
    version: u16,
}

impl<'a> RequestMessage<'a> {
    pub(crate) fn of(request: &'a Request) -> Self {
        let Request { id, organization_id, requested_at, actor, fingerprint, body } = request;
        Self {
            version: VERSION,
            id: *id,
            organization_id: *organization_id,
            requested_at: *requested_at,
            actor,
            fingerprint: fingerprint.as_deref(),
            body,
        }
    }
}

impl Preamble {
    /// The error for a body that has another version; `None` if the version is ours or cannot be read. Called
    /// when a body does not parse, because another version may have another format.
    pub(crate) fn other_version(body: &[u8]) -> Option<DecodeError> {
        let preamble: Self = serde_json::from_slice(body).ok()?;
        (preamble.version != VERSION).then_some(DecodeError::UnknownVersion(preamble.version))
    }
}

/// Encodes a request as the body of its message.
///
/// # Errors
/// If the request cannot be written as JSON. A request made of these types can.
pub fn encode(request: &Request) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&RequestMessage::of(request))
}

/// The address for an outcome: the reply queue and the correlation id that identifies the call. The
/// correlation id is not the event id, because two callers can send the same event and need different
/// answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyTo<'a> {
    /// The name of the reply queue.
    pub queue: &'a str,
    /// Identifies the call among those that wait on this queue.
    pub correlation_id: CorrelationId,
}

/// The AMQP properties of a request's message. Without `reply_to`, the worker sends no outcome.
pub fn properties(request: &Request, app_id: &str, reply_to: Option<ReplyTo<'_>>) -> BasicProperties {
    let properties = BasicProperties::default()
        .with_message_id(request.id.to_string().into())
        .with_type(request.body.type_name().into())
        .with_content_type(CONTENT_TYPE.into())
        .with_delivery_mode(PERSISTENT)
        .with_timestamp(u64::try_from(request.requested_at.as_second()).unwrap_or(0))
        .with_app_id(app_id.into());
    match reply_to {
        Some(reply) => {
            properties.with_reply_to(reply.queue.into()).with_correlation_id(reply.correlation_id.to_string().into())
        }
        None => properties,
    }
}

/// Reads the reply queue and correlation id of a message; `None` if no caller waits for the outcome.
pub fn reply_to(properties: &BasicProperties) -> Option<ReplyTo<'_>> {
    let correlation_id = properties.correlation_id().as_ref()?.as_str().parse().ok()?;
    Some(ReplyTo { queue: properties.reply_to().as_ref()?.as_str(), correlation_id })
}

/// Decodes a request's message.
///
/// # Errors
/// If the message is malformed, has another version or an unknown type, or its properties contradict its
/// body.
pub fn decode(properties: &BasicProperties, body: &[u8]) -> Result<Request, DecodeError> {
    let read: Read<'_> =
        serde_json::from_slice(body).map_err(|error| Preamble::other_version(body).unwrap_or(error.into()))?;
    if read.version != VERSION {
        return Err(DecodeError::UnknownVersion(read.version));
    }
    let data = read.data.get();
    let content = match &*read.type_name {
        "UserRequested" => RequestBody::UserRequested(serde_json::from_str(data)?),
        "GroupRequested" => RequestBody::GroupRequested(serde_json::from_str(data)?),
        "SettingsRequested" => RequestBody::SettingsRequested(serde_json::from_str(data)?),
        "AccessDenied" => RequestBody::AccessDenied(serde_json::from_str(data)?),
        "StreamAcknowledged" => RequestBody::StreamAcknowledged(serde_json::from_str(data)?),
        _ => return Err(DecodeError::UnknownType(read.type_name.into_owned())),
    };
    let message_id = properties.message_id().as_ref().and_then(|id| id.as_str().parse::<EventId>().ok());
    if message_id != Some(read.id) {
        return Err(DecodeError::WrongMessageId);
    }
    Ok(Request {
        id: read.id,
        organization_id: read.organization_id,
        requested_at: read.requested_at,
        actor: read.actor,
        fingerprint: read.fingerprint,
        body: content,
    })
}

/// Encodes a batch of outcomes.
///
/// # Errors
/// If they cannot be written as JSON. Outcomes made of these types can.
pub fn encode_outcomes(outcomes: &Outcomes) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(outcomes)
}

/// Decodes a batch of outcomes.
///
/// # Errors
/// If the body is not a batch of outcomes.
pub fn decode_outcomes(body: &[u8]) -> Result<Outcomes, DecodeError> {
    Ok(serde_json::from_slice(body)?)
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
pub(crate) mod tests;
