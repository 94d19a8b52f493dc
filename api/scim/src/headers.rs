//! The headers that change what a call means: `If-Match`, `If-None-Match`, `Idempotency-Key`.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName, IF_MATCH};
use rollcall_events::request::IfMatch;
use rollcall_events::{EventId, OrganizationId};
use rollcall_scim::ScimError;

/// The header with the transaction of a request (RFC 9967 section 2.5.1).
pub(super) const SET_TXN: HeaderName = HeaderName::from_static("set-txn");
/// The header with the preferences that were followed (RFC 7240 section 3).
pub(super) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest idempotency key, in characters.
const MAX_KEY_CHARS: usize = 255;
/// The most entity tags in one condition.
const MAX_TAGS: usize = 64;

/// The entity tags of a condition, including `*`; `None` if the header is absent (RFC 9110 section 8.8.3).
pub(super) fn entity_tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Vec<String>>, ScimError> {
    if !headers.contains_key(name) {
        return Ok(None);
    }
    let malformed = || ScimError::invalid_syntax(format!("{name} is not * or a list of entity tags such as W/\"1\""));
    let mut tags = Vec::new();
    for value in headers.get_all(name) {
        for tag in value.to_str().map_err(|_| malformed())?.split(',').map(str::trim) {
            let opaque = tag.strip_prefix("W/").unwrap_or(tag);
            let quoted = opaque.len() >= 2 && opaque.starts_with('"') && opaque.ends_with('"');
            if tags.len() == MAX_TAGS || !(quoted || tag == "*") {
                return Err(malformed());
            }
            tags.push(tag.to_owned());
        }
    }
    Ok(Some(tags))
}

/// The `If-Match` of a change.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<IfMatch>, ScimError> {
    let tags = entity_tags(headers, &IF_MATCH)?;
    Ok(tags.map(|tags| if tags.iter().any(|tag| tag == "*") { IfMatch::Any } else { IfMatch::Tags(tags) }))
}

/// The event id of a call, and the fingerprint of the call if it has an `Idempotency-Key`. A repeated call
/// with the same key gets the same id.
pub(super) fn identity(
    request: &HttpRequest,
    organization: OrganizationId,
    body: &[u8],
) -> Result<(EventId, Option<String>), ScimError> {
    let Some(key) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok((EventId::generate(), None)) };
    let key = key.to_str().unwrap_or_default().trim().trim_matches('"');
    if key.is_empty() || key.len() > MAX_KEY_CHARS || !key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return Err(ScimError::invalid_value(format!(
            "Idempotency-Key must have 1 to {MAX_KEY_CHARS} printable ASCII characters"
        )));
    }
    let fingerprint = EventId::fingerprint([request.method().as_str().as_bytes(), request.path().as_bytes(), body]);
    Ok((EventId::from_client_key(organization, key), Some(fingerprint)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;
    use actix_web::test::TestRequest;
    use test_case::test_case;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test_case(&[r#"W/"1""#] => Ok(Some(IfMatch::Tags(vec![r#"W/"1""#.to_owned()]))); "one tag")]
    #[test_case(
        &[r#""1", W/"2""#] => Ok(Some(IfMatch::Tags(vec![r#""1""#.to_owned(), r#"W/"2""#.to_owned()]))); "two tags"
    )]
    #[test_case(&["*"] => Ok(Some(IfMatch::Any)); "any")]
    #[test_case(&[] => Ok(None); "absent")]
    #[test_case(&["1"] => Err(400); "unquoted")]
    #[test_case(&[""] => Err(400); "empty")]
    fn condition(values: &[&str]) -> Result<Option<IfMatch>, u16> {
        if_match(&headers(IF_MATCH, values)).map_err(|error| error.status)
    }

    #[test]
    fn a_key_stands_for_one_call() {
        let organization = OrganizationId::generate();
        let call = |key: &str, path: &str, body: &str| {
            let request = TestRequest::post().uri(path).insert_header((IDEMPOTENCY_KEY, key)).to_http_request();
            identity(&request, organization, body.as_bytes()).unwrap()
        };
        assert_eq!(call("k", "/Users", "{}"), call("\"k\"", "/Users", "{}"));
        let (first, other) = (call("k", "/Users", "{}"), call("k", "/Users", "[]"));
        assert_eq!(first.0, other.0);
        assert_ne!(first.1, other.1);
        assert_ne!(first.0, call("l", "/Users", "{}").0);
        let bad = TestRequest::post().insert_header((IDEMPOTENCY_KEY, "x".repeat(256))).to_http_request();
        assert!(identity(&bad, organization, b"").is_err());
    }
}
