//! Messages: decoding never panics, and a decoded request encodes to a message that decodes to the same
//! request.

#![no_main]

use lapin::BasicProperties;
use libfuzzer_sys::fuzz_target;
use rollcall_events::EventId;
use rollcall_queue::envelope::{decode, decode_outcomes, encode, properties};
use rollcall_queue::framing::{BATCH_TYPE, Message, unpack};
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let _ = decode_outcomes(body);
    let _ =
        unpack(&Message { properties: BasicProperties::default().with_type(BATCH_TYPE.into()), body: body.to_vec() });
    let id =
        serde_json::from_slice::<Value>(body).ok().and_then(|body| body.get("id")?.as_str()?.parse::<EventId>().ok());
    let Some(id) = id else { return };
    let Ok(request) = decode(&BasicProperties::default().with_message_id(id.to_string().into()), body) else { return };
    let written = encode(&request).expect("a request is JSON");
    let again = decode(&properties(&request, "fuzz", None), &written).expect("what is written is read");
    assert_eq!(again, request);
});
