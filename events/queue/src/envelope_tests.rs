use lapin::BasicProperties;
use rollcall_scim::patch::{PATCH_SCHEMA, parse};
use rollcall_scim::resource::SizeLimit;
use rollcall_scim::schema::USER;
use serde_json::{Value, json};

use super::{DecodeError, ReplyTo, decode, encode, properties, reply_to};
use rollcall_events::actor::Actor;
use rollcall_events::request::{
    Dialect, IfMatch, IssueToken, Request, RequestBody, TokenSettings, UserOperation, UserRequested,
};
use rollcall_events::token::Token;
use rollcall_events::{CorrelationId, EventId, OrganizationId, Timestamp, TokenId, UserId, WorkspaceId};

fn request(body: RequestBody) -> Request {
    Request {
        id: EventId::generate(),
        organization_id: OrganizationId::generate(),
        requested_at: Timestamp::now(),
        actor: Actor::operator("test"),
        fingerprint: None,
        body,
    }
}

pub(crate) fn user(operation: UserOperation) -> Request {
    request(RequestBody::UserRequested(UserRequested {
        user_id: UserId::generate(),
        default_workspace: WorkspaceId::generate(),
        if_match: Some(IfMatch::Tags(vec!["W/\"1\"".to_owned()])),
        size_limit: SizeLimit::default(),
        operation,
    }))
}

fn edited(request: &Request, edit: impl Fn(&mut Value)) -> Result<Request, DecodeError> {
    let mut body: Value = serde_json::from_slice(&encode(request).unwrap()).unwrap();
    edit(&mut body);
    decode(&properties(request, "test", None), body.to_string().as_bytes())
}

#[test]
fn every_kind_of_request_arrives_as_it_was_sent() {
    let patch = json!({
        "schemas": [PATCH_SCHEMA],
        "Operations": [{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "a@x"}]
    });
    let token = TokenSettings {
        label: "HR".parse().unwrap(),
        default_workspace: WorkspaceId::generate(),
        service_origin: "hr.example.com".parse().unwrap(),
        origin_required: true,
        allow_list: "10.0.0.0/8".parse().ok(),
        dialect: Dialect::Standard,
        expires_at: Some(Timestamp::now()),
        calls_per_second: "5".parse().ok(),
    };
    let digest = Token::generate().unwrap().digest();
    let issue =
        IssueToken { token_id: TokenId::generate(), digest, prefix: Some("rc_abcde".to_owned()), settings: token };
    let requests = [
        user(UserOperation::Create(json!({"userName": "ada"}).as_object().cloned().unwrap())),
        user(UserOperation::Patch(parse(&USER, patch).unwrap())),
        user(UserOperation::Delete),
        request(RequestBody::settings(issue)),
    ];
    for request in requests {
        assert_eq!(edited(&request, |_| ()).unwrap(), request);
    }
}

#[test]
fn unknown_messages_have_distinct_errors() {
    let request = user(UserOperation::Delete);
    assert!(matches!(edited(&request, |body| body["version"] = json!(1)), Err(DecodeError::UnknownVersion(1))));
    assert!(matches!(edited(&request, |body| body["type"] = json!("TeaRequested")), Err(DecodeError::UnknownType(_))));
    assert!(matches!(
        edited(&request, |body| body["id"] = json!(EventId::generate())),
        Err(DecodeError::WrongMessageId)
    ));
    assert!(matches!(edited(&request, |body| body["data"] = json!(7)), Err(DecodeError::Malformed(_))));
    assert!(matches!(decode(&BasicProperties::default(), b"{"), Err(DecodeError::Malformed(_))));
}

#[test]
fn the_properties_say_what_the_message_is() {
    let request = user(UserOperation::Delete);
    let reply = ReplyTo { queue: "answers", correlation_id: CorrelationId::generate() };
    let properties = properties(&request, "rollcall-api", Some(reply));
    assert_eq!(properties.message_id().as_ref().unwrap().as_str(), request.id.to_string());
    assert_eq!(properties.kind().as_ref().unwrap().as_str(), "UserRequested");
    assert_eq!(reply_to(&properties), Some(reply));
    assert_eq!(reply_to(&super::properties(&request, "rollcall-api", None)), None);
    assert_eq!(*properties.delivery_mode(), Some(2));
}
