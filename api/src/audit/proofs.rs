//! `/audit/v1/checkpoint` and `/audit/v1/proof`: an auditor checks the log with these, without trusting the
//! service.

use actix_web::HttpResponse;
use actix_web::web::Data;
use rollcall_events::OrganizationId;
use rollcall_events::log::Hash;
use rollcall_events::log::proof::{self, InvalidProof};
use rollcall_scim::ScimError;
use serde::Serialize;
use std::ops::Range;

use super::query::parameter;
use super::{TAG, json};
use crate::auth::Auditor;
use crate::error::{ApiError, ApiResult};
use crate::openapi::Errors;
use crate::read::{self, Database, log_size, roots};
use crate::scim::Parameters;

/// A proof that the log has an entry.
#[derive(Serialize)]
pub(crate) struct Inclusion {
    seq: u64,
    size: u64,
    root: Hash,
    hashes: Vec<Hash>,
    /// The signed note for this size and root.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
}

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
        ("seq" = i64, Query, description = "The place of the entry in the log"),
        (
            "size" = Option<i64>, Query,
            description = "The size of the log; that of the newest checkpoint with the entry by default"
        ),
    ),
    responses(Errors, (status = 200, description = "The proof.", body = Object, content_type = "application/json"))
)]
pub(super) async fn inclusion(auditor: Auditor, parameters: Parameters, database: Data<Database>) -> ApiResult {
    let seq: u64 = parameter(&parameters, "seq", "a place in the log")?
        .ok_or_else(|| ScimError::invalid_value("seq is missing"))?;
    let size = parameter(&parameters, "size", "a number of entries")?;
    json(&included(&database, auditor.organization_id, seq, size).await?)
}

/// The proof that an organization's log of `size` has an entry. Without `size`, for the newest checkpoint
/// that has the entry, or else for the current log.
pub(crate) async fn included(
    database: &Database,
    organization: OrganizationId,
    seq: u64,
    size: Option<u64>,
) -> Result<Inclusion, ApiError> {
    let signed = read::checkpoint(database, organization, size).await?.filter(|(size, _)| *size >= seq);
    let size = match (size, &signed) {
        (Some(size), _) => within(database, organization, size).await?,
        (None, Some((size, _))) => *size,
        (None, None) => log_size(database, organization).await?,
    };
    let mut ranges: Vec<Range<u64>> = proof::inclusion(seq, size).map_err(|error| out_of_range(&error))?;
    ranges.push(0..size);
    let mut hashes = roots(database, organization, &ranges).await?;
    let root = hashes.pop().ok_or_else(|| ApiError::Internal("a proof without a root".to_owned()))?;
    Ok(Inclusion {
        seq,
        size,
        root,
        hashes,
        checkpoint: signed.filter(|signed| signed.0 == size).map(|signed| signed.1),
    })
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
    let ranges = proof::consistency(from, to).map_err(|error| out_of_range(&error))?;
    json(&Consistency { from, to, hashes: roots(&database, organization, &ranges).await? })
}

/// Checks that the log has reached a size.
async fn within(database: &Database, organization: OrganizationId, size: u64) -> Result<u64, ApiError> {
    let reached = log_size(database, organization).await?;
    if size <= reached {
        Ok(size)
    } else {
        Err(ScimError::invalid_value(format!("the log has {reached} entries, not {size}")).into())
    }
}

fn out_of_range(error: &InvalidProof) -> ScimError {
    ScimError::invalid_value(error.to_string())
}
