//! The auditors' endpoints: log entries, past states, the export, proofs, and tiles.

mod entries;
mod export;
mod parameters;
mod proofs;
mod service_log;
mod tail;
mod tiles;
mod users;

use actix_web::HttpResponse;
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{self, ServiceConfig};
use rollcall_api_core::audit::BASE_PATH;
use rollcall_api_core::auth::audit_gate;
use rollcall_api_core::error::{ApiError, ApiResult};
use rollcall_api_core::http::no_endpoint;
use rollcall_api_core::openapi::{Endpoints, endpoint};
use serde::Serialize;

/// The tag of these endpoints at `/openapi.json`.
const TAG: &str = "Audit";

/// The endpoints.
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::below(BASE_PATH)
        .strict()
        .with(endpoint!(entries::list))
        .with(endpoint!(entries::read))
        .with(endpoint!(export::export))
        .with(endpoint!(tail::tail))
        .with(endpoint!(users::list))
        .with(endpoint!(users::read))
        .with(endpoint!(users::history))
        .with(endpoint!(proofs::checkpoint))
        .with(endpoint!(proofs::consistency))
        .with(endpoint!(proofs::entry))
        .with(endpoint!(proofs::user))
        .with(endpoint!(tiles::entries))
        .with(endpoint!(tiles::hashes))
        .with(endpoint!(service_log::secret))
        .with(endpoint!(service_log::entries))
        .with(endpoint!(service_log::witnessed))
}

/// The routes. Answers are compressed if the caller accepts that.
pub(crate) fn routes(config: &mut ServiceConfig) {
    let scope =
        endpoints().scope().wrap(from_fn(audit_gate)).wrap(Compress::default()).default_service(web::to(no_endpoint));
    config.service(scope);
}

/// An answer in JSON.
fn json(answer: &impl Serialize) -> ApiResult {
    Ok(with_body(written(answer)?))
}

/// An answer in JSON as text, which can be written on any thread.
fn written(answer: &impl Serialize) -> Result<String, ApiError> {
    serde_json::to_string(answer).map_err(|error| ApiError::Internal(format!("an answer cannot be written: {error}")))
}

/// An answer with a JSON text.
fn with_body(json: String) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(json)
}
