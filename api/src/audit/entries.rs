//! `/audit/v1/events`: the entries of the log. A row that is no entry is shown as it is stored.

use actix_web::web::{Data, Path};
use rollcall_api_core::audit::{MAX_COUNT, Selection, count, parameter, payload_size};
use rollcall_api_core::auth::Auditor;
use rollcall_api_core::error::{ApiError, ApiResult};
use rollcall_api_core::http::Parameters;
use rollcall_api_core::offload;
use rollcall_api_core::openapi::Errors;
use rollcall_api_core::read::{Database, LogPage, Order, log_row, log_rows};
use rollcall_events::OrganizationId;
use rollcall_scim::ScimError;
use rollcall_service::entries::StoredRow;
use serde::Serialize;

use super::parameters::{Conditions, PageParameters};
use super::{TAG, json, with_body, written};

/// Maximum number of entries that a filter examines for one page. A page that ends at this limit is short,
/// and its cursor continues the search.
const MAX_LOOKED_AT: usize = 20_000;
/// Maximum work of a filter for one page: its terms times the entries that it examines.
const MAX_STEPS: usize = 60_000;
/// Maximum number of bytes that a filter examines for one page, as a multiple of the page size.
const MAX_BYTES_OF_PAGES: usize = 4;

/// A page of the log.
#[derive(Serialize)]
struct Page {
    entries: Vec<StoredRow>,
    /// The cursor of the next page. Missing if there are no more entries.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Lists entries of the log.
#[utoipa::path(
    get,
    path = "/events",
    tag = TAG,
    operation_id = "auditEvents",
    params(
        Conditions,
        ("order" = Option<String>, Query, description = "newest or oldest first"),
        PageParameters,
    ),
    responses(
        Errors, (status = 200, description = "A page of entries.", body = Object, content_type = "application/json")
    )
)]
pub(super) async fn list(auditor: Auditor, parameters: Parameters, database: Data<Database>) -> ApiResult {
    let (order, count) = (order(&parameters)?, count(&parameters)?);
    let organization = auditor.organization_id;
    let selection = Selection::read(&database, organization, &parameters).await?;
    let selection = selection.by_now(&database, organization).await?;
    let page = match selection.filter_terms() {
        None => page(log_rows(&database, organization, &selection.conditions, order, count).await?),
        Some(terms) => filtered(&database, organization, &selection, terms, order, count).await?,
    };
    answer(page).await
}

/// A page with all entries that were found.
fn page(found: LogPage<StoredRow>) -> Page {
    let next = found.entries.last().filter(|_| found.goes_on).map(|row| row.seq().to_string());
    Page { entries: found.entries, next }
}

/// Writes a page as an answer.
async fn answer(page: Page) -> ApiResult {
    let bytes = page.entries.iter().map(row_size).sum();
    Ok(with_body(offload(bytes, move || written(&page)).await??))
}

/// The work that a filter may still do for a page.
struct FilterBudget {
    entries: usize,
    bytes: usize,
}

impl FilterBudget {
    /// The full budget for a filter with this number of terms.
    fn new(terms: usize, page_bytes: usize) -> Self {
        Self {
            entries: (MAX_STEPS / terms.max(1)).clamp(1, MAX_LOOKED_AT),
            bytes: page_bytes.saturating_mul(MAX_BYTES_OF_PAGES),
        }
    }

    /// How many entries to examine next; 0 if the budget is used up.
    fn next(&self) -> u32 {
        let most = u32::try_from(self.entries).unwrap_or(MAX_COUNT).min(MAX_COUNT);
        if self.bytes == 0 { 0 } else { most }
    }

    fn spend(&mut self, found: &[StoredRow]) {
        self.entries = self.entries.saturating_sub(found.len());
        self.bytes = self.bytes.saturating_sub(found.iter().map(row_size).sum());
    }
}

/// A page of the entries that match the conditions and the filter.
async fn filtered(
    database: &Database,
    organization: OrganizationId,
    selection: &Selection,
    terms: usize,
    mut order: Order,
    count: u32,
) -> Result<Page, ApiError> {
    let (mut work, mut left) = (FilterBudget::new(terms, database.page_bytes()), database.page_bytes());
    let mut entries: Vec<StoredRow> = Vec::new();
    while work.next() > 0 {
        let found = log_rows(database, organization, &selection.conditions, order, work.next()).await?;
        let Some(last) = found.entries.last().map(StoredRow::seq) else {
            return Ok(Page { entries, next: None });
        };
        work.spend(&found.entries);
        for entry in selection.matching(found.entries).await? {
            left = left.saturating_sub(row_size(&entry));
            entries.push(entry);
            if left == 0 || is_full(&entries, count) {
                let next = last_seq(&entries);
                return Ok(Page { entries, next });
            }
        }
        if !found.goes_on {
            return Ok(Page { entries, next: None });
        }
        order = order.from(last);
    }
    Ok(Page { entries, next: Some(order.seq().to_string()) })
}

/// The length of the payload, if the row is an entry.
fn row_size(row: &StoredRow) -> usize {
    row.entry().map_or(0, payload_size)
}

/// Whether there may be more entries.
fn is_full(entries: &[StoredRow], count: u32) -> bool {
    entries.len() >= usize::try_from(count).unwrap_or(usize::MAX)
}

/// The cursor of the page after these entries.
fn last_seq(entries: &[StoredRow]) -> Option<String> {
    entries.last().map(|row| row.seq().to_string())
}

/// Reads an entry of the log.
#[utoipa::path(
    get,
    path = "/events/{seq}",
    tag = TAG,
    operation_id = "auditEvent",
    params(("seq" = u64, Path, minimum = 1, description = "The seq of the entry: its position in the log, from 1")),
    responses(Errors, (status = 200, description = "The entry.", body = Object, content_type = "application/json"))
)]
pub(super) async fn read(auditor: Auditor, seq: Path<String>, database: Data<Database>) -> ApiResult {
    let missing = || ApiError::from(ScimError::new(404, "the log has no such entry"));
    let seq: u64 = seq.parse().map_err(|_| missing())?;
    json(&log_row(&database, auditor.organization_id, seq).await?.ok_or_else(missing)?)
}

fn order(parameters: &Parameters) -> Result<Order, ScimError> {
    let cursor: Option<u64> = parameter(parameters, "cursor", "a cursor that this service gave")?;
    match parameters.get("order") {
        None | Some("newest") => Ok(Order::NewestFirst { before: cursor }),
        Some("oldest") => Ok(Order::OldestFirst { after: cursor.unwrap_or_default() }),
        Some(_) => Err(ScimError::invalid_value("order must be newest or oldest")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_with_more_terms_looks_at_fewer_entries() {
        let entries = |terms| FilterBudget::new(terms, 1).entries;
        assert_eq!((entries(1), entries(12), entries(1_000_000)), (MAX_LOOKED_AT, MAX_STEPS / 12, 1));
        let mut work = FilterBudget::new(1, 1);
        assert_eq!(work.next(), MAX_COUNT);
        work.bytes = 0;
        assert_eq!(work.next(), 0);
    }
}
