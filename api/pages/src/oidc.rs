//! Sign-in at an OpenID provider.

use actix_web::cookie::Cookie;
use actix_web::cookie::time::Duration;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rollcall_api_core::error::ApiError;
use rollcall_api_core::read::organization_names;
use rollcall_api_oidc::{Flow, Identity, NotIdentified, Provider};
use rollcall_events::actor::{Actor, ActorDetails};
use rollcall_events::request::{BegunSession, ChangeSession, Denial, SessionChange};
use rollcall_events::session::Role;
use rollcall_events::token::Token;
use rollcall_events::{OrganizationId, SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::context::Pages;
use super::error::{PageError, PageResult};
use super::form::Form;
use super::session::{cookie, lax_cookie, settings_request};
use super::text::Language;
use super::view::{self, Choose, role_text};

/// The path to which the provider sends the browser back.
pub const CALLBACK: &str = "/sign-in/oidc/callback";
/// The path at which a flow begins. The flow's cookie is limited to it.
const PATH: &str = "/sign-in/oidc";
/// Maximum time to sign in at the provider, and again to choose an organization, in seconds.
const FLOW_SECONDS: u32 = 600;

/// `GET /sign-in/oidc`: redirects the browser to the provider.
pub(super) async fn begin(pages: Data<Pages>) -> PageResult {
    let (url, flow) = provider(&pages)?.begin().await.map_err(|error| failed(&pages, None, &error))?;
    let value = format!("{}.{}.{}", flow.state, flow.nonce, flow.verifier);
    Ok(HttpResponse::SeeOther().cookie(flow_cookie(&pages, value)).insert_header((LOCATION, url)).finish())
}

/// The parameters with which the provider sends the browser back (RFC 6749 section 4.1.2).
#[derive(Debug, Deserialize)]
pub(super) struct Back {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

/// `GET /sign-in/oidc/callback`: begins a session. A person with several organizations chooses one first.
pub(super) async fn callback(http: HttpRequest, back: Query<Back>, pages: Data<Pages>, t: Language) -> PageResult {
    let (address, _) = pages.caller(&http);
    let back = back.into_inner();
    let flow = flow(&http)
        .filter(|flow| is_same(&flow.state, back.state.as_deref().unwrap_or_default()))
        .ok_or(PageError::Stale)?;
    let state = flow.state.clone();
    let identified = match back.code {
        Some(code) => provider(&pages)?.finish(code, flow).await,
        None => Err(NotIdentified::Refused(back.error.unwrap_or_else(|| "the provider sent no code".to_owned()))),
    };
    let identity = identified.map_err(|error| failed(&pages, address, &error))?;
    let organizations =
        organization_names(&pages.database, &identity.roles.keys().copied().collect::<Vec<_>>()).await?;
    match organizations.as_slice() {
        [] => Err(failed(&pages, address, &NotIdentified::Refused(format!("{} has no role here", identity.subject)))),
        [(organization, _)] => session(&http, &pages, &identity, *organization).await,
        _ => {
            let choices = organizations
                .into_iter()
                .filter_map(|(id, name)| Some((id, name, role_text(*identity.roles.get(&id)?))))
                .collect();
            let identity = sealed(&pages, &state, identity)?;
            Ok(view::page(StatusCode::OK, &Choose { t, choices, identity }))
        }
    }
}

/// The chosen organization, and the person's sealed identity.
#[derive(Debug, Deserialize)]
pub(super) struct OrganizationChoice {
    organization: OrganizationId,
    #[serde(rename = "known")]
    identity: String,
}

/// `POST /sign-in/oidc`: begins a session in the chosen organization.
pub(super) async fn choose(http: HttpRequest, chosen: Form<OrganizationChoice>, pages: Data<Pages>) -> PageResult {
    let flow = flow(&http).ok_or(PageError::Stale)?;
    let identity = unsealed(&pages, &flow.state, &chosen.identity).ok_or(PageError::Stale)?;
    session(&http, &pages, &identity, chosen.organization).await
}

async fn session(http: &HttpRequest, pages: &Pages, identity: &Identity, organization: OrganizationId) -> PageResult {
    let role: Role = *identity.roles.get(&organization).ok_or(PageError::Stale)?;
    let (address, user_agent) = pages.caller(http);
    let secret = Token::generate().map_err(|error| ApiError::Internal(format!("no random bytes: {error}")))?;
    let session_id = SessionId::generate();
    let details = ActorDetails { address, label: Some(identity.name.clone()), user_agent, ..ActorDetails::default() };
    let actor = Actor::administrator(session_id, details);
    let begun = BegunSession {
        digest: secret.digest(),
        name: identity.name.clone(),
        role,
        issuer: identity.issuer.clone(),
        subject: identity.subject.clone(),
    };
    let change = ChangeSession { session_id, change: SessionChange::Begin(begun) };
    pages.apply(settings_request(organization, actor, change)).await?;
    let (cookie, mut ended) =
        (cookie(pages, secret.reveal(), session_id, Timestamp::now()), flow_cookie(pages, String::new()));
    ended.make_removal();
    Ok(HttpResponse::SeeOther().cookie(cookie).cookie(ended).insert_header((LOCATION, pages.address("/"))).finish())
}

fn provider(pages: &Pages) -> Result<&Provider, PageError> {
    pages.provider.as_ref().ok_or(PageError::NotFound)
}

/// The error page of a failed sign-in. The process's log has the reason, and the event log counts the denial.
fn failed(pages: &Pages, address: Option<std::net::IpAddr>, error: &NotIdentified) -> PageError {
    tracing::warn!(%error, "a sign-in at the OpenID provider failed");
    match error {
        NotIdentified::Provider(_) => ApiError::Unavailable("the OpenID provider").into(),
        NotIdentified::Refused(_) => {
            pages.authentication.refuse(Denial::UnknownAdministrator, address);
            PageError::NotIdentified
        }
    }
}

/// The cookie of a flow. It is `Lax`, because the browser must send it when it comes back from the provider's
/// site.
fn flow_cookie(pages: &Pages, value: String) -> Cookie<'static> {
    let max_age = Duration::seconds(FLOW_SECONDS.into());
    lax_cookie(pages, "rollcall-oidc", value).path(PATH).max_age(max_age).finish()
}

fn flow(http: &HttpRequest) -> Option<Flow> {
    let cookie = http.cookie("rollcall-oidc")?;
    let mut parts = cookie.value().splitn(3, '.').map(str::to_owned);
    Some(Flow { state: parts.next()?, nonce: parts.next()?, verifier: parts.next()? })
}

fn is_same(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

/// An identity that the provider confirmed, and the time until which it is accepted, as a Unix time in
/// seconds.
#[derive(Debug, Serialize, Deserialize)]
struct ConfirmedIdentity {
    identity: Identity,
    until: i64,
}

/// A sealed identity, for a form. It is valid only in the browser of one flow.
fn sealed(pages: &Pages, state: &str, identity: Identity) -> Result<String, PageError> {
    let confirmed = ConfirmedIdentity { identity, until: Timestamp::now().as_second() + i64::from(FLOW_SECONDS) };
    let text = serde_json::to_vec(&confirmed)
        .map_err(|error| ApiError::Internal(format!("an identity cannot be written: {error}")))?;
    let text = BASE64_URL_SAFE_NO_PAD.encode(text);
    Ok(format!("{text}.{}", pages.seal.on("identity", &format!("{state} {text}"))))
}

fn unsealed(pages: &Pages, state: &str, sealed: &str) -> Option<Identity> {
    let (text, seal) = sealed.split_once('.')?;
    if !is_same(&pages.seal.on("identity", &format!("{state} {text}")), seal) {
        return None;
    }
    let confirmed: ConfirmedIdentity = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    (Timestamp::now().as_second() <= confirmed.until).then_some(confirmed.identity)
}
