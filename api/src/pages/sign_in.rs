//! Signing in by a link, and signing out.

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use rollcall_events::actor::Actor;
use rollcall_events::request::{Denial, SessionChange, SettingsRequested};
use rollcall_events::token::Token;
use rollcall_events::{Timestamp, TokenId};
use serde::Deserialize;

use super::error::PageError;
use super::posted::Form;
use super::session::{Administrator, cookie, no_cookie, request};
use super::text::{COOKIE, Language};
use super::view::{self, SignIn};
use super::{PageResult, Pages};
use crate::error::ApiError;
use crate::read::{FoundLink, find_link};
use crate::scim::Prefer;
use crate::submit::Answer;

/// What a link holds.
#[derive(Debug, Deserialize)]
pub(super) struct Link {
    #[serde(default)]
    link: String,
}

/// `GET /sign-in?link=`: asks whether to sign in. Looking at a link does not use it: chats and mail scanners look at every link.
pub(super) async fn ask(link: Query<Link>, pages: Data<Pages>, t: Language) -> PageResult {
    let found = find(&pages, &link.link).await?;
    if found.is_used || found.expires_at <= Timestamp::now() {
        return Err(PageError::BadLink);
    }
    Ok(view::page(StatusCode::OK, &SignIn { t, who: found.who, link: link.into_inner().link }))
}

/// `POST /sign-in`: uses the link, and begins the session that it is for, with a secret of its own.
pub(super) async fn sign_in(http: HttpRequest, link: Form<Link>, pages: Data<Pages>) -> PageResult {
    let (address, user_agent) = pages.caller(&http);
    // Whether it can still be used is decided where it is recorded, so that a refusal is an event as well.
    let who = match find(&pages, &link.link).await {
        Ok(found) => found.who,
        Err(PageError::BadLink) => {
            pages.authentication.refuse(Denial::UnknownToken, address);
            return Err(PageError::BadLink);
        }
        Err(error) => return Err(error),
    };
    pages.authentication.limits.take(TokenId(who.session_id.0))?;
    let secret = Token::generate().map_err(|error| ApiError::Internal(format!("no random bytes: {error}")))?;
    let actor = Actor { address, label: Some(who.name.clone()), user_agent, ..Actor::default() };
    let change = SettingsRequested::Session { session_id: who.session_id, change: SessionChange::SignIn { digest: secret.digest() } };
    match pages.requests.submit(request(who.organization_id, actor, change), &Prefer::default()).await {
        Ok(Answer::Applied(_)) => {}
        Ok(Answer::Accepted(_)) => return Err(ApiError::Unsettled("the outcome of a sign-in").into()),
        // It was used before, or has expired.
        Err(ApiError::Scim(_)) => return Err(PageError::BadLink),
        Err(error) => return Err(error.into()),
    }
    let cookie = cookie(&pages, secret.reveal(), who.session_id, Timestamp::now());
    Ok(HttpResponse::SeeOther().cookie(cookie).insert_header((LOCATION, pages.address("/"))).finish())
}

async fn find(pages: &Pages, link: &str) -> Result<FoundLink, PageError> {
    if link.is_empty() {
        return Err(PageError::SignedOut);
    }
    let token = Token::parse(link).map_err(|_| PageError::BadLink)?;
    find_link(&pages.database, &token.digest()).await?.ok_or(PageError::BadLink)
}

/// What a form brings that asks for nothing else.
#[derive(Debug, Deserialize)]
pub(super) struct Bare {
    pub(super) csrf: String,
}

/// `POST /sign-out`.
pub(super) async fn sign_out(admin: Administrator, form: Form<Bare>, pages: Data<Pages>) -> PageResult {
    admin.check(&form.csrf)?;
    pages.ask(&admin, SettingsRequested::Session { session_id: admin.who.session_id, change: SessionChange::SignOut }).await?;
    Ok(HttpResponse::SeeOther().cookie(no_cookie(&pages)).insert_header((LOCATION, pages.address("/sign-in"))).finish())
}

/// Which language, and where to go on.
#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    language: String,
    path: String,
}

/// `POST /language`.
pub(super) async fn language(choice: Form<Choice>, pages: Data<Pages>) -> PageResult {
    let language = Language::from_code(&choice.language).ok_or(PageError::NotFound)?;
    // Only to a page of ours.
    let path =
        if choice.path.starts_with('/') && !choice.path.starts_with("//") && !choice.path.contains('\\') { &choice.path } else { "/" };
    let cookie = Cookie::build(COOKIE, language.code()).path("/").permanent().secure(pages.is_secure).finish();
    Ok(HttpResponse::SeeOther().cookie(cookie).insert_header((LOCATION, pages.address(path))).finish())
}
