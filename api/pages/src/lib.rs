//! The pages: the browser interface for administrators and auditors. They are rendered on the server, with a
//! little htmx. A page changes nothing itself: it submits a request, like every other caller.

#![cfg_attr(test, allow(clippy::needless_pass_by_value, reason = "tests pass literals"))]

mod assets;
mod audit;
mod call;
mod call_log;
mod context;
mod error;
mod form;
mod home;
mod middleware;
mod oidc;
mod operations;
mod past;
mod scim;
mod seal;
mod service_status;
mod session;
mod sign_in;
mod text;
mod token_form;
mod users;
mod view;
mod witnessing;
mod workspaces;

pub use context::Pages;
pub use oidc::CALLBACK as OIDC_CALLBACK;
use rollcall_api_core::openapi::{Endpoints, endpoint};
pub use seal::Seal;

use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{self, ServiceConfig};
use actix_web::{Route, guard};

/// The endpoints for programs of administrators.
pub fn api_endpoints() -> Endpoints {
    Endpoints::below("").strict().with(endpoint!(audit::erase_by_api))
}

/// The routes for programs of administrators. Their paths begin like the auditors' paths, so they must be
/// registered first.
pub fn api_routes(config: &mut ServiceConfig) {
    api_endpoints().register(config);
}

/// A route for GET and HEAD.
fn get_or_head() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// The routes.
pub fn routes(config: &mut ServiceConfig) {
    let files =
        web::scope("/assets").wrap(Compress::default()).route("/{version}/{name}", get_or_head().to(assets::serve));
    config.service(files);
    let pages = web::scope("")
        .app_data(form::limits())
        .wrap(from_fn(middleware::wrap))
        .wrap(Compress::default())
        .route("/", get_or_head().to(home::home))
        .route("/sign-in", get_or_head().to(sign_in::ask))
        .route("/sign-in", web::post().to(sign_in::sign_in))
        .route("/sign-in/oidc", web::get().to(oidc::begin))
        .route("/sign-in/oidc", web::post().to(oidc::choose))
        .route(OIDC_CALLBACK, web::get().to(oidc::callback))
        .route("/sign-out", web::post().to(sign_in::sign_out))
        .route("/language", web::post().to(sign_in::language))
        .route("/users", get_or_head().to(users::search))
        .route("/users/{id}", get_or_head().to(users::show))
        .route("/workspaces", get_or_head().to(workspaces::list))
        .route("/workspaces/{id}", get_or_head().to(workspaces::show))
        .route("/groups/{id}", get_or_head().to(workspaces::group))
        .route("/groups/{id}", web::post().to(workspaces::map))
        .route("/operations", get_or_head().to(operations::show))
        .route("/operations/status", web::get().to(service_status::show))
        .route("/operations/dead-letters/{id}/retry", web::post().to(operations::retry))
        .route("/operations/dead-letters/{id}/discard", web::post().to(operations::discard))
        .route("/call-log", get_or_head().to(call_log::list))
        .route("/call-log/new", web::get().to(call_log::new))
        .route("/call-log/recording", web::post().to(call::record))
        .route("/call-log/{id}", get_or_head().to(call::show))
        .route("/audit", get_or_head().to(audit::list))
        .route("/audit/live", web::get().to(audit::live))
        .route("/audit/export", web::get().to(audit::export))
        .route("/audit/events/{seq}", get_or_head().to(audit::entry))
        .route("/audit/events/{seq}/proof", get_or_head().to(audit::proof))
        .route("/audit/chart", web::get().to(past::chart))
        .route("/audit/users", get_or_head().to(past::list))
        .route("/audit/users/{id}", get_or_head().to(past::show))
        .route("/audit/users/{id}/erase", get_or_head().to(audit::ask_erase))
        .route("/audit/users/{id}/erase", web::post().to(audit::erase))
        .route("/settings/scim", get_or_head().to(scim::show))
        .route("/settings/scim/check", web::post().to(scim::check))
        .route("/settings/scim/address", web::post().to(scim::address))
        .route("/settings/scim/tokens", web::post().to(scim::generate))
        .route("/settings/scim/tokens/{id}", get_or_head().to(scim::edit))
        .route("/settings/scim/tokens/{id}", web::post().to(scim::change))
        .route("/settings/scim/tokens/{id}/revoke", get_or_head().to(scim::ask_revoke))
        .route("/settings/scim/tokens/{id}/revoke", web::post().to(scim::revoke))
        .route("/settings/scim/tokens/{id}/reset", get_or_head().to(scim::ask_reset))
        .route("/settings/scim/tokens/{id}/reset", web::post().to(scim::reset))
        .route("/settings/scim/guides/{provider}", get_or_head().to(scim::guide));
    config.service(pages);
}
