//! What an answer says about a batch. Nothing of an answer's text is kept but fixed terms, because a receiver
//! may quote what it was sent.

use hyper::StatusCode;
use serde::Deserialize;

use crate::background::sinks::batch::Failure;
use crate::background::sinks::sink::Envelope;

/// Maximum number of characters to keep of a term.
const MAX_TERM_CHARS: usize = 80;

/// The statuses that are about the content of a request. All other failures are about the receiver.
const ABOUT_CONTENT: [StatusCode; 5] = [
    StatusCode::BAD_REQUEST,
    StatusCode::CONFLICT,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::UNPROCESSABLE_ENTITY,
];

/// The answer of Elasticsearch's `_bulk`.
#[derive(Debug, Deserialize)]
struct Bulk {
    errors: bool,
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Debug, Deserialize)]
struct Item {
    create: Created,
}

#[derive(Debug, Deserialize)]
struct Created {
    status: u16,
    #[serde(default)]
    error: Option<BulkError>,
}

#[derive(Debug, Deserialize)]
struct BulkError {
    #[serde(rename = "type")]
    kind: String,
}

/// The answer of Splunk's HTTP Event Collector.
#[derive(Debug, Deserialize)]
struct Splunk {
    text: String,
}

/// Decides whether a batch was accepted.
pub(super) fn judge(envelope: Envelope, status: StatusCode, body: &[u8]) -> Result<(), Failure> {
    if status.is_success() {
        return if envelope == Envelope::Elastic { bulk(body) } else { Ok(()) };
    }
    let mut reason = format!("the receiver answered {status}");
    if envelope == Envelope::Splunk
        && let Ok(Splunk { text }) = serde_json::from_slice(body)
    {
        reason = format!("{reason}: {}", term(&text));
    }
    Err(if ABOUT_CONTENT.contains(&status) { Failure::Refused(reason) } else { Failure::Unavailable(reason) })
}

/// A `_bulk` is answered with 200 even if a document was not stored. A document that is there already was
/// delivered before.
fn bulk(body: &[u8]) -> Result<(), Failure> {
    let bulk: Bulk = serde_json::from_slice(body)
        .map_err(|_| Failure::unavailable("the answer is not that of a _bulk, or it is too long"))?;
    if !bulk.errors {
        return Ok(());
    }
    let is_stored = |item: &&Item| matches!(item.create.status, 200..=299 | 409);
    let failed: Vec<_> = bulk.items.iter().filter(|item| !is_stored(item)).collect();
    let busy = failed.iter().find(|item| matches!(item.create.status, 429 | 500..));
    match busy.or(failed.first()) {
        None if bulk.items.is_empty() => Err(Failure::unavailable("the answer of the _bulk does not list the items")),
        None => Ok(()),
        Some(Item { create: Created { status, error } }) => {
            let kind = error.as_ref().map(|error| format!(": {}", term(&error.kind))).unwrap_or_default();
            let reason = format!("{} of {} documents were not stored: {status}{kind}", failed.len(), bulk.items.len());
            Err(if busy.is_some() { Failure::Unavailable(reason) } else { Failure::Refused(reason) })
        }
    }
}

fn term(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_TERM_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    fn refused(reason: &str) -> Result<(), Failure> {
        Err(Failure::Refused(reason.to_owned()))
    }

    fn unavailable(reason: &str) -> Result<(), Failure> {
        Err(Failure::Unavailable(reason.to_owned()))
    }

    #[test_case(Envelope::Ndjson, 202, "" => Ok(()); "accepted")]
    #[test_case(Envelope::Ndjson, 302, "" => unavailable("the receiver answered 302 Found"); "no redirect is followed")]
    #[test_case(Envelope::Ndjson, 401, "s3cret" => unavailable("the receiver answered 401 Unauthorized"); "header")]
    #[test_case(Envelope::Array, 503, "" => unavailable("the receiver answered 503 Service Unavailable"); "busy")]
    #[test_case(Envelope::Array, 400, "{}" => refused("the receiver answered 400 Bad Request"); "content")]
    #[test_case(
        Envelope::Splunk, 403, r#"{"text":"Invalid token","code":4}"# =>
        unavailable("the receiver answered 403 Forbidden: Invalid token"); "Splunk says why"
    )]
    #[test_case(Envelope::Elastic, 200, r#"{"errors":false}"# => Ok(()); "stored")]
    #[test_case(
        Envelope::Elastic, 200,
        r#"{"took":1,"errors":true,"items":[{"create":{"status":201}},{"create":{"status":409,"error":{"type":"version_conflict_engine_exception"}}}]}"#
        => Ok(()); "stored before"
    )]
    #[test_case(
        Envelope::Elastic, 200,
        r#"{"errors":true,"items":[{"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"ada"}}}]}"#
        => refused("1 of 1 documents were not stored: 400: document_parsing_exception"); "the reason may quote a person"
    )]
    #[test_case(
        Envelope::Elastic, 200, r#"{"errors":true,"items":[{"create":{"status":400}},{"create":{"status":429}}]}"#
        => unavailable("2 of 2 documents were not stored: 429"); "overloaded"
    )]
    #[test_case(
        Envelope::Elastic, 200, "<html>" =>
        unavailable("the answer is not that of a _bulk, or it is too long"); "another server"
    )]
    fn an_answer(envelope: Envelope, status: u16, body: &str) -> Result<(), Failure> {
        judge(envelope, StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }
}
