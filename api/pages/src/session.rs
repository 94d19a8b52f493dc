//! The session of a signed-in person: its cookie, and the check of each call.

use actix_web::cookie::{Cookie, CookieBuilder, SameSite};
use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::future::LocalBoxFuture;
use rollcall_api_core::read::{Person, find_session};
use rollcall_events::Timestamp;
use rollcall_events::actor::{Actor, ActorDetails};
use rollcall_events::request::{Request, RequestBody, SettingsRequested};
use rollcall_events::token::Token;
use rollcall_events::{EventId, OrganizationId, SessionId, TokenId};
use std::net::IpAddr;
use subtle::ConstantTimeEq;

use super::context::Pages;
use super::error::PageError;

/// A session without a call for this time has ended, in seconds.
const IDLE_SECONDS: u64 = 30 * 60;
/// Maximum duration of a session, in seconds.
pub(super) const LIFE_SECONDS: u32 = 12 * 60 * 60;

/// A signed-in person of any role. Their session has neither ended nor been idle for too long.
#[derive(Debug, Clone)]
pub(super) struct Administrator {
    pub(super) person: Person,
    /// The token that each form of this session must send back.
    pub(super) csrf: String,
    address: Option<IpAddr>,
    user_agent: Option<String>,
}

/// The renewed cookie of a session, to be sent with the answer.
#[derive(Debug, Clone)]
pub(super) struct RenewedCookie(pub(super) Cookie<'static>);

impl Administrator {
    /// Refuses a person who may only read.
    ///
    /// # Errors
    /// If the role does not allow changes.
    pub(super) fn must_administer(&self) -> Result<(), PageError> {
        if self.person.role.may_administer() { Ok(()) } else { Err(PageError::Forbidden) }
    }

    /// Whether the person may change settings.
    pub(super) fn may_administer(&self) -> bool {
        self.person.role.may_administer()
    }

    /// Refuses a form that does not come from a page of this session.
    ///
    /// # Errors
    /// If the form's token is not the session's.
    pub(super) fn check(&self, csrf: &str) -> Result<(), PageError> {
        if bool::from(self.csrf.as_bytes().ct_eq(csrf.as_bytes())) { Ok(()) } else { Err(PageError::Stale) }
    }

    /// Changes settings in the person's name, and returns once the change is applied.
    ///
    /// # Errors
    /// If the change was refused, or its outcome did not arrive in time.
    pub(super) async fn apply(&self, pages: &Pages, change: impl Into<SettingsRequested>) -> Result<(), PageError> {
        let details = ActorDetails {
            address: self.address,
            label: Some(self.person.name.clone()),
            service_origin: None,
            user_agent: self.user_agent.clone(),
        };
        let actor = Actor::administrator(self.person.session_id, details);
        Ok(pages.apply(settings_request(self.person.organization_id, actor, change)).await?)
    }
}

/// A request for a change of settings.
pub(super) fn settings_request(
    organization_id: OrganizationId,
    actor: Actor,
    change: impl Into<SettingsRequested>,
) -> Request {
    Request {
        id: EventId::generate(),
        organization_id,
        requested_at: Timestamp::now(),
        actor,
        fingerprint: None,
        body: RequestBody::settings(change),
    }
}

/// The seal of a session on a text, for a purpose.
fn session_seal(pages: &Pages, purpose: &str, session: SessionId, text: &str) -> String {
    pages.seal.on(purpose, &format!("{session} {text}"))
}

/// The cookie of a session: its secret, the time of the last call, and a seal on that time.
pub(super) fn cookie(pages: &Pages, secret: &str, session: SessionId, now: Timestamp) -> Cookie<'static> {
    let seen = now.as_second().to_string();
    let seal = session_seal(pages, "seen", session, &seen);
    lax_cookie(pages, pages.cookie_name(), format!("{secret}.{seen}.{seal}")).path("/").finish()
}

/// The cookie that removes a session from the browser.
pub(super) fn no_cookie(pages: &Pages) -> Cookie<'static> {
    let mut cookie = lax_cookie(pages, pages.cookie_name(), String::new()).path("/").finish();
    cookie.make_removal();
    cookie
}

/// A cookie that no script reads, and that the browser also sends when it comes from a link on another site.
pub(super) fn lax_cookie(pages: &Pages, name: &'static str, value: String) -> CookieBuilder<'static> {
    Cookie::build(name, value).http_only(true).secure(pages.is_secure).same_site(SameSite::Lax)
}

async fn signed_in(request: &HttpRequest, pages: &Pages) -> Result<Administrator, PageError> {
    let cookie = request.cookie(pages.cookie_name()).ok_or(PageError::SignedOut)?;
    let mut parts = cookie.value().splitn(3, '.');
    let (Some(secret), Some(seen), Some(seal)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(PageError::SignedOut);
    };
    let token = Token::parse(secret).map_err(|_| PageError::SignedOut)?;
    let session = find_session(&pages.database, &token.digest()).await?.ok_or(PageError::SignedOut)?;
    let (id, now) = (session.person.session_id, Timestamp::now());
    let is_sealed: bool = session_seal(pages, "seen", id, seen).as_bytes().ct_eq(seal.as_bytes()).into();
    let idle = u64::try_from(now.as_second() - seen.parse::<i64>().unwrap_or_default()).unwrap_or(0);
    if !is_sealed || idle > IDLE_SECONDS || now.seconds_since(session.signed_in_at) > LIFE_SECONDS.into() {
        return Err(PageError::SignedOut);
    }
    pages.authentication.limits.take(TokenId(id.0))?;
    request.extensions_mut().insert(RenewedCookie(self::cookie(pages, secret, id, now)));
    let (address, user_agent) = pages.caller(request);
    Ok(Administrator { csrf: session_seal(pages, "form", id, ""), person: session.person, address, user_agent })
}

impl FromRequest for Administrator {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let pages = request.app_data::<Data<Pages>>().cloned().ok_or(PageError::SignedOut)?;
            signed_in(&request, &pages).await
        })
    }
}
