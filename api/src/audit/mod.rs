//! The auditors' endpoints: log entries, past states, the export, and proofs.

mod entries;
mod export;
mod filter;
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

use actix_web::middleware::Compress;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Resource};
use serde::Serialize;

use crate::auth::audit_gate;
use crate::error::{ApiError, ApiResult};
use crate::scim::no_endpoint;

/// The path of every audit endpoint, below the public address.
pub(crate) const BASE_PATH: &str = "/audit/v1";

/// The routes. Answers are compressed if the caller accepts that.
pub(crate) fn routes(config: &mut ServiceConfig) {
    let scope = web::scope(BASE_PATH)
        .wrap(from_fn(audit_gate))
        .wrap(Compress::default())
        .service(resource("/events").get(entries::list))
        .service(resource("/events/{seq}").get(entries::read))
        .service(resource("/export").get(export::export))
        .service(resource("/tail").get(tail::tail))
        .service(resource("/users").get(users::list))
        .service(resource("/users/{id}").get(users::read))
        .service(resource("/users/{id}/history").get(users::history))
        .service(resource("/checkpoint").get(proofs::checkpoint))
        .service(resource("/proof/inclusion").get(proofs::inclusion))
        .service(resource("/proof/consistency").get(proofs::consistency))
        .default_service(web::to(no_endpoint));
    config.service(scope);
}

/// A path that allows only reading.
fn resource(path: &str) -> Resource {
    web::resource(path).default_service(web::to(|| async { Err::<HttpResponse, _>(ApiError::MethodNotAllowed { allowed: "GET, HEAD" }) }))
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
