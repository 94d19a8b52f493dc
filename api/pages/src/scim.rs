//! The page Settings > SCIM provisioning: generates, lists, changes, resets and revokes tokens.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Path};
use rollcall_api_core::error::ApiError;
use rollcall_api_core::read::{ListedToken, find_token, list_tokens, named_workspaces};
use rollcall_events::request::{ChangeToken, IssueToken, RevokeToken, SettingsRequested, TokenSettings};
use rollcall_events::token::Token;
use rollcall_events::{Timestamp, TokenId};
use serde::Deserialize;
use std::net::IpAddr;

use super::context::Pages;
use super::error::{PageError, PageResult};
use super::form::{CsrfForm, Form};
use super::session::Administrator;
use super::text::Language;
use super::token_form::{Problems, TokenForm};
use super::view::{self, Address, Check, Confirm, Edit, Frame, Guide, NewToken, Scim, minute};

/// The path of this page.
pub(super) const PATH: &str = "/settings/scim";
/// The identity providers that there is a guide for.
const GUIDES: [&str; 2] = ["okta", "entra"];

/// `GET /settings/scim`.
pub(super) async fn show(admin: Administrator, pages: Data<Pages>, t: Language) -> PageResult {
    admin.must_administer()?;
    let form =
        TokenForm { id: TokenId::generate().to_string(), dialect: "standard".to_owned(), ..TokenForm::default() };
    page(admin, &pages, t, form, Problems::default(), StatusCode::OK).await
}

async fn page(
    admin: Administrator,
    pages: &Pages,
    t: Language,
    form: TokenForm,
    problems: Problems,
    status: StatusCode,
) -> PageResult {
    let organization = admin.person.organization_id;
    let (tokens, workspaces) =
        (list_tokens(&pages.database, organization).await?, named_workspaces(&pages.database, organization).await?);
    let (frame, endpoint, now) = (Frame { admin, path: PATH.to_owned() }, pages.endpoint(), Timestamp::now());
    Ok(view::page(status, &Scim { t, frame, endpoint, tokens, workspaces, form, problems, now }))
}

/// `POST /settings/scim/check`: the problems of the form so far, and whether the button is enabled.
pub(super) async fn check(admin: Administrator, form: Form<TokenForm>, pages: Data<Pages>, t: Language) -> PageResult {
    admin.must_administer()?;
    let workspaces = named_workspaces(&pages.database, admin.person.organization_id).await?;
    let problems = form.read(&workspaces, Timestamp::now(), t).err();
    let is_good = problems.is_none();
    // An empty field shows no problem: the person may not have reached it yet.
    let fields = [
        ("label", &form.label),
        ("origin", &form.origin),
        ("allow", &form.allow),
        ("expires", &form.expires),
        ("rate", &form.rate),
    ];
    let touched = fields.into_iter().filter(|(_, value)| !value.is_empty()).map(|(field, _)| field).collect();
    Ok(view::page(StatusCode::OK, &Check { t, problems: problems.unwrap_or_default(), touched, is_good }))
}

/// The form that tests an address against an allowlist.
#[derive(Debug, Deserialize)]
pub(super) struct AddressTest {
    #[serde(default)]
    allow: String,
    address: String,
}

/// `POST /settings/scim/address`: whether the allowlist allows an address, and why.
pub(super) async fn address(admin: Administrator, tested: Form<AddressTest>, t: Language) -> PageResult {
    admin.must_administer()?;
    let list = TokenForm { allow: tested.allow.clone(), ..TokenForm::default() }.read_allow(t);
    let (is_good, text) = match (tested.address.trim().parse::<IpAddr>(), list) {
        (Err(_), _) => (false, t.with("address-malformed", "address", tested.address.trim())),
        (Ok(_), Err(problem)) => (false, problem),
        (Ok(address), Ok(None)) => (true, t.with("address-any", "address", address)),
        (Ok(address), Ok(Some(list))) if list.contains(address) => (true, t.with("address-listed", "address", address)),
        (Ok(address), Ok(Some(_))) => (false, t.with("address-not-listed", "address", address)),
    };
    Ok(view::page(StatusCode::OK, &Address { is_good, text }))
}

/// `POST /settings/scim/tokens`: generates a token. Only this answer shows its secret.
pub(super) async fn generate(
    admin: Administrator,
    form: Form<TokenForm>,
    pages: Data<Pages>,
    t: Language,
) -> PageResult {
    admin.must_administer()?;
    admin.check(&form.csrf)?;
    let token_id = form.token_id().ok_or(PageError::Stale)?;
    let workspaces = named_workspaces(&pages.database, admin.person.organization_id).await?;
    match form.read(&workspaces, Timestamp::now(), t) {
        Ok(settings) => {
            let token = issue(&admin, &pages, token_id, settings.clone()).await?;
            Ok(generated(admin, &pages, t, &token, &settings, None))
        }
        Err(problems) => page(admin, &pages, t, form.into_inner(), problems, StatusCode::UNPROCESSABLE_ENTITY).await,
    }
}

async fn issue(
    admin: &Administrator,
    pages: &Pages,
    token_id: TokenId,
    settings: TokenSettings,
) -> Result<Token, PageError> {
    if find_token(&pages.database, admin.person.organization_id, token_id).await?.is_some() {
        return Err(PageError::Repeated);
    }
    let token = Token::generate().map_err(|error| ApiError::Internal(format!("no random bytes: {error}")))?;
    let prefix = Some(token.prefix().to_owned());
    admin.apply(pages, IssueToken { token_id, digest: token.digest(), prefix, settings }).await?;
    Ok(token)
}

fn generated(
    admin: Administrator,
    pages: &Pages,
    t: Language,
    token: &Token,
    settings: &TokenSettings,
    about_old: Option<String>,
) -> HttpResponse {
    let origin = settings.origin_required.then(|| settings.service_origin.to_string());
    let (frame, endpoint) = (Frame { admin, path: PATH.to_owned() }, pages.endpoint());
    let (token, label) = (token.reveal().to_owned(), settings.label.to_string());
    view::page(StatusCode::OK, &NewToken { t, frame, endpoint, token, label, origin, about_old })
}

/// A token that is not revoked.
async fn valid_token(admin: &Administrator, pages: &Pages, id: &str) -> Result<ListedToken, PageError> {
    admin.must_administer()?;
    let id = id.parse().map_err(|_| PageError::NotFound)?;
    let token = find_token(&pages.database, admin.person.organization_id, id).await?;
    token.filter(|token| token.revoked_at.is_none()).ok_or(PageError::NotFound)
}

/// `GET /settings/scim/tokens/{id}`: the form that changes a token.
pub(super) async fn edit(admin: Administrator, id: Path<String>, pages: Data<Pages>, t: Language) -> PageResult {
    let token = valid_token(&admin, &pages, &id).await?;
    editing(admin, &pages, t, token.id, TokenForm::of(&token.settings), Problems::default(), StatusCode::OK).await
}

async fn editing(
    admin: Administrator,
    pages: &Pages,
    t: Language,
    id: TokenId,
    form: TokenForm,
    problems: Problems,
    status: StatusCode,
) -> PageResult {
    let workspaces = named_workspaces(&pages.database, admin.person.organization_id).await?;
    let frame = Frame { admin, path: format!("{PATH}/tokens/{id}") };
    Ok(view::page(status, &Edit { t, frame, id, workspaces, form, problems }))
}

/// `POST /settings/scim/tokens/{id}`: changes a token.
pub(super) async fn change(
    admin: Administrator,
    id: Path<String>,
    form: Form<TokenForm>,
    pages: Data<Pages>,
    t: Language,
) -> PageResult {
    admin.check(&form.csrf)?;
    let token = valid_token(&admin, &pages, &id).await?;
    let workspaces = named_workspaces(&pages.database, admin.person.organization_id).await?;
    match form.read(&workspaces, Timestamp::now(), t) {
        Ok(mut settings) => {
            // The form has only a date. If the date is unchanged, the time stays too.
            if form.expires == TokenForm::of(&token.settings).expires {
                settings.expires_at = token.settings.expires_at;
            }
            admin.apply(&pages, ChangeToken { token_id: token.id, settings }).await?;
            Ok(back(&pages))
        }
        Err(problems) => {
            editing(admin, &pages, t, token.id, form.into_inner(), problems, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

/// `GET /settings/scim/tokens/{id}/revoke`: asks for confirmation.
pub(super) async fn ask_revoke(admin: Administrator, id: Path<String>, pages: Data<Pages>, t: Language) -> PageResult {
    let token = valid_token(&admin, &pages, &id).await?;
    let frame = Frame { admin, path: format!("{PATH}/tokens/{}/revoke", token.id) };
    Ok(view::page(StatusCode::OK, &Confirm { t, frame, token, reset: None }))
}

/// `POST /settings/scim/tokens/{id}/revoke`: revokes a token.
pub(super) async fn revoke(
    admin: Administrator,
    id: Path<String>,
    form: Form<CsrfForm>,
    pages: Data<Pages>,
) -> PageResult {
    admin.check(&form.csrf)?;
    let token = valid_token(&admin, &pages, &id).await?;
    admin.apply(&pages, RevokeToken { token_id: token.id }).await?;
    Ok(back(&pages))
}

/// `GET /settings/scim/tokens/{id}/reset`: asks for confirmation, and how long the old token stays valid.
pub(super) async fn ask_reset(admin: Administrator, id: Path<String>, pages: Data<Pages>, t: Language) -> PageResult {
    let token = valid_token(&admin, &pages, &id).await?;
    let frame = Frame { admin, path: format!("{PATH}/tokens/{}/reset", token.id) };
    Ok(view::page(StatusCode::OK, &Confirm { t, frame, token, reset: Some(TokenId::generate()) }))
}

/// The form that resets a token.
#[derive(Debug, Deserialize)]
pub(super) struct Reset {
    csrf: String,
    /// The id of the new token.
    id: String,
    /// For how many hours the old token stays valid; at most 30 days count.
    overlap_hours: u16,
}

/// `POST /settings/scim/tokens/{id}/reset`: replaces a token. The old token ends at once or after an overlap.
pub(super) async fn reset(
    admin: Administrator,
    id: Path<String>,
    form: Form<Reset>,
    pages: Data<Pages>,
    t: Language,
) -> PageResult {
    admin.check(&form.csrf)?;
    let old = valid_token(&admin, &pages, &id).await?;
    let new = form.id.parse().map_err(|_| PageError::Stale)?;
    let token = issue(&admin, &pages, new, old.settings.clone()).await?;
    let end = Timestamp::now().after_seconds(u32::from(form.overlap_hours.min(24 * 30)) * 3600);
    // The old token never lasts longer than it would have without the reset.
    let expires_at = (form.overlap_hours > 0).then(|| old.settings.expires_at.map_or(end, |at| at.min(end)));
    let ending: SettingsRequested = match expires_at {
        None => RevokeToken { token_id: old.id }.into(),
        Some(_) => {
            ChangeToken { token_id: old.id, settings: TokenSettings { expires_at, ..old.settings.clone() } }.into()
        }
    };
    let about_old = match (admin.apply(&pages, ending).await, expires_at.as_ref().map(minute)) {
        (Ok(()), Some(until)) => t.with("token-overlap", "until", until),
        (Ok(()), None) => t.get("token-replaced"),
        // The new token exists. Its secret would be lost if this answer did not show it.
        (Err(error), _) => {
            tracing::warn!(%error, "the old token of a reset could not be revoked");
            t.get("token-not-ended")
        }
    };
    Ok(generated(admin, &pages, t, &token, &old.settings, Some(about_old)))
}

/// `GET /settings/scim/guides/{provider}`: the steps to set up an identity provider.
pub(super) async fn guide(admin: Administrator, provider: Path<String>, pages: Data<Pages>, t: Language) -> PageResult {
    admin.must_administer()?;
    let provider = GUIDES.into_iter().find(|known| *known == provider.as_str()).ok_or(PageError::NotFound)?;
    let frame = Frame { admin, path: format!("{PATH}/guides/{provider}") };
    Ok(view::page(StatusCode::OK, &Guide { t, frame, provider, endpoint: pages.endpoint() }))
}

fn back(pages: &Pages) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, pages.address(PATH))).finish()
}
