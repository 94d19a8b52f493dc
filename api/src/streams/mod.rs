//! The receivers' endpoint: event streams with poll delivery (RFC 8936).

mod poll;
mod poll_parameters;
mod schemas;

use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use rollcall_api_core::auth::stream_gate;
use rollcall_api_core::http::{Base, no_endpoint};
use rollcall_api_core::openapi::{Endpoints, endpoint};
use rollcall_api_core::read::{Database, Followers};
use rollcall_api_core::submit::RequestClient;
use rollcall_events::set::SetKeys;
use std::time::Duration;

/// The path of every stream, below the public address.
pub(crate) const BASE_PATH: &str = "/streams/v1";

/// The state for serving receivers.
pub(crate) struct Polling {
    pub(crate) database: Data<Database>,
    pub(crate) requests: Data<RequestClient>,
    pub(crate) base: Data<Base>,
    pub(crate) keys: Data<SetKeys>,
    pub(crate) followers: Data<Followers>,
    /// How long a poll waits for events.
    pub(crate) longest: Duration,
}

/// The endpoints.
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::below(BASE_PATH).with(endpoint!(poll::poll))
}

/// The routes.
pub(crate) fn routes(config: &mut ServiceConfig) {
    let scope = endpoints().scope().wrap(from_fn(stream_gate)).default_service(web::to(no_endpoint));
    config.service(scope);
}
