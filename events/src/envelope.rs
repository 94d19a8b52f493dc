//! How a request travels: a persistent AMQP message whose properties say what it is before its body is read.

use lapin::BasicProperties;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

use crate::actor::Actor;
use crate::outcome::Outcomes;
use crate::request::{Request, RequestBody};
use crate::{CorrelationId, EventId, OrganizationId, Timestamp};

/// The version of the message's form. A worker knows this one only; workers are upgraded before apis.
pub const VERSION: u16 = 1;
/// The content type of every message.
pub const CONTENT_TYPE: &str = "application/json";
/// The `type` of a message of outcomes.
pub const OUTCOMES_TYPE: &str = "Outcomes";
pub(crate) const PERSISTENT: u8 = 2;

/// Why a message cannot be understood. Such a message is dead-lettered with this as its reason.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The body is not JSON, or not a request.
    #[error("the message is not a request: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The body is of another version.
    #[error("the message has version {0}, and this program knows {VERSION}")]
    UnknownVersion(u16),
    /// The body is of an unknown type.
    #[error("the message has the unknown type {0:?}")]
    UnknownType(String),
    /// Properties and body disagree.
    #[error("the message_id is not the id of the request inside")]
    WrongMessageId,
}

/// The message's form, for writing.
#[derive(Serialize)]
pub(crate) struct Written<'a> {
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

/// The message's form, for reading. What is inside is read by its type.
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

/// What every version has.
#[derive(Deserialize)]
pub(crate) struct Preamble {
    version: u16,
}

impl<'a> Written<'a> {
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
    /// What does not have this version's form may be of another one.
    pub(crate) fn other_version(body: &[u8]) -> Option<DecodeError> {
        let preamble: Self = serde_json::from_slice(body).ok()?;
        (preamble.version != VERSION).then_some(DecodeError::UnknownVersion(preamble.version))
    }
}

/// Writes a request's body.
///
/// # Errors
/// Where it cannot be written as JSON; a request made of these types can.
pub fn encode(request: &Request) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Written::of(request))
}

/// Where an outcome is awaited: the queue, and the number by which it is told apart from others there. The number is not the event id, since the
/// same event can be asked for twice, by callers that need different answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyTo<'a> {
    /// The queue.
    pub queue: &'a str,
    /// The number.
    pub correlation_id: CorrelationId,
}

/// The properties of a request's message; without `reply_to` nobody awaits the outcome.
pub fn properties(request: &Request, app_id: &str, reply_to: Option<ReplyTo<'_>>) -> BasicProperties {
    let properties = BasicProperties::default()
        .with_message_id(request.id.to_string().into())
        .with_type(request.body.type_name().into())
        .with_content_type(CONTENT_TYPE.into())
        .with_delivery_mode(PERSISTENT)
        .with_timestamp(u64::try_from(request.requested_at.as_second()).unwrap_or(0))
        .with_app_id(app_id.into());
    match reply_to {
        Some(reply) => properties.with_reply_to(reply.queue.into()).with_correlation_id(reply.correlation_id.to_string().into()),
        None => properties,
    }
}

/// Reads where a message's outcome is awaited; `None` where nobody awaits it.
pub fn reply_to(properties: &BasicProperties) -> Option<ReplyTo<'_>> {
    let correlation_id = properties.correlation_id().as_ref()?.as_str().parse().ok()?;
    Some(ReplyTo { queue: properties.reply_to().as_ref()?.as_str(), correlation_id })
}

/// Reads a request's message.
///
/// # Errors
/// Where it is not one that this program knows.
pub fn decode(properties: &BasicProperties, body: &[u8]) -> Result<Request, DecodeError> {
    let read: Read<'_> = serde_json::from_slice(body).map_err(|error| Preamble::other_version(body).unwrap_or(error.into()))?;
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

/// Writes a batch of outcomes.
///
/// # Errors
/// Where it cannot be written as JSON; outcomes made of these types can.
pub fn encode_outcomes(outcomes: &Outcomes) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(outcomes)
}

/// Reads a batch of outcomes.
///
/// # Errors
/// Where the body is not one.
pub fn decode_outcomes(body: &[u8]) -> Result<Outcomes, DecodeError> {
    Ok(serde_json::from_slice(body)?)
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
pub(crate) mod tests;
