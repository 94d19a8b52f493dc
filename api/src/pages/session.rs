//! Who is signed in: what the browser holds, and what is asked of each request.

use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::future::LocalBoxFuture;
use rollcall_events::Timestamp;
use rollcall_events::actor::Actor;
use rollcall_events::request::{Request, RequestBody, SettingsRequested};
use rollcall_events::session::Role;
use rollcall_events::token::Token;
use rollcall_events::{EventId, OrganizationId, SessionId, TokenId};
use secrecy::{ExposeSecret, SecretString};
use std::net::IpAddr;
use subtle::ConstantTimeEq;

use super::Pages;
use super::error::PageError;
use crate::read::{Who, find_session};

/// After how long without a request a session counts as left alone, in seconds.
const IDLE_SECONDS: u64 = 30 * 60;
/// How long a session lasts at most, in seconds.
pub(super) const LIFE_SECONDS: u32 = 12 * 60 * 60;
const KEY_CONTEXT: &str = "rollcall 2026 session key";

/// What seals cookies and forms, so that nobody else can make them.
pub(crate) struct Seal([u8; 32]);

impl Seal {
    /// The seal that a setting stands for; where that is empty, one that lasts as long as the process.
    ///
    /// # Errors
    /// Where the system has no randomness to give.
    pub(crate) fn new(setting: &SecretString) -> Result<Self, getrandom::Error> {
        if !setting.expose_secret().is_empty() {
            return Ok(Self(blake3::derive_key(KEY_CONTEXT, setting.expose_secret().as_bytes())));
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self(key))
    }

    fn of(&self, purpose: &str, session: SessionId, more: &str) -> String {
        self.on(purpose, &format!("{session} {more}"))
    }

    /// The seal on a text, for a purpose, which is one word.
    pub(super) fn on(&self, purpose: &str, text: &str) -> String {
        blake3::keyed_hash(&self.0, format!("{purpose} {text}").as_bytes()).to_hex().to_string()
    }
}

/// Somebody who is signed in. To have one is to have a session that lasts and was not left alone.
#[derive(Debug, Clone)]
pub(super) struct Administrator {
    pub(super) who: Who,
    /// What a form of theirs must bring back.
    pub(super) csrf: String,
    address: Option<IpAddr>,
    user_agent: Option<String>,
}

/// What is put into the browser with each answer to somebody who is signed in.
#[derive(Debug, Clone)]
pub(super) struct Renewed(pub(super) Cookie<'static>);

impl Administrator {
    /// Refuses whoever may only look.
    pub(super) fn must_administer(&self) -> Result<(), PageError> {
        if self.who.role.may_administer() { Ok(()) } else { Err(PageError::Forbidden) }
    }

    /// Whether they may change settings.
    pub(super) fn may_administer(&self) -> bool {
        self.who.role.may_administer()
    }

    /// Refuses a form that does not come from a page of theirs.
    pub(super) fn check(&self, csrf: &str) -> Result<(), PageError> {
        if bool::from(self.csrf.as_bytes().ct_eq(csrf.as_bytes())) { Ok(()) } else { Err(PageError::Stale) }
    }

    /// A change of settings that they ask for.
    pub(super) fn asks(&self, change: SettingsRequested) -> Request {
        let actor = Actor {
            address: self.address,
            label: Some(self.who.name.clone()),
            service_origin: None,
            token_id: Some(TokenId(self.who.session_id.0)),
            user_agent: self.user_agent.clone(),
        };
        request(self.who.organization_id, actor, change)
    }
}

/// A change of settings.
pub(super) fn request(organization_id: OrganizationId, actor: Actor, change: SettingsRequested) -> Request {
    Request {
        id: EventId::generate(),
        organization_id,
        requested_at: Timestamp::now(),
        actor,
        fingerprint: None,
        body: RequestBody::SettingsRequested(change),
    }
}

/// The cookie of a session: its secret, when it was last used, and a seal on that.
pub(super) fn cookie(pages: &Pages, secret: &str, session: SessionId, now: Timestamp) -> Cookie<'static> {
    let seen = now.as_second().to_string();
    let seal = pages.seal.of("seen", session, &seen);
    Cookie::build(pages.cookie_name(), format!("{secret}.{seen}.{seal}"))
        .path("/")
        .http_only(true)
        .secure(pages.is_secure)
        .same_site(SameSite::Lax)
        .finish()
}

/// The cookie that takes it out of the browser.
pub(super) fn no_cookie(pages: &Pages) -> Cookie<'static> {
    let mut cookie =
        Cookie::build(pages.cookie_name(), "").path("/").http_only(true).secure(pages.is_secure).same_site(SameSite::Lax).finish();
    cookie.make_removal();
    cookie
}

async fn signed_in(request: &HttpRequest, pages: &Pages) -> Result<Administrator, PageError> {
    let cookie = request.cookie(pages.cookie_name()).ok_or(PageError::SignedOut)?;
    let mut parts = cookie.value().splitn(3, '.');
    let (Some(secret), Some(seen), Some(seal)) = (parts.next(), parts.next(), parts.next()) else { return Err(PageError::SignedOut) };
    let token = Token::parse(secret).map_err(|_| PageError::SignedOut)?;
    let session = find_session(&pages.database, &token.digest()).await?.ok_or(PageError::SignedOut)?;
    let (id, now) = (session.who.session_id, Timestamp::now());
    let is_sealed: bool = pages.seal.of("seen", id, seen).as_bytes().ct_eq(seal.as_bytes()).into();
    let idle = u64::try_from(now.as_second() - seen.parse::<i64>().unwrap_or_default()).unwrap_or(0);
    if !is_sealed || idle > IDLE_SECONDS || now.seconds_since(session.signed_in_at) > LIFE_SECONDS.into() {
        return Err(PageError::SignedOut);
    }
    pages.authentication.limits.take(TokenId(id.0))?;
    request.extensions_mut().insert(Renewed(self::cookie(pages, secret, id, now)));
    let (address, user_agent) = pages.caller(request);
    Ok(Administrator { csrf: pages.seal.of("form", id, ""), who: session.who, address, user_agent })
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

/// The role, as a text of the pages.
pub(super) fn role_text(role: Role) -> &'static str {
    match role {
        Role::Owner => "role-owner",
        Role::Administrator => "role-administrator",
        Role::Auditor => "role-auditor",
    }
}
