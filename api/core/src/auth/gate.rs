//! Authenticates a call, or refuses it and counts the denial.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::USER_AGENT;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};
use rollcall_events::Timestamp;
use rollcall_events::actor::ActorDetails;
use rollcall_events::request::Denial;
use std::net::IpAddr;
use std::sync::Arc;

use super::bearer::bearer;
use super::denials::{Denials, DeniedCall, PresentedToken};
use super::origin::OriginHeaders;
use super::tokens::{KnownToken, Tokens};
use super::{Caller, Limits, Proxies};
use crate::call_log::CallToken;
use crate::error::ApiError;

/// The state of authentication.
pub struct Authentication {
    /// The known tokens.
    pub tokens: Arc<Tokens>,
    /// The trusted reverse proxies.
    pub proxies: Proxies,
    /// The rate limits.
    pub limits: Arc<Limits>,
    /// The denials that are not published yet.
    pub denials: Arc<Denials>,
}

/// Middleware: adds the [`Caller`] to the request, or answers 401, 403, 429 or 503.
pub async fn gate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let admitted = match request.app_data::<Data<Authentication>>() {
        Some(authentication) => authentication.admit(&request).await,
        None => Err(ApiError::Internal("authentication is not set up".to_owned())),
    };
    match admitted {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            Ok(next.call(request).await?.map_into_left_body())
        }
        Err(error) => Ok(request.error_response(error).map_into_right_body()),
    }
}

impl Authentication {
    /// Counts a denial of an unknown caller.
    pub fn refuse(&self, reason: Denial, address: Option<IpAddr>) {
        self.denials.count(&DeniedCall { token: None, reason, address });
    }

    async fn admit(&self, request: &ServiceRequest) -> Result<Caller, ApiError> {
        let headers = request.headers();
        let address = self.proxies.counting(request.peer_addr().map(|peer| peer.ip()), headers);
        let digest = match bearer(headers) {
            Ok(digest) => digest,
            Err(reason) => {
                self.denials.count(&DeniedCall { token: None, reason, address });
                return Err(refusal(reason));
            }
        };
        let (token, now) = (self.tokens.find(&digest).await?, Timestamp::now());
        if let Some(token) = &token {
            let (organization_id, token_id, label) = (token.organization_id, token.id, token.label.clone());
            let is_recorded = token.bodies_until.is_some_and(|until| now < until);
            request.extensions_mut().insert(CallToken { organization_id, token_id, label, address, is_recorded });
        }
        let verdict = match &token {
            None => Err(Denial::UnknownToken),
            Some(token) => check(token, address, &OriginHeaders::read(headers), now),
        };
        match (token, verdict) {
            (Some(token), Ok(())) => {
                self.limits.take_at(token.id, token.calls_per_second)?;
                let user_agent = headers
                    .get(USER_AGENT)
                    .and_then(|value| value.to_str().ok())
                    .map(ActorDetails::shortened_user_agent);
                Ok(Caller::new(token, address, user_agent))
            }
            (token, verdict) => {
                let reason = verdict.err().unwrap_or(Denial::UnknownToken);
                self.denials.count(&DeniedCall { token: token.as_deref().map(PresentedToken::from), reason, address });
                Err(refusal(reason))
            }
        }
    }
}

/// The answer to a denied call. Which check failed is recorded in the log only.
pub(super) fn refusal(reason: Denial) -> ApiError {
    match reason {
        Denial::MissingOrigin | Denial::WrongOrigin | Denial::WrongAddress => ApiError::SourceNotAllowed,
        reason => ApiError::Unauthenticated { presented: reason != Denial::MissingToken },
    }
}

/// Checks that a token is neither revoked nor expired.
pub(super) fn check_time(
    revoked_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Denial> {
    // Do not compare times: the worker has recorded the revocation, whatever the clocks say.
    if revoked_at.is_some() {
        return Err(Denial::RevokedToken);
    }
    if expires_at.is_some_and(|at| at <= now) { Err(Denial::ExpiredToken) } else { Ok(()) }
}

/// Checks that a token may be used now, with this origin, from this address.
fn check(token: &KnownToken, address: Option<IpAddr>, stated: &OriginHeaders, now: Timestamp) -> Result<(), Denial> {
    check_time(token.revoked_at, token.expires_at, now)?;
    if stated.origins.is_empty() && token.origin_required {
        return Err(Denial::MissingOrigin);
    }
    if stated.origins.iter().any(|origin| origin.as_ref() != Some(&token.service_origin)) {
        return Err(Denial::WrongOrigin);
    }
    match (&token.allow_list, address) {
        (None, _) => Ok(()),
        (Some(list), Some(address))
            if list.contains(address) && stated.addresses.iter().all(|&stated| list.contains(stated)) =>
        {
            Ok(())
        }
        (Some(_), _) => Err(Denial::WrongAddress),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderMap;
    use actix_web::http::header::{HeaderName, HeaderValue};
    use rollcall_events::{OrganizationId, TokenId, WorkspaceId};
    use test_case::test_case;

    fn token() -> KnownToken {
        KnownToken {
            id: TokenId::generate(),
            organization_id: OrganizationId::generate(),
            label: "HR".to_owned(),
            default_workspace: WorkspaceId::generate(),
            service_origin: "hr.example.com".parse().unwrap(),
            origin_required: true,
            allow_list: None,
            dialect: rollcall_events::request::Dialect::Standard,
            calls_per_second: None,
            expires_at: None,
            revoked_at: None,
            bodies_until: None,
        }
    }

    fn stated(value: &str) -> OriginHeaders {
        let mut headers = HeaderMap::new();
        if !value.is_empty() {
            headers.append(HeaderName::from_static("x-request-origin"), HeaderValue::from_str(value).unwrap());
        }
        OriginHeaders::read(&headers)
    }

    fn checked(token: &KnownToken, address: &str, origin: &str) -> Result<(), Denial> {
        check(token, address.parse().ok(), &stated(origin), "2026-06-01T00:00:00Z".parse().unwrap())
    }

    #[test_case("hr.example.com" => Ok(()); "right")]
    #[test_case("HTTPS://HR.example.com/" => Ok(()); "case, scheme and slash")]
    #[test_case("hr.example.com; 203.0.113.7" => Ok(()); "with an address, and no list to be on")]
    #[test_case("" => Err(Denial::MissingOrigin); "missing")]
    #[test_case("203.0.113.7" => Err(Denial::MissingOrigin); "an address is not an origin")]
    #[test_case("pay.example.com" => Err(Denial::WrongOrigin); "wrong")]
    #[test_case("hr.example.com, pay.example.com" => Err(Denial::WrongOrigin); "right and wrong")]
    #[test_case("hr.example.com.evil.example" => Err(Denial::WrongOrigin); "a longer name")]
    fn a_required_origin(origin: &str) -> Result<(), Denial> {
        checked(&token(), "203.0.113.7", origin)
    }

    #[test_case("" => Ok(()); "missing")]
    #[test_case("203.0.113.7" => Ok(()); "an address alone")]
    #[test_case("hr.example.com" => Ok(()); "right")]
    #[test_case("pay.example.com" => Err(Denial::WrongOrigin); "wrong")]
    fn an_origin_that_is_not_required(origin: &str) -> Result<(), Denial> {
        checked(&KnownToken { origin_required: false, ..token() }, "203.0.113.7", origin)
    }

    #[test_case("203.0.113.7", "hr.example.com" => Ok(()); "the connection's address is listed")]
    #[test_case("203.0.113.7", "hr.example.com; 203.0.113.8" => Ok(()); "the stated one too")]
    #[test_case("203.0.113.7", "hr.example.com; 198.51.100.1" => Err(Denial::WrongAddress); "a stated address narrows")]
    #[test_case("198.51.100.1", "hr.example.com; 203.0.113.7" => Err(Denial::WrongAddress); "and never widens")]
    #[test_case("?", "hr.example.com; 203.0.113.7" => Err(Denial::WrongAddress); "an unknown address")]
    fn an_allowlist(address: &str, origin: &str) -> Result<(), Denial> {
        checked(&KnownToken { allow_list: "203.0.113.0/24".parse().ok(), ..token() }, address, origin)
    }

    #[test]
    fn a_token_ends_when_it_is_revoked_or_expires() {
        let at = |time: &str| time.parse().ok();
        let revoked = KnownToken { revoked_at: at("2026-05-31T00:00:00Z"), ..token() };
        assert_eq!(checked(&revoked, "203.0.113.7", "hr.example.com"), Err(Denial::RevokedToken));
        let expired = KnownToken { expires_at: at("2026-06-01T00:00:00Z"), ..token() };
        assert_eq!(checked(&expired, "203.0.113.7", "hr.example.com"), Err(Denial::ExpiredToken));
        let current = KnownToken { expires_at: at("2026-06-01T00:00:01Z"), ..token() };
        assert_eq!(checked(&current, "203.0.113.7", "hr.example.com"), Ok(()));
    }
}
