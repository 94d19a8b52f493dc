//! `/log`: the service log, for everybody (C2SP `tlog-tiles`). Witnesses and monitors need no token.

mod files;

use actix_web::middleware::Compress;
use actix_web::web::{self, ServiceConfig};
use rollcall_api_core::http::no_endpoint;
use rollcall_api_core::openapi::{Endpoints, endpoint};

/// The tag of these endpoints at `/openapi.json`.
const TAG: &str = "Service log";

/// The endpoints.
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::below("/log")
        .with(endpoint!(files::service_checkpoint))
        .with(endpoint!(files::service_bundle))
        .with(endpoint!(files::service_tile))
}

/// The routes. They need no authentication.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(endpoints().scope().wrap(Compress::default()).default_service(web::to(no_endpoint)));
}
