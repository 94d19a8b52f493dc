//! `/audit/v1/tail`: the log as it grows, as Server-Sent Events.

use actix_web::HttpRequest;
use actix_web::web::Data;
use futures_util::stream;
use rollcall_api_core::audit::{Selection, Watch, parameter, server_sent};
use rollcall_api_core::auth::Auditor;
use rollcall_api_core::error::{ApiError, ApiResult};
use rollcall_api_core::http::Parameters;
use rollcall_api_core::openapi::Errors;
use rollcall_api_core::read::{Database, Followers, log_size};
use rollcall_scim::ScimError;
use rollcall_service::entries::StoredRow;
use std::fmt::Write as _;

use super::TAG;
use super::parameters::Conditions;

/// The header with the id of the last event that a client received. Browsers send it when they reconnect.
const LAST_EVENT_ID: &str = "last-event-id";
/// The number of entries that are sent at once.
const CHUNK: u32 = 500;

/// Follows the log as it grows, as Server-Sent Events.
///
/// It begins after `Last-Event-ID` or `after`, or else with the next new entry. Conditions select some of the
/// entries.
#[utoipa::path(
    get,
    path = "/tail",
    tag = TAG,
    operation_id = "auditTail",
    params(
        ("after" = Option<i64>, Query, description = "The seq after which to begin; the current size by default"),
        Conditions,
    ),
    responses(
        Errors,
        (status = 200, description = "The entries as events.", body = String, content_type = "text/event-stream")
    )
)]
pub(super) async fn tail(
    auditor: Auditor,
    http: HttpRequest,
    parameters: Parameters,
    database: Data<Database>,
    followers: Data<Followers>,
) -> ApiResult {
    // Follow first, then read the size. Otherwise an entry in between would be missed.
    let following = followers
        .follow(auditor.organization_id)
        .ok_or(ApiError::Unavailable("too many connections follow the logs"))?;
    let seen = http.headers().get(LAST_EVENT_ID).map(|value| value.to_str().ok().and_then(|id| id.parse().ok()));
    let seen = seen
        .map(|id: Option<u64>| id.ok_or_else(|| ScimError::invalid_value("Last-Event-ID is not a seq")))
        .transpose()?;
    let after = match seen.or(parameter(&parameters, "after", "a seq")?) {
        Some(after) => after,
        None => log_size(&database, auditor.organization_id).await?,
    };
    let selection = Selection::read(&database, auditor.organization_id, &parameters).await?;
    let watch = Watch { database, organization: auditor.organization_id, selection, following, after, most: CHUNK };
    Ok(server_sent(stream::try_unfold(watch, move |mut watch| async move {
        let database = watch.database.clone();
        let next = watch.next(async || auditor.is_still_valid(&database).await, events).await?;
        Ok(next.map(|bytes| (bytes, watch)))
    })))
}

/// Writes each row as an event with its seq as the id. A row that is no entry is shown as it is stored.
fn events(rows: &[StoredRow]) -> Result<String, ApiError> {
    let mut text = String::with_capacity(rows.len() * 2048);
    for row in rows {
        let data = serde_json::to_string(row)
            .map_err(|error| ApiError::Internal(format!("an entry cannot be written: {error}")))?;
        let name = row.entry().map_or("Unreadable", |entry| entry.header.event_type.as_str());
        // Writing to a string cannot fail.
        let _ = write!(text, "id: {}\nevent: {name}\ndata: {data}\n\n", row.seq());
    }
    Ok(text)
}
