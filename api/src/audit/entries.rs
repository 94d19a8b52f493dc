//! `/audit/v1/events`: the entries of the log.

use actix_web::web::{Data, Path};
use rollcall_events::OrganizationId;
use rollcall_events::log::SubjectType;
use rollcall_scim::ScimError;
use rollcall_scim::filter::{self, Filter, Scope, matches};
use rollcall_scim::schema::{GROUP, USER};
use rollcall_service::entries::StoredEntry;
use serde::Serialize;
use serde_json::Value;

use super::json;
use super::query::{MAX_COUNT, by_now, conditions, count, parameter};
use crate::auth::Auditor;
use crate::error::{ApiError, ApiResult};
use crate::read::{Condition, Database, Order, log_entries};
use crate::scim::Parameters;

/// How many entries a filter may look at for one page: a page that ends there is short, and its cursor goes on.
const MAX_LOOKED_AT: u32 = 20_000;

/// A page of the log.
#[derive(Serialize)]
struct Page {
    entries: Vec<StoredEntry>,
    /// Where the next page begins; missing where there is nothing more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /events`.
pub(super) async fn list(auditor: Auditor, parameters: Parameters, database: Data<Database>) -> ApiResult {
    let (order, count) = (order(&parameters)?, count(&parameters)?);
    let filter = parameters.get("filter").map(filter::parse).transpose()?;
    let conditions = conditions(&database, auditor.organization_id, &parameters).await?;
    let conditions = by_now(&database, auditor.organization_id, conditions).await?;
    let page = match filter {
        None => {
            let entries = log_entries(&database, auditor.organization_id, &conditions, order, count).await?;
            let next = is_full(&entries, count).then(|| place(&entries)).flatten();
            Page { entries, next }
        }
        Some(filter) => filtered(&database, auditor.organization_id, &conditions, order, count, &filter).await?,
    };
    json(&page)
}

/// A page of the entries that a filter chooses among those that conditions leave.
async fn filtered(
    database: &Database,
    organization: OrganizationId,
    conditions: &[Condition],
    mut order: Order,
    count: u32,
    filter: &Filter,
) -> Result<Page, ApiError> {
    let mut entries = Vec::new();
    for _ in 0..MAX_LOOKED_AT / MAX_COUNT {
        let found = log_entries(database, organization, conditions, order, MAX_COUNT).await?;
        let (last, is_end) = (found.last().map(|entry| entry.header.seq), !is_full(&found, MAX_COUNT));
        for entry in found.into_iter().filter(|entry| is_wanted(filter, entry)) {
            entries.push(entry);
            if is_full(&entries, count) {
                let next = place(&entries);
                return Ok(Page { entries, next });
            }
        }
        match last {
            Some(last) if !is_end => order = order.from(last),
            _ => return Ok(Page { entries, next: None }),
        }
    }
    Ok(Page { entries, next: Some(order.place().to_string()) })
}

/// Whether there may be more of them.
fn is_full(entries: &[StoredEntry], count: u32) -> bool {
    entries.len() >= usize::try_from(count).unwrap_or(usize::MAX)
}

/// Where the page after these begins.
fn place(entries: &[StoredEntry]) -> Option<String> {
    entries.last().map(|entry| entry.header.seq.to_string())
}

/// `GET /events/{seq}`.
pub(super) async fn read(auditor: Auditor, seq: Path<String>, database: Data<Database>) -> ApiResult {
    let missing = || ApiError::from(ScimError::new(404, "the log has no such entry"));
    let seq: u64 = seq.parse().ok().filter(|seq| *seq > 0).ok_or_else(missing)?;
    let found = log_entries(&database, auditor.organization_id, &[], Order::OldestFirst { after: seq - 1 }, 1).await?;
    let entry = found.into_iter().find(|entry| entry.header.seq == seq).ok_or_else(missing)?;
    json(&entry)
}

fn order(parameters: &Parameters) -> Result<Order, ScimError> {
    let cursor: Option<u64> = parameter(parameters, "cursor", "a cursor that this service gave")?;
    match parameters.get("order") {
        None | Some("newest") => Ok(Order::NewestFirst { before: cursor }),
        Some("oldest") => Ok(Order::OldestFirst { after: cursor.unwrap_or_default() }),
        Some(_) => Err(ScimError::invalid_value("order: it is newest or oldest")),
    }
}

impl Order {
    /// The place that it begins after.
    fn place(self) -> u64 {
        match self {
            Self::OldestFirst { after } => after,
            Self::NewestFirst { before } => before.unwrap_or(u64::MAX),
        }
    }

    /// The same order from a place on.
    fn from(self, place: u64) -> Self {
        match self {
            Self::OldestFirst { .. } => Self::OldestFirst { after: place },
            Self::NewestFirst { .. } => Self::NewestFirst { before: Some(place) },
        }
    }
}

/// Whether an entry is about a user or a group that, as the entry has it, matches.
fn is_wanted(filter: &Filter, entry: &StoredEntry) -> bool {
    let resource_type = match entry.header.subject_type {
        Some(SubjectType::User) => &*USER,
        Some(SubjectType::Group) => &*GROUP,
        _ => return false,
    };
    let payload: Option<Value> = entry.payload.as_ref().and_then(|payload| serde_json::from_str(payload.get()).ok());
    payload.is_some_and(|payload| matches(filter, Scope::Resource(resource_type), &payload["resource"]))
}
