//! The auditors' endpoints: log entries, past states, the export, and proofs.

mod entries;
mod export;
mod filter;
mod parameters;
mod proofs;
mod query;
mod tail;
mod users;
mod watch;

pub(crate) use export::exported;
pub(crate) use proofs::{Inclusion, included};
pub(crate) use query::{by_now, conditions, parameter};
pub(crate) use users::{Change, difference, user_at, users_at};
pub(crate) use watch::{Watch, server_sent};

use actix_web::HttpResponse;
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{self, ServiceConfig};
use serde::Serialize;

use crate::auth::audit_gate;
use crate::error::{ApiError, ApiResult};
use crate::openapi::{Endpoints, endpoint};
use crate::scim::no_endpoint;

/// The path of every audit endpoint, below the public address.
pub(crate) const BASE_PATH: &str = "/audit/v1";

/// The tag of these endpoints at `/openapi.json`.
const TAG: &str = "Audit";

/// The endpoints.
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::below(BASE_PATH)
        .add(endpoint!(entries::list))
        .add(endpoint!(entries::read))
        .add(endpoint!(export::export))
        .add(endpoint!(tail::tail))
        .add(endpoint!(users::list))
        .add(endpoint!(users::read))
        .add(endpoint!(users::history))
        .add(endpoint!(proofs::checkpoint))
        .add(endpoint!(proofs::inclusion))
        .add(endpoint!(proofs::consistency))
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
