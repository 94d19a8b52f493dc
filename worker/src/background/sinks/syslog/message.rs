//! Syslog messages (RFC 5424) with octet counting (RFC 6587 section 3.4.1, RFC 5425 section 4.3).

use rollcall_events::log::{EventType, OutcomeKind};

use crate::background::sinks::batch::Message;

/// The facility "log audit" (RFC 5424 section 6.2.1).
const FACILITY: u8 = 13;
/// Severities (RFC 5424 section 6.2.1).
const WARNING: u8 = 4;
const NOTICE: u8 = 5;
const INFORMATIONAL: u8 = 6;

/// Maximum length of HOSTNAME (RFC 5424 section 6).
const MAX_HOST: usize = 255;

/// The frames of a batch, one after the other. `host` names this service.
pub(super) fn frames(messages: &[Message], host: &str) -> Vec<u8> {
    let mut frames = Vec::with_capacity(messages.iter().map(|message| message.json.len() + 200).sum());
    for message in messages {
        let text = text(message, host);
        frames.extend_from_slice(format!("{} ", text.len()).as_bytes());
        frames.extend_from_slice(text.as_bytes());
    }
    frames
}

/// One message. There is no structured data, because MSG is JSON. MSG has no byte order mark, although it is
/// UTF-8: programs that read JSON refuse the mark.
fn text(message: &Message, host: &str) -> String {
    let severity = match (message.event_type, message.outcome) {
        (EventType::AccessDenied, _) => WARNING,
        (_, OutcomeKind::Rejected) => NOTICE,
        (_, OutcomeKind::Applied) => INFORMATIONAL,
    };
    let Message { recorded_at, event_type, json, .. } = message;
    format!("<{}>1 {recorded_at} {} rollcall - {event_type} - {json}", FACILITY * 8 + severity, host_name(host))
}

/// A name as HOSTNAME allows it: printable ASCII, or `-` if there is none.
fn host_name(host: &str) -> &str {
    let is_good = !host.is_empty() && host.len() <= MAX_HOST && host.bytes().all(|byte| byte.is_ascii_graphic());
    if is_good { host } else { "-" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::background::sinks::examples::message;

    #[test]
    fn a_batch_is_framed_by_its_octets() {
        let frames = frames(&[message(7, r#"{"name":"Zoë"}"#), message(8, "{}")], "id.example.com");
        let expected = concat!(
            "90 <110>1 2026-01-02T03:04:05.250000Z id.example.com rollcall - UserCreated - {\"name\":\"Zoë\"}",
            "77 <110>1 2026-01-02T03:04:05.250000Z id.example.com rollcall - UserCreated - {}",
        );
        assert_eq!(String::from_utf8(frames).unwrap(), expected);
    }

    #[test]
    fn refusals_and_denials_are_more_severe() {
        let applied = message(7, "{}");
        let rejected = Message { outcome: OutcomeKind::Rejected, ..applied.clone() };
        let denied = Message { event_type: EventType::AccessDenied, ..applied.clone() };
        let priority = |message: &Message| text(message, "id").split_once('>').unwrap().0.to_owned();
        assert_eq!([&applied, &rejected, &denied].map(priority), ["<110", "<109", "<108"]);
    }

    #[test]
    fn a_name_of_a_type_fits_into_msgid() {
        assert!(EventType::ALL.iter().all(|event_type| event_type.as_str().len() <= 32));
        assert_eq!([host_name(""), host_name("a b"), host_name("[::1]")], ["-", "-", "[::1]"]);
    }
}
