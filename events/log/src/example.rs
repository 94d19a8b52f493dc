//! The example of `docs/log-format.md`, for the tests of the format.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::actor::{ActorDetails, ActorKind};
use crate::{
    Entry, ErrorCode, EventId, EventType, Header, OrganizationId, OutcomeKind, Part, Salt, SubjectType, canonical,
};

/// The proof file of the example: entry 1 in a log of three entries. The other two entries are the words
/// `second` and `third`. The program that wrote it shares no code with ours.
pub(crate) const PROOF_FILE: &str = include_str!("../../../docs/example.tlog-proof");
/// The second proof file of the example: a user who was deactivated and later refused a change.
pub(crate) const STATE_FILE: &str = include_str!("../../../docs/example-state.tlog-proof");
/// The public key of the checkpoints in the files.
pub(crate) const KEY: &str = "log.example.com+4a66a772+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";

/// The entry of the example with both parts.
pub(crate) fn entry() -> Entry {
    let id = |n: u128| Uuid::from_u128(n);
    let salt = |byte: u8| Salt::from_bytes(&[byte; 16]).unwrap();
    let (payload_salt, actor_salt) = (salt(9), salt(8));
    let payload = json!({"changed": [], "resource": {"userName": "ada"}});
    let address = "203.0.113.7".parse().ok();
    let actor = ActorDetails { address, label: Some("Okta".to_owned()), ..ActorDetails::default() };
    let actor: Value = serde_json::to_value(actor).unwrap();
    let header = Header {
        organization_id: OrganizationId(id(1)),
        seq: 1,
        event_id: EventId(id(2)),
        event_type: EventType::UserCreated,
        schema_version: 2,
        subject_type: Some(SubjectType::User),
        subject_id: Some(id(3)),
        actor_commitment: Part::Actor.commitment(actor_salt, &canonical(&actor).unwrap()),
        actor_id: Some(id(4)),
        actor_kind: ActorKind::Token,
        requested_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        recorded_at: "2026-01-02T03:04:05.25Z".parse().unwrap(),
        outcome: OutcomeKind::Rejected,
        error: Some(ErrorCode { scim_type: Some(rollcall_scim::ScimType::Uniqueness), status: 409 }),
        payload_commitment: Part::Payload.commitment(payload_salt, &canonical(&payload).unwrap()),
    };
    Entry {
        actor: Some(actor),
        actor_salt: Some(actor_salt),
        leaf: header.leaf().unwrap(),
        header,
        payload: Some(payload),
        payload_salt: Some(payload_salt),
    }
}
