//! Example entries for the tests of sinks.

use rollcall_events::actor::{ActorDetails, ActorKind};
use rollcall_events::log::{EventType, Hash, Header, OutcomeKind, Salt, SubjectType};
use rollcall_events::{EventId, OrganizationId};
use rollcall_service::entries::StoredEntry;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::batch::Message;
use super::sink::Format;

/// The subject of the example.
pub(super) const SUBJECT: &str = "00000000-0000-0000-0000-000000000003";
/// The token that made the request of the example.
pub(super) const ACTOR: &str = "00000000-0000-0000-0000-000000000004";

/// An entry with the seq 7. Its hashes are zero.
pub(super) fn entry(event_type: EventType, subject_type: SubjectType, payload: &Value) -> StoredEntry {
    let (zero, salt) = (Hash::from_bytes(&[0; 32]).unwrap(), Salt::from_bytes(&[9; 16]));
    StoredEntry {
        actor: Some(ActorDetails {
            address: "203.0.113.7".parse().ok(),
            label: Some("Okta".to_owned()),
            service_origin: Some("hr.example.com".to_owned()),
            user_agent: Some("curl/8".to_owned()),
        }),
        actor_salt: salt,
        header: Header {
            actor_commitment: zero,
            actor_id: ACTOR.parse().ok(),
            actor_kind: ActorKind::Token,
            error: None,
            event_id: EventId(Uuid::from_u128(2)),
            organization_id: OrganizationId(Uuid::from_u128(1)),
            outcome: OutcomeKind::Applied,
            payload_commitment: zero,
            recorded_at: "2026-01-02T03:04:05.25Z".parse().unwrap(),
            requested_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            schema_version: 2,
            seq: 7,
            subject_id: SUBJECT.parse().ok(),
            subject_type: Some(subject_type),
            event_type,
        },
        leaf: zero,
        payload: RawValue::from_string(payload.to_string()).ok(),
        payload_salt: salt,
    }
}

/// A message with this seq and this JSON.
pub(super) fn message(seq: u64, json: &str) -> Message {
    let mut entry = entry(EventType::UserCreated, SubjectType::User, &Value::Null);
    entry.header.seq = seq;
    let message = Message::new(&entry, Format::Entry).unwrap();
    Message { json: json.to_owned(), ..message }
}
