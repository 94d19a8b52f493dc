//! The body of a request, as the receiver expects it.

use crate::background::sinks::batch::Message;
use crate::background::sinks::sink::{Envelope, Format};

impl Envelope {
    /// The media type of a body.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson | Self::Elastic => "application/x-ndjson",
            Self::Array | Self::Splunk => "application/json",
        }
    }

    /// Puts a batch into a body. `host` names this service.
    pub(super) fn body(self, messages: &[Message], format: Format, host: &str) -> Vec<u8> {
        let mut body = Vec::with_capacity(messages.iter().map(|message| message.json.len() + 256).sum());
        for (index, message) in messages.iter().enumerate() {
            match self {
                Self::Ndjson => push(&mut body, &[&message.json, "\n"]),
                Self::Array => push(&mut body, &[if index == 0 { "[" } else { "," }, &message.json]),
                Self::Splunk => splunk(&mut body, message, format, host),
                Self::Elastic => elastic(&mut body, message),
            }
        }
        if self == Self::Array {
            body.push(b']');
        }
        body
    }
}

/// An event of Splunk's HTTP Event Collector. The time is in seconds, with milliseconds.
fn splunk(body: &mut Vec<u8>, message: &Message, format: Format, host: &str) {
    let source_type = match format {
        Format::Entry => "rollcall:entry",
        Format::Ocsf(_) => "rollcall:ocsf",
    };
    let millis = message.recorded_at.as_millisecond();
    let time = format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000));
    let head = format!(r#"{{"time":{time},"host":"{host}","source":"rollcall","sourcetype":"{source_type}","event":"#);
    push(body, &[&head, &message.json, "}\n"]);
}

/// An action of Elasticsearch's `_bulk`. The id is that of the entry, so that a repeated delivery finds the
/// document there. A data stream needs `@timestamp`.
fn elastic(body: &mut Vec<u8>, message: &Message) {
    let action = format!("{{\"create\":{{\"_id\":\"{}\"}}}}\n", message.id);
    let time = format!(r#"{{"@timestamp":"{}","#, message.recorded_at);
    push(body, &[&action, &time, message.json.strip_prefix('{').unwrap_or(&message.json), "\n"]);
}

fn push(body: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        body.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::background::sinks::examples::message;
    use crate::background::sinks::sink::Version;
    use test_case::test_case;

    #[test_case(Envelope::Ndjson => "{\"a\":1}\n{\"a\":2}\n")]
    #[test_case(Envelope::Array => r#"[{"a":1},{"a":2}]"#)]
    #[test_case(Envelope::Splunk => concat!(
        r#"{"time":1767323045.250,"host":"id.example.com","source":"rollcall","sourcetype":"rollcall:ocsf","event":{"a":1}}"#, "\n",
        r#"{"time":1767323045.250,"host":"id.example.com","source":"rollcall","sourcetype":"rollcall:ocsf","event":{"a":2}}"#, "\n",
    ))]
    #[test_case(Envelope::Elastic => concat!(
        r#"{"create":{"_id":"00000000-0000-0000-0000-000000000001:7:0000000000000000"}}"#, "\n",
        r#"{"@timestamp":"2026-01-02T03:04:05.250000Z","a":1}"#, "\n",
        r#"{"create":{"_id":"00000000-0000-0000-0000-000000000001:8:0000000000000000"}}"#, "\n",
        r#"{"@timestamp":"2026-01-02T03:04:05.250000Z","a":2}"#, "\n",
    ))]
    fn a_body(envelope: Envelope) -> String {
        let messages = [message(7, r#"{"a":1}"#), message(8, r#"{"a":2}"#)];
        let body = envelope.body(&messages, Format::Ocsf(Version::V1_9), "id.example.com");
        String::from_utf8(body).unwrap()
    }
}
