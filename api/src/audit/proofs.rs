//! Checkpoints and proofs: an auditor checks the log with these, without trusting the service.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path};
use rollcall_api_core::audit::{answers, disclosed, entry_proof, parameter, proof_file, user_proof, within};
use rollcall_api_core::auth::Auditor;
use rollcall_api_core::error::ApiResult;
use rollcall_api_core::http::Parameters;
use rollcall_api_core::openapi::Errors;
use rollcall_api_core::read::{self, Database};
use rollcall_events::log::Hash;
use rollcall_events::log::evidence::Disclosed;
use rollcall_events::log::proof::Question;
use rollcall_scim::ScimError;
use serde::Serialize;

use super::users::{TIME, user_id};
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
    method(get, head),
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
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(note))
}

/// Proves that the log has an entry, in one file (C2SP `tlog-proof`).
///
/// The file contains the header of the entry. `disclose` adds what the header only commits to.
#[utoipa::path(
    get,
    path = "/events/{seq}/proof",
    tag = TAG,
    operation_id = "entryProof",
    params(
        ("seq" = u64, Path, minimum = 1, description = "The seq of the entry"),
        (
            "size" = Option<i64>, Query,
            description = "The size of the checkpoint to use; the newest checkpoint by default"
        ),
        ("disclose" = Option<String>, Query, description = "none (default), payload, actor, or payload,actor"),
    ),
    responses(Errors, (status = 200, description = "The proof file.", body = String, content_type = "text/plain"))
)]
pub(super) async fn entry(
    auditor: Auditor,
    seq: Path<String>,
    parameters: Parameters,
    database: Data<Database>,
) -> ApiResult {
    let missing = || ScimError::new(404, "the log has no such entry");
    let seq: u64 = seq.parse().map_err(|_| missing())?;
    let size = parameter(&parameters, "size", "a number of entries")?;
    let disclosed = disclosed(&parameters, Disclosed::default())?;
    let text = entry_proof(&database, auditor.organization_id, seq, size, disclosed).await?;
    Ok(proof_file(&format!("{}-{seq}", auditor.organization_id), text))
}

/// Proves the state of a user at a time, in one file (C2SP `tlog-proof`).
///
/// The file proves the entry that last changed the user at or before the time, and that the log went on after
/// it. `between` adds the headers of all entries in between, which prove that none of them changed the user.
#[utoipa::path(
    get,
    path = "/users/{id}/proof",
    tag = TAG,
    operation_id = "userProof",
    params(
        ("id" = String, Path),
        ("at" = String, Query, description = "The time, such as 2026-01-31T00:00:00Z"),
        ("between" = Option<bool>, Query, description = "true adds the headers up to the time, at most 1000"),
        ("disclose" = Option<String>, Query, description = "none, payload (default), actor, or payload,actor"),
    ),
    responses(Errors, (status = 200, description = "The proof file.", body = String, content_type = "text/plain"))
)]
pub(super) async fn user(
    auditor: Auditor,
    id: Path<String>,
    parameters: Parameters,
    database: Data<Database>,
) -> ApiResult {
    let user = user_id(&id)?;
    let at = parameter(&parameters, "at", TIME)?.ok_or_else(|| ScimError::invalid_value("at is missing"))?;
    let with_between = parameter(&parameters, "between", "true or false")?.unwrap_or(false);
    let disclosed = disclosed(&parameters, Disclosed { payload: true, actor: false })?;
    let text = user_proof(&database, auditor.organization_id, user, at, with_between, disclosed).await?;
    Ok(proof_file(&user.to_string(), text))
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
