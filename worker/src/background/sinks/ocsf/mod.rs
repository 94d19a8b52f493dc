//! Log entries as events of the Open Cybersecurity Schema Framework (OCSF), in the category Identity & Access
//! Management.
//!
//! An event says what happened to whom, by whom, and where it is in the log. It has no salts, and not the
//! whole resource: who needs those gets the entries as they are.

mod class;
mod parties;

use rollcall_events::Timestamp;
use rollcall_events::log::{EventType, OutcomeKind, SubjectType};
use rollcall_service::entries::StoredEntry;
use serde_json::{Map, Value, json};

use super::id::entry_id;
use super::sink::Version;
use class::{Activity, Class, classify};
use parties::{actor, entity, group, source, user};

/// The category Identity & Access Management.
const CATEGORY: u16 = 3;

/// The members of a payload that OCSF has no attribute for. They are in `unmapped`.
const UNMAPPED: [&str; 3] = ["operation", "changed", "members"];

/// The event of an entry.
///
/// # Errors
/// If the payload is not JSON.
pub(super) fn event(entry: &StoredEntry, version: Version) -> Result<Value, serde_json::Error> {
    let header = &entry.header;
    let payload = match &entry.payload {
        Some(payload) => serde_json::from_str(payload.get())?,
        None => Value::Null,
    };
    let (class, activity) = classify(header, payload["operation"].as_str(), version);
    let mut event = Map::new();
    add_kind(&mut event, class, &activity);
    add_outcome(&mut event, entry, &payload);
    event.insert("metadata".to_owned(), metadata(entry, version));
    event.insert("actor".to_owned(), actor(entry));
    add(&mut event, "src_endpoint", source(entry));
    let user_agent = entry.actor.as_ref().and_then(|actor| actor.user_agent.as_ref());
    add(&mut event, "http_request", user_agent.map(|user_agent| json!({"user_agent": user_agent})));
    match class {
        Class::UserManagement | Class::AccountChange => add(&mut event, "user", Some(user(header, &payload))),
        Class::GroupManagement => add(&mut event, "group", Some(group(header, &payload))),
        Class::EntityManagement => add(&mut event, "entity", Some(entity(header))),
        Class::Authentication => {
            add(&mut event, "user", actor(entry).get("user").cloned());
            add(&mut event, "service", Some(json!({"name": "Rollcall"})));
            let session = header.subject_id.filter(|_| header.subject_type == Some(SubjectType::Session));
            add(&mut event, "session", session.map(|id| json!({"uid": id})));
        }
    }
    event.insert("unmapped".to_owned(), unmapped(entry, &payload));
    Ok(Value::Object(event))
}

fn add(event: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    event.extend(value.map(|value| (name.to_owned(), value)));
}

fn add_kind(event: &mut Map<String, Value>, class: Class, activity: &Activity) {
    let of_kind = [
        ("category_uid", json!(CATEGORY)),
        ("category_name", json!("Identity & Access Management")),
        ("class_uid", json!(class.uid())),
        ("class_name", json!(class.name())),
        ("activity_id", json!(activity.id)),
        ("activity_name", json!(activity.name)),
        ("type_uid", json!(u32::from(class.uid()) * 100 + u32::from(activity.id))),
        ("type_name", json!(format!("{}: {}", class.name(), activity.name))),
    ];
    event.extend(of_kind.map(|(name, value)| (name.to_owned(), value)));
}

/// What came of it, and when. A denied call is a failure, although the entry that counts it was applied.
fn add_outcome(event: &mut Map<String, Value>, entry: &StoredEntry, payload: &Value) {
    let header = &entry.header;
    let is_denial = header.event_type == EventType::AccessDenied;
    let is_failure = is_denial || header.outcome == OutcomeKind::Rejected;
    let (severity_id, severity) = if is_denial { (2, "Low") } else { (1, "Informational") };
    let (status_id, status) = if is_failure { (2, "Failure") } else { (1, "Success") };
    let detail = payload.get(if is_denial { "reason" } else { "detail" }).filter(|_| is_failure);
    let time = |name: &str| payload[name].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let denied = |name: &str| payload.get(name).filter(|_| is_denial);
    event.extend(
        [
            ("message", json!(header.event_type)),
            ("time", json!(header.recorded_at.as_millisecond())),
            ("severity_id", json!(severity_id)),
            ("severity", json!(severity)),
            ("status_id", json!(status_id)),
            ("status", json!(status)),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    add(event, "status_code", header.error.map(|error| json!(error.status.to_string())));
    add(event, "status_detail", detail.cloned());
    add(event, "count", denied("count").cloned());
    for (name, member) in [("start_time", "first_at"), ("end_time", "last_at")] {
        add(event, name, denied(member).and_then(|_| time(member)).map(|time| json!(time.as_millisecond())));
    }
}

/// Where the entry is in the log. The `uid` is the same whenever the entry is delivered.
fn metadata(entry: &StoredEntry, version: Version) -> Value {
    let header = &entry.header;
    json!({
        "version": match version {
            Version::V1_8 => "1.8.0",
            Version::V1_9 => "1.9.0",
        },
        "product": {"name": "Rollcall", "vendor_name": "Rollcall", "version": env!("CARGO_PKG_VERSION")},
        "uid": entry_id(entry),
        "original_event_uid": header.event_id,
        "event_code": header.event_type,
        "sequence": header.seq,
        "tenant_uid": header.organization_id,
        "log_name": "audit",
        "logged_time": header.recorded_at.as_millisecond(),
        "original_time": header.requested_at,
    })
}

fn unmapped(entry: &StoredEntry, payload: &Value) -> Value {
    let mut unmapped = Map::from_iter([("leaf".to_owned(), json!(entry.leaf))]);
    for name in UNMAPPED {
        add(&mut unmapped, name, payload.get(name).cloned());
    }
    let erased: Vec<_> = entry.missing().map(|part| part.to_string()).collect();
    add(&mut unmapped, "erased", Some(json!(erased)).filter(|_| !erased.is_empty()));
    Value::Object(unmapped)
}

#[cfg(test)]
mod tests;
