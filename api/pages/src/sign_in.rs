//! Sign-in by a link, sign-out, and the choice of a language.

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use rollcall_api_core::error::ApiError;
use rollcall_api_core::read::{FoundLink, find_link};
use rollcall_events::actor::{Actor, ActorDetails};
use rollcall_events::request::{ChangeSession, Denial, SessionChange};
use rollcall_events::token::Token;
use rollcall_events::{Timestamp, TokenId};
use serde::Deserialize;

use super::context::Pages;
use super::error::{PageError, PageResult};
use super::form::{CsrfForm, Form};
use super::session::{Administrator, cookie, no_cookie, settings_request};
use super::text::{COOKIE, Language};
use super::view::{self, SignIn};

/// The secret of a sign-in link.
#[derive(Debug, Deserialize)]
pub(super) struct Link {
    #[serde(default)]
    link: String,
}

/// `GET /sign-in?link=`: asks whether to sign in. This does not use the link, because chats and mail scanners
/// open every link.
pub(super) async fn ask(link: Query<Link>, pages: Data<Pages>, t: Language) -> PageResult {
    let found = find(&pages, &link.link).await?;
    if found.is_used || found.expires_at <= Timestamp::now() {
        return Err(PageError::BadLink);
    }
    Ok(view::page(StatusCode::OK, &SignIn { t, person: found.person, link: link.into_inner().link }))
}

/// `POST /sign-in`: uses the link and begins its session, with a new secret.
pub(super) async fn sign_in(http: HttpRequest, link: Form<Link>, pages: Data<Pages>) -> PageResult {
    let (address, user_agent) = pages.caller(&http);
    // The worker decides whether the link can still be used, so that a refusal is logged too.
    let person = match find(&pages, &link.link).await {
        Ok(found) => found.person,
        Err(PageError::BadLink) => {
            pages.authentication.refuse(Denial::UnknownToken, address);
            return Err(PageError::BadLink);
        }
        Err(error) => return Err(error),
    };
    pages.authentication.limits.take(TokenId(person.session_id.0))?;
    let secret = Token::generate().map_err(|error| ApiError::Internal(format!("no random bytes: {error}")))?;
    let details = ActorDetails { address, label: Some(person.name.clone()), user_agent, ..ActorDetails::default() };
    let actor = Actor::administrator(person.session_id, details);
    let change =
        ChangeSession { session_id: person.session_id, change: SessionChange::SignIn { digest: secret.digest() } };
    match pages.apply(settings_request(person.organization_id, actor, change)).await {
        Ok(()) => {}
        // The link was used before, or has expired.
        Err(ApiError::Scim(_)) => return Err(PageError::BadLink),
        Err(error) => return Err(error.into()),
    }
    let cookie = cookie(&pages, secret.reveal(), person.session_id, Timestamp::now());
    Ok(HttpResponse::SeeOther().cookie(cookie).insert_header((LOCATION, pages.address("/"))).finish())
}

async fn find(pages: &Pages, link: &str) -> Result<FoundLink, PageError> {
    if link.is_empty() {
        return Err(PageError::SignedOut);
    }
    let token = Token::parse(link).map_err(|_| PageError::BadLink)?;
    find_link(&pages.database, &token.digest()).await?.ok_or(PageError::BadLink)
}

/// `POST /sign-out`.
pub(super) async fn sign_out(admin: Administrator, form: Form<CsrfForm>, pages: Data<Pages>) -> PageResult {
    admin.check(&form.csrf)?;
    admin.apply(&pages, ChangeSession { session_id: admin.person.session_id, change: SessionChange::SignOut }).await?;
    Ok(HttpResponse::SeeOther().cookie(no_cookie(&pages)).insert_header((LOCATION, pages.address("/sign-in"))).finish())
}

/// A chosen language, and the path to return to.
#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    language: String,
    path: String,
}

/// `POST /language`.
pub(super) async fn language(choice: Form<Choice>, pages: Data<Pages>) -> PageResult {
    let language = Language::from_code(&choice.language).ok_or(PageError::NotFound)?;
    // Redirect only to our own pages.
    let path = if choice.path.starts_with('/') && !choice.path.starts_with("//") && !choice.path.contains('\\') {
        &choice.path
    } else {
        "/"
    };
    let cookie = Cookie::build(COOKIE, language.code()).path("/").permanent().secure(pages.is_secure).finish();
    Ok(HttpResponse::SeeOther().cookie(cookie).insert_header((LOCATION, pages.address(path))).finish())
}
