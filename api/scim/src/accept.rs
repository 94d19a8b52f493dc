//! The media type of answers, as the caller accepts it (RFC 7644 section 3.8).

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, Quality, QualityItem};
use actix_web::middleware::Next;
use rollcall_api_core::SCIM_JSON;

/// Plain JSON.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Answers in plain JSON if the caller prefers it to SCIM's own media type. The content is the same.
pub(crate) async fn as_accepted<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let wants_json = wants_json(request.headers());
    let mut response = next.call(request).await?;
    let headers = response.headers_mut();
    if wants_json && headers.get(CONTENT_TYPE).is_some_and(|media_type| media_type == SCIM_JSON) {
        headers.insert(CONTENT_TYPE, JSON);
    }
    Ok(response)
}

/// Whether the caller names plain JSON with a greater weight than SCIM's media type. A type that is not named
/// has no weight: a range such as `*/*` leaves the choice to the service.
fn wants_json(headers: &HeaderMap) -> bool {
    let ranges = || headers.get_all(ACCEPT).filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let weight = |media_type: &str| {
        let weights = ranges().filter_map(|range| range.parse::<QualityItem<String>>().ok());
        let is_named =
            |range: &str| range.split(';').next().is_some_and(|named| named.trim().eq_ignore_ascii_case(media_type));
        weights.filter(|range| is_named(&range.item)).map(|range| range.quality).max().unwrap_or(Quality::ZERO)
    };
    let (json, scim) = (weight("application/json"), weight(SCIM_JSON));
    json > scim
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("application/json" => true; "plain")]
    #[test_case("Application/JSON; charset=utf-8" => true; "with a parameter")]
    #[test_case("application/json, text/plain, */*" => true; "before anything else")]
    #[test_case("application/scim+json" => false; "of SCIM")]
    #[test_case("application/json;q=0.9, application/scim+json" => false; "both")]
    #[test_case("application/json, application/scim+json" => false; "both alike")]
    #[test_case("application/json, application/scim+json;q=0.5" => true; "both, with a preference")]
    #[test_case("application/json;q=0" => false; "refused")]
    #[test_case("application/json;q=x" => false; "with an invalid weight")]
    #[test_case("*/*" => false; "anything")]
    fn accepts(value: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(value));
        wants_json(&headers)
    }
}
