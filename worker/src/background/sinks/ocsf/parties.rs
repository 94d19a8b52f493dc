//! Who and what an event is about. Names are there unless they were erased; ids are always there.

use rollcall_events::actor::ActorKind;
use rollcall_events::log::{Header, SubjectType};
use rollcall_service::entries::StoredEntry;
use serde_json::{Map, Value, json};

/// `type_id` for a type that OCSF does not list.
const OTHER: u8 = 99;

/// Who made the request. A token acts as a user of its own, because OCSF names actors by users.
pub(super) fn actor(entry: &StoredEntry) -> Value {
    let header = &entry.header;
    let (type_id, kind) = match header.actor_kind {
        ActorKind::Token => (OTHER, "Token"),
        ActorKind::Administrator => (2, "Admin"),
        ActorKind::Anonymous => (0, "Unknown"),
        ActorKind::Operator => (OTHER, "Operator"),
        ActorKind::Service => (3, "System"),
    };
    let mut user = Map::from_iter([("type_id".to_owned(), json!(type_id)), ("type".to_owned(), json!(kind))]);
    put(&mut user, "uid", header.actor_id.map(|id| json!(id)));
    let label = entry.actor.as_ref().and_then(|actor| actor.label.as_deref());
    // OCSF requires an id or a name.
    let name = label.or(header.actor_id.is_none().then_some(header.actor_kind.as_str()));
    put(&mut user, "name", name.map(|name| json!(name)));
    let mut actor = Map::from_iter([("user".to_owned(), Value::Object(user))]);
    let session = header.actor_id.filter(|_| header.actor_kind == ActorKind::Administrator);
    put(&mut actor, "session", session.map(|id| json!({"uid": id})));
    Value::Object(actor)
}

/// Where the request came from, if that is known: the address, and the service origin that the caller named.
pub(super) fn source(entry: &StoredEntry) -> Option<Value> {
    let details = entry.actor.as_ref()?;
    let mut source = Map::new();
    put(&mut source, "ip", details.address.map(|address| json!(address)));
    put(&mut source, "hostname", details.service_origin.as_ref().map(|origin| json!(origin)));
    (!source.is_empty()).then_some(Value::Object(source))
}

/// The id of the resource that a request was to change. If a name was taken, the entry is about its holder.
fn target(header: &Header, payload: &Value) -> Option<Value> {
    payload.get("target").cloned().or_else(|| header.subject_id.map(|id| json!(id)))
}

/// The user that an entry is about.
pub(super) fn user(header: &Header, payload: &Value) -> Value {
    let resource = &payload["resource"];
    let mut user = Map::from_iter([("type_id".to_owned(), json!(1)), ("type".to_owned(), json!("User"))]);
    put(&mut user, "uid", target(header, payload));
    // A rejected request has no resource, but may have the name that it asked for.
    let name = text(&resource["userName"]).or_else(|| text(&payload["userName"]));
    put(&mut user, "name", name);
    put(&mut user, "full_name", text(&resource["name"]["formatted"]).or_else(|| text(&resource["displayName"])));
    put(&mut user, "email_addr", email(&resource["emails"]));
    Value::Object(user)
}

/// The group that an entry is about.
pub(super) fn group(header: &Header, payload: &Value) -> Value {
    let mut group = Map::new();
    put(&mut group, "uid", target(header, payload));
    put(&mut group, "name", text(&payload["resource"]["displayName"]));
    Value::Object(group)
}

/// Anything else that an entry is about. An entry without a subject is about its organization.
pub(super) fn entity(header: &Header) -> Value {
    let (id, kind) = match (header.subject_id, header.subject_type) {
        (Some(id), Some(kind)) => (id, kind),
        _ => (header.organization_id.0, SubjectType::Organization),
    };
    let type_id = match kind {
        SubjectType::User => 2,
        SubjectType::Group => 3,
        SubjectType::Organization => 4,
        SubjectType::Workspace
        | SubjectType::Entitlement
        | SubjectType::Token
        | SubjectType::Stream
        | SubjectType::Session
        | SubjectType::DeadLetter => OTHER,
    };
    json!({"uid": id, "type_id": type_id, "type": kind})
}

/// The primary e-mail address, or the first one.
fn email(emails: &Value) -> Option<Value> {
    let emails = emails.as_array()?;
    let primary = emails.iter().find(|email| email["primary"] == true).or_else(|| emails.first())?;
    text(&primary["value"])
}

fn text(value: &Value) -> Option<Value> {
    value.as_str().map(|text| json!(text))
}

fn put(object: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    object.extend(value.map(|value| (name.to_owned(), value)));
}
