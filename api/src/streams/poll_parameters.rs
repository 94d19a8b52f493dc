//! Parses a poll request of a receiver (RFC 8936 section 2.2).

use rollcall_events::StreamId;
use rollcall_events::stream::SetId;
use rollcall_scim::ScimError;
use serde_json::Value;

/// The number of events to return if the receiver does not choose it.
const USUAL: usize = 100;
/// Maximum number of events to return.
const MOST: usize = 1000;
/// Maximum number of acknowledgements in one request.
const MOST_ACKNOWLEDGED: usize = 10_000;
/// Maximum length of a receiver's error that is logged, in characters.
const MAX_ERROR_CHARS: usize = 200;

/// A poll request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PollParameters {
    /// Maximum number of events to return; 0 if the receiver only acknowledges.
    pub(super) most: usize,
    /// Whether to answer at once if there are no events.
    pub(super) return_immediately: bool,
    /// The events that the receiver has acknowledged or reported as errors.
    pub(super) done: Vec<SetId>,
    /// The errors that the receiver reports.
    pub(super) errors: Vec<String>,
}

impl PollParameters {
    /// Parses a poll request. A `jti` that is not an event of the stream is ignored.
    ///
    /// # Errors
    /// 400 if the body is malformed.
    pub(super) fn read(body: &Value, stream_id: StreamId) -> Result<Self, ScimError> {
        let members = body.as_object().ok_or_else(|| ScimError::invalid_syntax("the body must be a JSON object"))?;
        let wrong = |name: &str, what: &str| ScimError::invalid_value(format!("{name} must be {what}"));
        let most = match members.get("maxEvents") {
            None | Some(Value::Null) => USUAL,
            Some(number) => number
                .as_u64()
                .ok_or_else(|| wrong("maxEvents", "a number that is not negative"))?
                .try_into()
                .unwrap_or(MOST),
        };
        let return_immediately = match members.get("returnImmediately") {
            None | Some(Value::Null) => false,
            Some(value) => value.as_bool().ok_or_else(|| wrong("returnImmediately", "true or false"))?,
        };
        let acknowledged = match members.get("ack") {
            None | Some(Value::Null) => &[][..],
            Some(value) => value.as_array().ok_or_else(|| wrong("ack", "a list"))?,
        };
        let acknowledged: Option<Vec<_>> = acknowledged.iter().map(Value::as_str).collect();
        let acknowledged = acknowledged.ok_or_else(|| wrong("ack", "a list of the jti of events"))?;
        let failed: Vec<_> = match members.get("setErrs") {
            None | Some(Value::Null) => Vec::new(),
            Some(value) => value.as_object().ok_or_else(|| wrong("setErrs", "an object"))?.iter().collect(),
        };
        if acknowledged.len() + failed.len() > MOST_ACKNOWLEDGED {
            return Err(wrong("ack", &format!("a list of at most {MOST_ACKNOWLEDGED}")));
        }
        let own = |jti: &str| jti.parse().ok().filter(|id: &SetId| id.stream_id == stream_id);
        let done = acknowledged.into_iter().chain(failed.iter().map(|(jti, _)| jti.as_str())).filter_map(own).collect();
        let reported = |jti: &str, error: &Value| format!("{jti}: {} {}", error["err"], error["description"]);
        let errors = failed.iter().map(|(jti, error)| {
            reported(jti, error).chars().filter(|c| !c.is_control()).take(MAX_ERROR_CHARS).collect()
        });
        Ok(Self { most: most.min(MOST), return_immediately, done, errors: errors.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use test_case::test_case;

    fn read(body: Value) -> Result<PollParameters, ScimError> {
        PollParameters::read(&body, StreamId(uuid::Uuid::from_u128(1)))
    }

    fn set_id(stream: u128, seq: u64) -> SetId {
        SetId { stream_id: StreamId(uuid::Uuid::from_u128(stream)), seq, leaf: "0123456789abcdef".to_owned() }
    }

    fn jti(stream: u128, seq: u64) -> String {
        set_id(stream, seq).to_string()
    }

    #[test]
    fn an_empty_request_waits_for_the_default_number() {
        assert_eq!(
            read(json!({})).unwrap(),
            PollParameters { most: USUAL, return_immediately: false, done: vec![], errors: vec![] }
        );
    }

    #[test]
    fn acknowledged_events_and_failed_events_are_both_done() {
        let body = json!({
            "maxEvents": 100_000, "returnImmediately": true, "ack": [jti(1, 7), jti(2, 8), "?"],
            "setErrs": {jti(1, 9): {"err": "invalid_key", "description": "no\nsuch key"}},
        });
        let parameters = read(body).unwrap();
        assert_eq!((parameters.most, parameters.return_immediately), (MOST, true));
        assert_eq!(parameters.done, [set_id(1, 7), set_id(1, 9)]);
        assert_eq!(parameters.errors, [format!(r#"{}: "invalid_key" "no\nsuch key""#, jti(1, 9))]);
    }

    #[test_case(json!([]) => "the body must be a JSON object"; "no object")]
    #[test_case(json!({"maxEvents": -1}) => "maxEvents must be a number that is not negative"; "negative")]
    #[test_case(json!({"returnImmediately": "yes"}) => "returnImmediately must be true or false"; "no boolean")]
    #[test_case(json!({"ack": "x"}) => "ack must be a list"; "no list")]
    #[test_case(json!({"ack": [1]}) => "ack must be a list of the jti of events"; "no jti")]
    #[test_case(json!({"setErrs": []}) => "setErrs must be an object"; "no object of errors")]
    fn a_malformed_request(body: Value) -> String {
        read(body).unwrap_err().detail
    }
}
