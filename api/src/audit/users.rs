//! `/audit/v1/users`: the past states of users and their histories, computed from the log alone.

use actix_web::web::{Data, Path};
use rollcall_events::actor::Actor;
use rollcall_events::log::{EventType, OutcomeKind, SubjectType};
use rollcall_events::{EventId, OrganizationId, Timestamp, UserId};
use rollcall_scim::ScimError;
use rollcall_service::entries::StoredEntry;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::parameters::PageParameters;
use super::query::{count, parameter};
use super::{TAG, json, with_body, written};
use crate::auth::Auditor;
use crate::error::{ApiError, ApiResult};
use crate::offload::offload;
use crate::openapi::Errors;
use crate::read::{Condition, Database, Entries, Order, last_entries_of_users, log_entries};
use crate::scim::Parameters;

/// How many entries back to search for the state before. Some entries, such as mappings of groups, contain no
/// state.
const STATES: u32 = 20;
const TIME: &str = "a time such as 2026-01-31T00:00:00Z";

/// The users at a time.
#[derive(Serialize)]
struct State {
    at: Timestamp,
    users: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Uuid>,
}

/// One entry in the history of a user.
#[derive(Serialize)]
struct Step {
    seq: u64,
    #[serde(rename = "type")]
    event_type: EventType,
    txn: EventId,
    recorded_at: Timestamp,
    by: Actor,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<ScimError>,
    /// Whether the facts were erased later.
    erased: bool,
    changes: Vec<Change>,
}

/// An attribute before and after a change; null if it had no value.
#[derive(Serialize)]
pub(crate) struct Change {
    pub(crate) path: String,
    from: Value,
    to: Value,
}

impl Change {
    /// The old value, for people.
    pub(crate) fn was(&self) -> String {
        text(&self.from)
    }

    /// The new value, for people.
    pub(crate) fn is(&self) -> String {
        text(&self.to)
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "—".to_owned(),
        Value::String(text) => text.clone(),
        value => serde_json::to_string_pretty(value).unwrap_or_default(),
    }
}

#[derive(Serialize)]
struct History {
    steps: Vec<Step>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Lists users as they were at a time, sorted by id.
#[utoipa::path(
    get,
    path = "/users",
    tag = TAG,
    operation_id = "auditUsers",
    params(("at" = Option<String>, Query, description = "A time; now by default"), PageParameters),
    responses(
        Errors, (status = 200, description = "A page of users.", body = Object, content_type = "application/json")
    )
)]
pub(super) async fn list(auditor: Auditor, parameters: Parameters, database: Data<Database>) -> ApiResult {
    let at = parameter(&parameters, "at", TIME)?.unwrap_or_else(Timestamp::now);
    let (count, after) = (count(&parameters)?, parameter(&parameters, "cursor", "a cursor that this service gave")?);
    let (users, next) = users_at(&database, auditor.organization_id, at, after, count).await?;
    json(&State { at, users, next })
}

/// The users as they were at a time, sorted by id and limited in number. Also returns the id after which the
/// next page begins.
pub(crate) async fn users_at(
    database: &Database,
    organization: OrganizationId,
    at: Timestamp,
    after: Option<Uuid>,
    count: u32,
) -> Result<(Vec<Value>, Option<Uuid>), ApiError> {
    let last = last_entries_of_users(database, organization, at, after, count).await?;
    let next = last.entries.last().filter(|_| last.goes_on).and_then(|entry| entry.header.subject_id);
    let bytes = last.entries.iter().map(size).sum();
    Ok((offload(bytes, move || last.entries.iter().filter_map(resource).collect()).await?, next))
}

/// Reads a user as it was at a time.
#[utoipa::path(
    get,
    path = "/users/{id}",
    tag = TAG,
    operation_id = "auditUser",
    params(("id" = String, Path), ("at" = Option<String>, Query, description = "A time; now by default")),
    responses(Errors, (status = 200, description = "The user.", body = Object, content_type = "application/json"))
)]
pub(super) async fn read(
    auditor: Auditor,
    id: Path<String>,
    parameters: Parameters,
    database: Data<Database>,
) -> ApiResult {
    let at = parameter(&parameters, "at", TIME)?.unwrap_or_else(Timestamp::now);
    let user = user_at(&database, auditor.organization_id, user_id(&id)?, at).await?;
    json(&user.ok_or_else(|| ApiError::from(ScimError::new(404, "there was no such user then")))?)
}

/// A user as it was at a time; `None` if it did not exist or its state was erased.
pub(crate) async fn user_at(
    database: &Database,
    organization: OrganizationId,
    id: Uuid,
    at: Timestamp,
) -> Result<Option<Value>, ApiError> {
    let conditions = [Condition::Subjects(vec![id]), Condition::AppliedToUsers, Condition::Until(at)];
    let last = log_entries(database, organization, &conditions, Order::NewestFirst { before: None }, 1).await?;
    Ok(last.entries.first().and_then(resource))
}

/// The size of the part of an entry that a caller chose, in bytes.
fn size(entry: &StoredEntry) -> usize {
    entry.payload.as_ref().map_or(0, |payload| payload.get().len())
}

/// Lists all changes of a user from the beginning, with old value, new value and actor.
#[utoipa::path(
    get,
    path = "/users/{id}/history",
    tag = TAG,
    operation_id = "auditHistory",
    params(("id" = String, Path), PageParameters),
    responses(
        Errors, (status = 200, description = "A page of changes.", body = Object, content_type = "application/json")
    )
)]
pub(super) async fn history(
    auditor: Auditor,
    id: Path<String>,
    parameters: Parameters,
    database: Data<Database>,
) -> ApiResult {
    let after: u64 = parameter(&parameters, "cursor", "a cursor that this service gave")?.unwrap_or_default();
    let count = count(&parameters)?;
    let (organization, about) = (auditor.organization_id, Condition::Subjects(vec![user_id(&id)?]));
    let before = [about.clone(), Condition::AppliedToUsers];
    let before =
        log_entries(&database, organization, &before, Order::NewestFirst { before: Some(after.saturating_add(1)) }, 1)
            .await?;
    let Entries { entries, goes_on } =
        log_entries(&database, organization, &[about], Order::OldestFirst { after }, count).await?;
    if entries.is_empty() && after == 0 {
        return Err(ScimError::new(404, "the log has no such user").into());
    }
    let next = entries.last().filter(|_| goes_on).map(|entry| entry.header.seq.to_string());
    let bytes = entries.iter().map(size).sum();
    let writing = move || {
        let mut state = before.entries.first().and_then(resource).unwrap_or_default();
        let steps = entries.iter().map(|entry| step(entry, &mut state)).collect();
        written(&History { steps, next })
    };
    Ok(with_body(offload(bytes, writing).await??))
}

/// The changes that an entry made to its user or group. Empty if it is about something else, was rejected or
/// was erased.
pub(crate) async fn difference(
    database: &Database,
    organization: OrganizationId,
    entry: &StoredEntry,
) -> Result<Vec<Change>, ApiError> {
    let is_resource = matches!(entry.header.subject_type, Some(SubjectType::User | SubjectType::Group));
    let Some(id) = entry.header.subject_id.filter(|_| is_resource) else { return Ok(Vec::new()) };
    let about = [Condition::Subjects(vec![id]), Condition::Outcome(OutcomeKind::Applied)];
    let before =
        log_entries(database, organization, &about, Order::NewestFirst { before: Some(entry.header.seq) }, STATES)
            .await?;
    let mut state = before.entries.iter().find_map(resource).unwrap_or_default();
    Ok(step(entry, &mut state).changes)
}

/// Parses an id. A malformed id is treated as not found.
fn user_id(text: &str) -> Result<Uuid, ApiError> {
    text.parse::<UserId>().map(|id| id.0).map_err(|_| ScimError::new(404, "there is no such user").into())
}

/// The resource after an entry; `None` if there is none, or the entry was rejected or erased.
fn resource(entry: &StoredEntry) -> Option<Value> {
    let is_state = entry.header.error.is_none()
        && !matches!(entry.header.event_type, EventType::UserDeleted | EventType::GroupDeleted);
    let mut payload: Value = serde_json::from_str(entry.payload.as_ref().filter(|_| is_state)?.get()).ok()?;
    payload.get_mut("resource").map(Value::take).filter(Value::is_object)
}

fn step(entry: &StoredEntry, state: &mut Value) -> Step {
    let after = match (&entry.header.error, entry.header.event_type, resource(entry)) {
        (None, EventType::UserDeleted | EventType::GroupDeleted, _) => Value::Null,
        (None, _, Some(after)) => after,
        // The entry was rejected, was erased, or is about something else.
        _ => state.clone(),
    };
    let changes = changes(state, &after);
    *state = after;
    Step {
        seq: entry.header.seq,
        event_type: entry.header.event_type,
        txn: entry.header.event_id,
        recorded_at: entry.header.recorded_at,
        by: entry.header.actor.clone(),
        refused: entry.header.error.clone(),
        erased: entry.payload.is_none(),
        changes,
    }
}

/// The attributes that differ between two states, without those that the server manages.
fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let none = serde_json::Map::new();
    let (before, after) = (before.as_object().unwrap_or(&none), after.as_object().unwrap_or(&none));
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let shown = names.into_iter().filter(|name| !matches!(name.as_str(), "meta" | "schemas"));
    let change = |name: &String| {
        let of = |state: &serde_json::Map<String, Value>| state.get(name).cloned().unwrap_or_default();
        let (from, to) = (of(before), of(after));
        (from != to).then(|| Change { path: name.clone(), from, to })
    };
    shown.filter_map(change).collect()
}
