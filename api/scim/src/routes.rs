//! The list of the SCIM endpoints, and their registration.

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use rollcall_api_core::auth::gate;
use rollcall_api_core::call_log::record_call;
use rollcall_api_core::http::{BASE_PATH, no_endpoint};
use rollcall_api_core::openapi::{Endpoints, endpoint};

use super::{as_accepted, bulk, catalog, discovery, events, groups, me, search, users};

/// The endpoints. A path without parameters comes before one that also matches it.
pub fn endpoints() -> Endpoints {
    let endpoints = Endpoints::below(BASE_PATH)
        .with(endpoint!(search::search_everything))
        .with(endpoint!(search::search_users))
        .with(endpoint!(search::search_groups))
        .with(endpoint!(search::everything))
        .with(endpoint!(search::users))
        .with(endpoint!(users::create))
        .with(endpoint!(users::read))
        .with(endpoint!(users::replace))
        .with(endpoint!(users::patch))
        .with(endpoint!(users::delete))
        .with(endpoint!(search::groups))
        .with(endpoint!(groups::create))
        .with(endpoint!(groups::read))
        .with(endpoint!(groups::replace))
        .with(endpoint!(groups::patch))
        .with(endpoint!(groups::delete))
        .with(endpoint!(discovery::service_provider_config))
        .with(endpoint!(discovery::resource_types))
        .with(endpoint!(discovery::resource_type))
        .with(endpoint!(discovery::schemas))
        .with(endpoint!(discovery::schema));
    catalog::add_to(endpoints).with(endpoint!(events::read)).with(endpoint!(bulk::bulk)).with(endpoint!(me::me))
}

/// The routes, behind authentication and the call log.
pub fn routes(config: &mut ServiceConfig) {
    let scope = endpoints()
        .scope()
        .wrap(from_fn(gate))
        .wrap(from_fn(as_accepted))
        .wrap(from_fn(record_call))
        .default_service(web::to(no_endpoint));
    config.service(scope);
}

/// The endpoint of the public keys.
pub fn key_endpoints() -> Endpoints {
    Endpoints::below("").with(endpoint!(events::jwks))
}

/// The route of the public keys. It needs no authentication.
pub fn key_routes(config: &mut ServiceConfig) {
    key_endpoints().register(config);
}
