//! The parts of request and response bodies that may be stored.

use actix_web::body::{BodySize, EitherBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::web::Bytes;
use serde_json::Value;

use crate::redact::redact;

/// Maximum size of a body that is parsed, in bytes.
const MAX_BYTES: usize = 256 * 1024;
/// Maximum length of a stored body, in characters.
const MAX_CHARS: usize = 16 * 1024;

/// The body of a call whose organization records bodies. The code that reads the body leaves it in the
/// request.
#[derive(Debug, Clone)]
pub struct RequestBody(pub Bytes);

/// The stored form of a body: JSON, redacted and shortened. Of another body, only the size is stored, because
/// its secrets cannot be found.
pub(super) fn kept(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() {
        return None;
    }
    if bytes.len() > MAX_BYTES {
        return Some(format!("{} bytes", bytes.len()));
    }
    let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else {
        return Some(format!("{} bytes that are not JSON", bytes.len()));
    };
    redact(&mut value);
    let mut text = value.to_string();
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    Some(text)
}

/// Takes the body of an answer, if it is complete, and returns the answer with it.
pub(super) fn inspect_body<B: MessageBody>(
    response: ServiceResponse<B>,
) -> (ServiceResponse<EitherBody<B, Bytes>>, Option<Bytes>) {
    let mut found = None;
    let response = response.map_body(|_, body| match body.size() {
        BodySize::Sized(_) => match body.try_into_bytes() {
            Ok(bytes) => {
                found = Some(bytes.clone());
                EitherBody::right(bytes)
            }
            Err(body) => EitherBody::left(body),
        },
        _ => EitherBody::left(body),
    });
    (response, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case(b"" => None; "none")]
    #[test_case(
        b"{\"User\": {\"password\": \"s\"}}" => Some("{\"User\":{\"password\":\"•••\"}}".to_owned()); "json"
    )]
    #[test_case(b"{\"password\": \"s\"" => Some("16 bytes that are not JSON".to_owned()); "broken off")]
    #[test_case(b"password=s" => Some("10 bytes that are not JSON".to_owned()); "a form")]
    fn what_is_kept(bytes: &[u8]) -> Option<String> {
        kept(bytes)
    }

    #[test]
    fn a_long_body_is_shortened_and_a_huge_one_is_only_measured() {
        let long = kept(format!("[\"{}\"]", "é".repeat(MAX_CHARS)).as_bytes()).unwrap();
        assert_eq!((long.chars().count(), long.ends_with("é…")), (MAX_CHARS + 1, true));
        assert_eq!(kept(&vec![b' '; MAX_BYTES + 1]).unwrap(), "262145 bytes");
    }
}
