//! The organization's entries in the service log, for its auditors.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path};
use rollcall_api_core::audit::{count, parameter};
use rollcall_api_core::auth::Auditor;
use rollcall_api_core::error::{ApiError, ApiResult};
use rollcall_api_core::http::Parameters;
use rollcall_api_core::openapi::Errors;
use rollcall_api_core::read::{
    self, Database, EnteredCheckpoint, entered_checkpoint, entered_checkpoints, log_secret, service_proof,
};
use rollcall_events::OrganizationId;
use rollcall_events::log::Hash;
use rollcall_events::log::tlog_proof::TlogProof;
use rollcall_scim::ScimError;
use serde::Serialize;

use super::{TAG, json};

/// The secret of a log.
#[derive(Serialize)]
struct RevealedSecret {
    organization_id: OrganizationId,
    secret: String,
    secret_hash: Hash,
}

/// An entry in the service log.
#[derive(Serialize)]
struct Entered {
    index: u64,
    origin: String,
    root: Hash,
    size: u64,
}

/// A page of entries.
#[derive(Serialize)]
struct EnteredPage {
    entries: Vec<Entered>,
    /// The `from` of the next page. Missing if there are no more entries.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// Reads the secret with which all entries of this log can be found in the service log.
///
/// Keep it from others: with it they see when the log grew, and can test a guess of its checkpoints.
#[utoipa::path(
    get,
    path = "/log-secret",
    tag = TAG,
    operation_id = "logSecret",
    responses(Errors, (status = 200, description = "The secret.", body = Object, content_type = "application/json"))
)]
pub(super) async fn secret(auditor: Auditor, database: Data<Database>) -> ApiResult {
    let secret = log_secret(&database, auditor.organization_id).await?.ok_or_else(not_entered)?;
    let mut answer = json(&RevealedSecret {
        organization_id: auditor.organization_id,
        secret: secret.reveal(),
        secret_hash: secret.hash(),
    })?;
    answer.headers_mut().insert(CACHE_CONTROL, actix_web::http::header::HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// Lists the checkpoints of this log that are in the service log.
#[utoipa::path(
    get,
    path = "/service-entries",
    tag = TAG,
    operation_id = "serviceEntriesOfLog",
    params(
        ("from" = Option<i64>, Query, description = "The first index; 0 by default"),
        ("count" = Option<i64>, Query, description = "Maximum number of entries"),
    ),
    responses(
        Errors, (status = 200, description = "A page of entries.", body = Object, content_type = "application/json")
    )
)]
pub(super) async fn entries(auditor: Auditor, parameters: Parameters, database: Data<Database>) -> ApiResult {
    let from = parameter(&parameters, "from", "an index")?.unwrap_or_default();
    let count = count(&parameters)?;
    let found = entered_checkpoints(&database, auditor.organization_id, from, count).await?;
    let is_full = u32::try_from(found.len()).is_ok_and(|found| found == count);
    let next = found.last().filter(|_| is_full).map(|last| last.index + 1);
    let entry = |EnteredCheckpoint { index, checkpoint }| Entered {
        index,
        origin: checkpoint.origin,
        root: checkpoint.root,
        size: checkpoint.size,
    };
    json(&EnteredPage { entries: found.into_iter().map(entry).collect(), next })
}

/// Proves that a checkpoint of this log is in the service log that witnesses cosign.
///
/// The answer is a C2SP `tlog-proof` file. It opens one entry of the service log, and says nothing about others.
#[utoipa::path(
    get,
    path = "/checkpoints/{size}/witnessed",
    tag = TAG,
    operation_id = "witnessedCheckpoint",
    params((
        "size" = String, Path,
        description = "The size of a checkpoint, or newest for the largest one that is witnessed"
    )),
    responses(Errors, (status = 200, description = "The proof file.", body = String, content_type = "text/plain"))
)]
pub(super) async fn witnessed(auditor: Auditor, size: Path<String>, database: Data<Database>) -> ApiResult {
    let organization = auditor.organization_id;
    let size = match size.as_str() {
        "newest" => read::witnessed_size(&database, organization).await?.ok_or_else(not_witnessed)?,
        number => number.parse().map_err(|_| not_entered())?,
    };
    let (entered, secret) = entered_checkpoint(&database, organization, size).await?.ok_or_else(not_entered)?;
    let (hashes, checkpoint) = service_proof(&database, organization, entered.index).await?.ok_or_else(not_entered)?;
    let opening = secret.open(entered.index, &entered.checkpoint);
    let extra = serde_json::to_vec(&opening)
        .map_err(|error| ApiError::Internal(format!("an opening cannot be written: {error}")))?;
    let file = TlogProof { extra: Some(extra), index: entered.index, hashes, checkpoint };
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(file.to_string()))
}

fn not_witnessed() -> ApiError {
    let detail =
        "no checkpoint of this log is witnessed yet; checkpoints/{size}/witnessed proves one that is only entered";
    ScimError::new(404, detail).into()
}

fn not_entered() -> ApiError {
    ScimError::new(404, "the service log has no such checkpoint of this log").into()
}
