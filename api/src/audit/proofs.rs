//! `/audit/v1/checkpoint` and `/audit/v1/proof`: an auditor checks the log with these, without trusting the
//! service.

use actix_web::HttpResponse;
use actix_web::web::Data;
use rollcall_api_core::audit::{answers, included, parameter, within};
use rollcall_api_core::auth::Auditor;
use rollcall_api_core::error::ApiResult;
use rollcall_api_core::http::Parameters;
use rollcall_api_core::openapi::Errors;
use rollcall_api_core::read::{self, Database};
use rollcall_events::log::Hash;
use rollcall_events::log::proof::Question;
use rollcall_scim::ScimError;
use serde::Serialize;

use super::{TAG, json};

/// A proof that the log was only appended to.
#[derive(Serialize)]
struct Consistency {
    from: u64,
    to: u64,
    hashes: Vec<Hash>,
}

/// Reads a signed checkpoint.
#[utoipa::path(
    get,
    path = "/checkpoint",
    tag = TAG,
    operation_id = "checkpoint",
    params((
        "size" = Option<i64>, Query, description = "The size of the log; that of the newest checkpoint by default"
    )),
    responses(Errors, (status = 200, description = "The checkpoint.", body = String, content_type = "text/plain"))
)]
pub(super) async fn checkpoint(auditor: Auditor, parameters: Parameters, database: Data<Database>) -> ApiResult {
    let size = parameter(&parameters, "size", "a number of entries")?;
    let found = read::checkpoint(&database, auditor.organization_id, size).await?;
    let (_, note) = found.ok_or_else(|| ScimError::new(404, "there is no such checkpoint"))?;
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(note))
}

/// Proves that the log has an entry.
#[utoipa::path(
    get,
    path = "/proof/inclusion",
    tag = TAG,
    operation_id = "inclusionProof",
    params(
        ("seq" = i64, Query, description = "The seq of the entry: its position in the log, from 1"),
        (
            "size" = Option<i64>, Query,
            description = "The size of the log; that of the newest checkpoint with the entry by default"
        ),
    ),
    responses(Errors, (status = 200, description = "The proof.", body = Object, content_type = "application/json"))
)]
pub(super) async fn inclusion(auditor: Auditor, parameters: Parameters, database: Data<Database>) -> ApiResult {
    let seq: u64 = parameter(&parameters, "seq", "a seq")?.ok_or_else(|| ScimError::invalid_value("seq is missing"))?;
    let size = parameter(&parameters, "size", "a number of entries")?;
    json(&included(&database, auditor.organization_id, seq, size).await?)
}

/// Proves that a log begins with an earlier one.
#[utoipa::path(
    get,
    path = "/proof/consistency",
    tag = TAG,
    operation_id = "consistencyProof",
    params(
        ("from" = i64, Query, description = "The earlier size"),
        ("to" = i64, Query, description = "The later size"),
    ),
    responses(Errors, (status = 200, description = "The proof.", body = Object, content_type = "application/json"))
)]
pub(super) async fn consistency(auditor: Auditor, parameters: Parameters, database: Data<Database>) -> ApiResult {
    let organization = auditor.organization_id;
    let size = |name: &str| {
        parameter(&parameters, name, "a number of entries")?
            .ok_or_else(|| ScimError::invalid_value(format!("{name} is missing")))
    };
    let (from, to) = (size("from")?, within(&database, organization, size("to")?).await?);
    let [hashes] = answers(&database, organization, [Question::Consistency { earlier: from, size: to }]).await?;
    json(&Consistency { from, to, hashes })
}
