//! The past states of users and their histories, computed from the log alone.

use rollcall_events::actor::{ActorDetails, ActorKind};
use rollcall_events::log::{EventType, OutcomeKind, SubjectType};
use rollcall_events::{EventId, OrganizationId, Timestamp};
use rollcall_scim::ScimError;
use rollcall_service::entries::{StoredEntry, error};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::error::ApiError;
use crate::offload::offload;
use crate::read::{Condition, Database, Order, last_entries_of_users, log_entries};

/// How many entries back to search for the state before. Some entries, such as mappings of groups, contain no
/// state.
const STATES: u32 = 20;

/// One entry in the history of a user.
#[derive(Serialize)]
pub struct Step {
    seq: u64,
    #[serde(rename = "type")]
    event_type: EventType,
    txn: EventId,
    recorded_at: Timestamp,
    by: By,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<ScimError>,
    /// Whether the facts were erased later.
    erased: bool,
    changes: Vec<Change>,
}

/// The actor of an entry. The details are missing if they were erased.
#[derive(Serialize)]
struct By {
    kind: ActorKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    #[serde(flatten)]
    details: Option<ActorDetails>,
}

/// An attribute before and after a change; null if it had no value.
#[derive(Serialize)]
pub struct Change {
    /// The attribute.
    pub path: String,
    from: Value,
    to: Value,
}

impl Change {
    /// The old value, for people.
    pub fn was(&self) -> String {
        text(&self.from)
    }

    /// The new value, for people.
    pub fn is(&self) -> String {
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

/// The users as they were at a time, sorted by id and limited in number. Also returns the id after which the
/// next page begins.
pub async fn users_at(
    database: &Database,
    organization: OrganizationId,
    at: Timestamp,
    after: Option<Uuid>,
    count: u32,
) -> Result<(Vec<Value>, Option<Uuid>), ApiError> {
    let last = last_entries_of_users(database, organization, at, after, count).await?;
    let next = last.entries.last().filter(|_| last.goes_on).and_then(|entry| entry.header.subject_id);
    let bytes = last.entries.iter().map(payload_size).sum();
    Ok((offload(bytes, move || last.entries.iter().filter_map(resource).collect()).await?, next))
}

/// A user as it was at a time; `None` if it did not exist or its state was erased.
pub async fn user_at(
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
pub fn payload_size(entry: &StoredEntry) -> usize {
    entry.payload.as_ref().map_or(0, |payload| payload.get().len())
}

/// The changes that an entry made to its user or group. Empty if it is about something else, was rejected or
/// was erased.
pub async fn difference(
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

/// The resource after an entry; `None` if there is none, or the entry was rejected or erased.
fn resource(entry: &StoredEntry) -> Option<Value> {
    let is_state = entry.header.error.is_none()
        && !matches!(entry.header.event_type, EventType::UserDeleted | EventType::GroupDeleted);
    let mut payload: Value = serde_json::from_str(entry.payload.as_ref().filter(|_| is_state)?.get()).ok()?;
    payload.get_mut("resource").map(Value::take).filter(Value::is_object)
}

/// The history that consecutive entries of a user form. `before` is the last entry with a state before them.
pub fn steps(before: Option<&StoredEntry>, entries: &[StoredEntry]) -> Vec<Step> {
    let mut state = before.and_then(resource).unwrap_or_default();
    entries.iter().map(|entry| step(entry, &mut state)).collect()
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
        by: By { kind: entry.header.actor_kind, id: entry.header.actor_id, details: entry.actor.clone() },
        refused: error(entry),
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
