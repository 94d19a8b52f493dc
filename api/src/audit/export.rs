//! `/audit/v1/export`: exports the log.

use actix_web::HttpRequest;
use actix_web::web::Data;
use rollcall_api_core::audit::exported;
use rollcall_api_core::auth::Auditor;
use rollcall_api_core::error::ApiResult;
use rollcall_api_core::http::Parameters;
use rollcall_api_core::openapi::Errors;
use rollcall_api_core::read::Database;

use super::TAG;
use super::parameters::Conditions;

/// Exports the log.
///
/// The export has the entries from `from` to `to`, both included, that meet all conditions. If it breaks off,
/// resume with `from=<last seq + 1>`. With a condition, the first line of NDJSON is no entry: it says
/// `filtered_export`, and such an export cannot be verified as a whole log. A CSV has the names of the columns in
/// the first row.
#[utoipa::path(
    get,
    path = "/export",
    tag = TAG,
    operation_id = "auditExport",
    params(
        ("from" = Option<i64>, Query, description = "The seq of the first entry; 1 by default"),
        ("to" = Option<i64>, Query, description = "The seq of the last entry; the last of the log by default"),
        ("format" = Option<String>, Query, description = "ndjson or csv; as Accept says by default"),
        Conditions,
    ),
    responses(
        Errors,
        (status = 200, description = "The entries.", content((String = "application/x-ndjson"), (String = "text/csv"))),
    )
)]
pub(super) async fn export(
    auditor: Auditor,
    http: HttpRequest,
    parameters: Parameters,
    database: Data<Database>,
) -> ApiResult {
    exported(auditor.organization_id, &http, &parameters, database).await
}
