use serde_json::{Value, json};

use super::{BATCH_TYPE, Frame, Message, pack, unpack};
use crate::envelope::tests::user;
use crate::envelope::{DecodeError, ReplyTo, decode, encode, properties, reply_to};
use rollcall_events::CorrelationId;
use rollcall_events::request::{Request, UserOperation};

fn request(name: &str) -> Request {
    user(UserOperation::Create(json!({"userName": name}).as_object().cloned().unwrap()))
}

fn packed(requests: &[(Request, Option<CorrelationId>)]) -> Message {
    let packed: Vec<_> =
        requests.iter().map(|(request, correlation_id)| Frame::new(request, *correlation_id).unwrap()).collect();
    pack(&packed, "test", "answers").unwrap()
}

fn edited(edit: impl Fn(&mut Value)) -> Result<Option<Vec<Message>>, DecodeError> {
    let Message { properties, body } = packed(&[(request("ada"), None), (request("grace"), None)]);
    let mut body: Value = serde_json::from_slice(&body).unwrap();
    edit(&mut body);
    unpack(&Message { properties, body: body.to_string().into_bytes() })
}

#[test]
fn requests_in_one_message_are_decoded_like_single_requests() {
    let requests = [
        (request("ada \"\\ é"), Some(CorrelationId::generate())),
        (request("grace"), None),
        (request("mary"), Some(CorrelationId::generate())),
    ];
    let message = packed(&requests);
    assert_eq!(message.properties.kind().as_ref().unwrap().as_str(), BATCH_TYPE);
    let messages = unpack(&message).unwrap().unwrap();
    assert_eq!(messages.len(), requests.len());
    for (Message { properties: arrived, body }, (request, correlation_id)) in messages.iter().zip(&requests) {
        let reply = correlation_id.map(|correlation_id| ReplyTo { queue: "answers", correlation_id });
        assert_eq!(*arrived, properties(request, "test", reply));
        assert_eq!(*body, encode(request).unwrap());
        assert_eq!(decode(arrived, body).unwrap(), *request);
        assert_eq!(reply_to(arrived), reply);
    }
}

#[test]
fn a_single_request_has_the_same_format_as_before_batches() {
    for correlation_id in [None, Some(CorrelationId::generate())] {
        let ada = request("ada");
        let message = packed(&[(ada.clone(), correlation_id)]);
        let reply = correlation_id.map(|correlation_id| ReplyTo { queue: "answers", correlation_id });
        assert_eq!(message.properties, properties(&ada, "test", reply));
        assert_eq!(message.body, encode(&ada).unwrap());
        assert!(unpack(&message).unwrap().is_none());
    }
}

#[test]
fn one_malformed_message_in_a_batch_does_not_affect_the_others() {
    let messages = edited(|body| body["messages"][0]["body"] = json!({"version": 99})).unwrap().unwrap();
    assert!(matches!(decode(&messages[0].properties, &messages[0].body), Err(DecodeError::UnknownVersion(99))));
    assert!(
        decode(&messages[1].properties, &messages[1].body).is_ok(),
        "a malformed message does not affect the others"
    );
}

#[test]
fn a_batch_that_cannot_be_read_is_refused_as_a_whole() {
    assert!(matches!(edited(|body| body["version"] = json!(99)), Err(DecodeError::UnknownVersion(99))));
    for edit in [
        (&|body: &mut Value| body["messages"] = json!("none")) as &dyn Fn(&mut Value),
        &|body| body["messages"][1]["message_id"] = json!("7"),
        &|body| body["messages"][1]["type"] = json!("x".repeat(256)),
        &|body| body["messages"][1]["correlation_id"] = json!([]),
        &|body| drop(body["messages"][0].as_object_mut().unwrap().remove("body")),
        &|body| *body = json!("none"),
    ] {
        assert!(matches!(edited(edit), Err(DecodeError::Malformed(_))));
    }
}
