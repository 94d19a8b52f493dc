//! Requests and call records as an api sends them to the worker.

use rollcall_events::actor::Actor;
use rollcall_events::call_log::{CallRecord, Meaning};
use rollcall_events::request::{Request, RequestBody, UserOperation, UserRequested};
use rollcall_events::{EventId, Timestamp, TokenId, UserId};
use rollcall_queue::framing::{Frame, Message, pack};
use rollcall_scim::resource::SizeLimit;
use serde_json::Value;
use uuid::Uuid;

use crate::Organization;

/// A request of an organization.
pub fn request(organization: &Organization, body: RequestBody) -> Request {
    Request {
        id: EventId::generate(),
        organization_id: organization.id.parse().unwrap(),
        requested_at: Timestamp::now(),
        actor: Actor::operator("test"),
        fingerprint: None,
        body,
    }
}

/// A request about a user.
pub fn about(organization: &Organization, user_id: UserId, operation: UserOperation) -> Request {
    let default_workspace = organization.marketing.parse().unwrap();
    request(
        organization,
        RequestBody::UserRequested(UserRequested {
            user_id,
            default_workspace,
            if_match: None,
            size_limit: SizeLimit::default(),
            operation,
        }),
    )
}

/// A request to create a user with these attributes.
pub fn create(organization: &Organization, attributes: &Value) -> Request {
    about(organization, UserId::generate(), UserOperation::Create(attributes.as_object().cloned().unwrap()))
}

/// Packs requests into one message, as a busy api does. The worker decides them in one batch.
pub fn together(requests: &[&Request]) -> Message {
    let packed: Vec<_> = requests.iter().map(|request| Frame::new(request, None).unwrap()).collect();
    pack(&packed, "test", "nowhere").unwrap()
}

/// The record of a call that names no user.
pub fn observed_call(organization: &Organization, at: Timestamp) -> CallRecord {
    CallRecord {
        id: Uuid::now_v7(),
        organization_id: organization.id.parse().unwrap(),
        at,
        micros: 1,
        method: "GET".to_owned(),
        path: "/Users".to_owned(),
        query: None,
        meaning: Meaning::List,
        subject: None,
        subject_id: None,
        status: 200,
        scim_type: None,
        detail: None,
        txn: None,
        token_id: TokenId::generate(),
        label: "observed".to_owned(),
        address: None,
        user_agent: None,
        request_body: None,
        response_body: None,
    }
}
