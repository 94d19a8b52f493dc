//! `/audit/v1/events`: the entries of the log.

use actix_web::web::{Data, Path};
use rollcall_events::log::SubjectType;
use rollcall_scim::ScimError;
use rollcall_scim::filter::{self, Filter, Scope, matches};
use rollcall_scim::schema::{GROUP, USER};
use serde::Serialize;
use serde_json::Value;

use super::json;
use super::query::{MAX_COUNT, by_now, conditions, count, parameter};
use crate::auth::Auditor;
use crate::error::{ApiError, ApiResult};
use crate::read::{Database, Order, log_entries};
use crate::scim::Parameters;
use rollcall_service::entries::StoredEntry;

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
    let mut order = order(&parameters)?;
    let (count, filter) = (count(&parameters)?, parameters.get("filter").map(filter::parse).transpose()?);
    let conditions = conditions(&database, auditor.organization_id, &parameters).await?;
    let conditions = by_now(&database, auditor.organization_id, conditions).await?;
    let (mut entries, mut looked_at) = (Vec::new(), 0);
    let next = loop {
        let limit = if filter.is_some() { MAX_COUNT } else { count };
        let found = log_entries(&database, auditor.organization_id, &conditions, order, limit).await?;
        let is_last = found.len() < usize::try_from(limit).unwrap_or(usize::MAX);
        looked_at += limit;
        let mut place = found.last().map(|entry| entry.header.seq);
        for entry in found {
            let seq = entry.header.seq;
            if entries.len() == usize::try_from(count).unwrap_or(usize::MAX) {
                break;
            }
            place = Some(seq);
            if filter.as_ref().is_none_or(|filter| is_wanted(filter, &entry)) {
                entries.push(entry);
            }
        }
        let is_full = entries.len() >= usize::try_from(count).unwrap_or(usize::MAX);
        match place {
            _ if is_last && !is_full => break None,
            None => break None,
            Some(place) if is_full || looked_at >= MAX_LOOKED_AT => break Some(place),
            Some(place) => order = order.from(place),
        }
    };
    json(&Page { entries, next: next.map(|place| place.to_string()) })
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
