//! The list of the SCIM endpoints, and their registration.

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use super::{BASE_PATH, as_accepted, bulk, catalog, discovery, events, groups, me, no_endpoint, search, users};
use crate::auth::gate;
use crate::call_log::observe;
use crate::openapi::{Endpoints, endpoint};

/// The endpoints. A path without parameters comes before one that also matches it.
pub(crate) fn endpoints() -> Endpoints {
    let endpoints = Endpoints::below(BASE_PATH)
        .add(endpoint!(search::search_everything))
        .add(endpoint!(search::search_users))
        .add(endpoint!(search::search_groups))
        .add(endpoint!(search::everything))
        .add(endpoint!(search::users))
        .add(endpoint!(users::create))
        .add(endpoint!(users::read))
        .add(endpoint!(users::replace))
        .add(endpoint!(users::patch))
        .add(endpoint!(users::delete))
        .add(endpoint!(search::groups))
        .add(endpoint!(groups::create))
        .add(endpoint!(groups::read))
        .add(endpoint!(groups::replace))
        .add(endpoint!(groups::patch))
        .add(endpoint!(groups::delete))
        .add(endpoint!(discovery::service_provider_config))
        .add(endpoint!(discovery::resource_types))
        .add(endpoint!(discovery::resource_type))
        .add(endpoint!(discovery::schemas))
        .add(endpoint!(discovery::schema));
    catalog::add_to(endpoints).add(endpoint!(events::read)).add(endpoint!(bulk::bulk)).add(endpoint!(me::me))
}

/// The routes, behind authentication and the call log.
pub(crate) fn routes(config: &mut ServiceConfig) {
    let scope = endpoints()
        .scope()
        .wrap(from_fn(gate))
        .wrap(from_fn(as_accepted))
        .wrap(from_fn(observe))
        .default_service(web::to(no_endpoint));
    config.service(scope);
}

/// The endpoint of the public keys.
pub(crate) fn key_endpoints() -> Endpoints {
    Endpoints::below("").add(endpoint!(events::jwks))
}

/// The route of the public keys. It needs no authentication.
pub(crate) fn key_routes(config: &mut ServiceConfig) {
    key_endpoints().register(config);
}
