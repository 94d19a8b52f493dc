//! The pages: what administrators do with a browser. Rendered here, with a little htmx; whatever they change is asked for like everything else, as an event.

mod assets;
mod audit;
mod call;
mod error;
mod form;
mod frame;
mod oidc;
mod operations;
mod past;
mod posted;
mod requests;
mod scim;
mod session;
mod sign_in;
mod standing;
mod text;
mod users;
mod view;
mod workspaces;

pub(crate) use oidc::CALLBACK as OIDC_CALLBACK;
pub(crate) use session::Seal;

use actix_web::http::header::{LOCATION, USER_AGENT};
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Route, guard};
use rollcall_events::actor::Actor;
use rollcall_events::request::SettingsRequested;
use std::net::IpAddr;
use std::time::Duration;

use crate::auth::Authentication;
use crate::error::ApiError;
use crate::oidc::Provider;
use crate::read::{Database, Followers, PageCache};
use crate::scim::{Base, Prefer};
use crate::submit::{Answer, RequestClient};
use error::PageError;
use session::Administrator;

type PageResult = Result<HttpResponse, PageError>;

/// What the pages need.
pub(crate) struct Pages {
    pub(crate) database: Data<Database>,
    pub(crate) requests: Data<RequestClient>,
    pub(crate) authentication: Data<Authentication>,
    pub(crate) base: Data<Base>,
    pub(crate) followers: Data<Followers>,
    pub(crate) page_cache: Data<PageCache>,
    pub(crate) seal: Seal,
    /// Where administrators have their accounts, if the settings name such a place.
    pub(crate) provider: Option<Provider>,
    /// The address that browsers reach the service by.
    pub(crate) public_url: String,
    /// Whether that is https.
    pub(crate) is_secure: bool,
    /// How long a form may take to arrive.
    pub(crate) receive: Duration,
}

impl Pages {
    /// The name of the session's cookie: one with the prefix is taken from nobody but this host (RFC 6265bis section 4.1.3).
    fn cookie_name(&self) -> &'static str {
        if self.is_secure { "__Host-rollcall" } else { "rollcall" }
    }

    /// The address of a page.
    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// The address that identity providers are given.
    fn endpoint(&self) -> String {
        self.base.as_str().to_owned()
    }

    /// Where a request comes from, and with what.
    fn caller(&self, request: &HttpRequest) -> (Option<IpAddr>, Option<String>) {
        let address = self.authentication.proxies.counting(request.peer_addr().map(|peer| peer.ip()), request.headers());
        let user_agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).map(Actor::user_agent);
        (address, user_agent)
    }

    /// Has a change of settings made; returns once it is.
    async fn ask(&self, admin: &Administrator, change: SettingsRequested) -> Result<(), PageError> {
        match self.requests.submit(admin.asks(change), &Prefer::default()).await? {
            Answer::Applied(_) => Ok(()),
            Answer::Accepted(_) => Err(ApiError::Unsettled("the outcome of a change of settings").into()),
        }
    }
}

/// What programs of administrators call; it stands below the auditors' address, and comes before what auditors call.
pub(crate) fn api_routes(config: &mut ServiceConfig) {
    let only_post = || async { Err::<HttpResponse, _>(ApiError::MethodNotAllowed { allowed: "POST" }) };
    let erase = web::resource(format!("{}/users/{{id}}/erase", crate::audit::BASE_PATH));
    config.service(erase.post(audit::erase_by_api).default_service(web::to(only_post)));
}

/// A page that can be looked at.
fn look() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// The routes.
pub(crate) fn routes(config: &mut ServiceConfig) {
    let files = web::scope("/assets").wrap(Compress::default()).route("/{version}/{name}", look().to(assets::serve));
    config.service(files);
    let pages = web::scope("")
        .app_data(posted::limits())
        .wrap(from_fn(frame::frame))
        .wrap(Compress::default())
        .route("/", look().to(home))
        .route("/sign-in", look().to(sign_in::ask))
        .route("/sign-in", web::post().to(sign_in::sign_in))
        .route("/sign-in/oidc", web::get().to(oidc::begin))
        .route("/sign-in/oidc", web::post().to(oidc::choose))
        .route(OIDC_CALLBACK, web::get().to(oidc::callback))
        .route("/sign-out", web::post().to(sign_in::sign_out))
        .route("/language", web::post().to(sign_in::language))
        .route("/users", look().to(users::search))
        .route("/users/{id}", look().to(users::show))
        .route("/workspaces", look().to(workspaces::list))
        .route("/workspaces/{id}", look().to(workspaces::show))
        .route("/groups/{id}", look().to(workspaces::group))
        .route("/groups/{id}", web::post().to(workspaces::map))
        .route("/operations", look().to(operations::show))
        .route("/operations/standing", web::get().to(standing::show))
        .route("/operations/letters/{id}/retry", web::post().to(operations::retry))
        .route("/operations/letters/{id}/discard", web::post().to(operations::discard))
        .route("/requests", look().to(requests::list))
        .route("/requests/new", web::get().to(requests::new))
        .route("/requests/recording", web::post().to(call::record))
        .route("/requests/{id}", look().to(call::show))
        .route("/audit", look().to(audit::list))
        .route("/audit/live", web::get().to(audit::live))
        .route("/audit/export", web::get().to(audit::export))
        .route("/audit/events/{seq}", look().to(audit::entry))
        .route("/audit/events/{seq}/proof", look().to(audit::proof))
        .route("/audit/chart", web::get().to(past::chart))
        .route("/audit/users", look().to(past::list))
        .route("/audit/users/{id}", look().to(past::show))
        .route("/audit/users/{id}/erase", look().to(audit::ask_erase))
        .route("/audit/users/{id}/erase", web::post().to(audit::erase))
        .route("/settings/scim", look().to(scim::show))
        .route("/settings/scim/check", web::post().to(scim::check))
        .route("/settings/scim/address", web::post().to(scim::address))
        .route("/settings/scim/tokens", web::post().to(scim::generate))
        .route("/settings/scim/tokens/{id}", look().to(scim::edit))
        .route("/settings/scim/tokens/{id}", web::post().to(scim::change))
        .route("/settings/scim/tokens/{id}/revoke", look().to(scim::ask_revoke))
        .route("/settings/scim/tokens/{id}/revoke", web::post().to(scim::revoke))
        .route("/settings/scim/tokens/{id}/reset", look().to(scim::ask_reset))
        .route("/settings/scim/tokens/{id}/reset", web::post().to(scim::reset))
        .route("/settings/scim/guides/{provider}", look().to(scim::guide));
    config.service(pages);
}

/// `GET /`: where whoever is signed in begins.
async fn home(admin: Administrator, pages: Data<Pages>) -> PageResult {
    let path = if admin.may_administer() { scim::PATH } else { audit::PATH };
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, pages.address(path))).finish())
}
