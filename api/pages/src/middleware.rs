//! The middleware of every page: the origin of forms, the language of errors, the renewed cookie, and the
//! security headers.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};
use std::convert::Infallible;
use std::future::{Ready, ready};

use super::context::Pages;
use super::error::PageError;
use super::session::RenewedCookie;
use super::text::{COOKIE, Language};

/// Security headers: only own resources and nothing inline, no framing, and no address in referrers to other
/// sites.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

/// Refuses forms of other sites and completes each answer.
pub(super) async fn wrap(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = if is_same_origin(request.request()) {
        next.call(request).await?.map_into_boxed_body()
    } else {
        request.into_response(PageError::Stale.page(Language::default(), false))
    };
    Ok(completed(response))
}

/// Whether a call that changes something was made by one of our pages. Calls that only read always pass.
pub(super) fn is_same_origin(request: &HttpRequest) -> bool {
    if [Method::GET, Method::HEAD].contains(request.method()) {
        return true;
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let origin = request
        .app_data::<Data<Pages>>()
        .and_then(|pages| Some(url::Url::parse(&pages.public_url).ok()?.origin().ascii_serialization()));
    let is_own_origin = header(ORIGIN.as_str()).is_none_or(|given| Some(given) == origin.as_deref());
    is_own_origin && header("sec-fetch-site").is_none_or(|site| site == "same-origin")
}

/// Renders an error in the caller's language, renews the session's cookie, and sets the security headers.
fn completed(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let (request, mut response) = response.into_parts();
    let failed = response.error().and_then(|error| error.as_error::<PageError>());
    if let Some(error) = failed {
        let has_provider = request.app_data::<Data<Pages>>().is_some_and(|pages| pages.provider.is_some());
        let page = error.page(Language::of(&request), has_provider);
        response = page;
    }
    if let Some(renewed) = request.extensions().get::<RenewedCookie>()
        && !response.headers().contains_key("set-cookie")
    {
        // If this fails, the browser keeps its earlier cookie, which is still valid.
        let _ = response.add_cookie(&renewed.0);
    }
    let is_secure = request.app_data::<Data<Pages>>().is_some_and(|pages| pages.is_secure);
    set_headers(response.headers_mut(), is_secure);
    ServiceResponse::new(request, response)
}

fn set_headers(headers: &mut HeaderMap, is_secure: bool) {
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if is_secure {
        headers
            .insert(HeaderName::from_static("strict-transport-security"), HeaderValue::from_static("max-age=31536000"));
    }
}

impl Language {
    fn of(request: &HttpRequest) -> Self {
        let chosen = request.cookie(COOKIE);
        Self::choose(chosen.as_ref().map(actix_web::cookie::Cookie::value), request.headers())
    }
}

impl FromRequest for Language {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}
