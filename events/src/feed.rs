//! Turns a log entry into the claims of a Security Event Token (RFC 8417, RFC 9967 section 2). This is a pure
//! function: the same entry and stream give the same claims.

use rollcall_scim::event::Event;
use rollcall_scim::patch::PATCH_SCHEMA;
use rollcall_scim::schema::{GROUP, ResourceType, USER};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

use crate::log::{EventType, Hash};
use crate::membership::memberships;
use crate::stream::SetId;
use crate::{EventId, StreamId, Timestamp, WorkspaceId};

/// The settings of a stream that decide which events it delivers.
#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    /// The stream.
    pub stream_id: StreamId,
    /// The receiver of the tokens: their `aud` claim.
    pub audience: String,
    /// The event types that the stream delivers.
    pub events: BTreeSet<Event>,
    /// The stream covers only members of these workspaces. If the set is empty, it covers every user and
    /// group.
    pub workspaces: BTreeSet<WorkspaceId>,
}

/// An applied change of a user or group, as the log records it.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedChange {
    /// The seq of the log entry.
    pub seq: u64,
    /// The leaf of the log entry.
    pub leaf: Hash,
    /// The id of the request: the `txn` claim.
    pub event_id: EventId,
    /// The type of the log entry.
    pub event_type: EventType,
    /// The id of the user or group.
    pub subject_id: uuid::Uuid,
    /// When the worker recorded the entry.
    pub recorded_at: Timestamp,
    /// The payload of the entry; `None` if it was erased.
    pub payload: Option<Value>,
    /// The user's resource before the change. Needed only for a stream that is limited to workspaces. `None`
    /// if the user did not exist or was erased.
    pub before: Option<Value>,
}

/// The kind of change, in SCIM's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Create,
    Put,
    Patch,
    Delete,
}

/// A change that the stream covers.
struct Change<'a> {
    kind: Kind,
    /// The change brings the resource into the stream's scope.
    enters: bool,
    /// The change takes the resource out of the stream's scope.
    leaves: bool,
    happened: &'a LoggedChange,
    resource: &'a Value,
    changed: Vec<&'a str>,
    resource_type: &'static ResourceType,
    issuer: &'a str,
}

impl Feed {
    /// The claims of the token for a change; `None` if the stream does not deliver it. `issuer` is the
    /// address of the SCIM endpoints.
    pub fn claims(&self, issuer: &str, happened: &LoggedChange) -> Option<Value> {
        let change = self.change(issuer, happened)?;
        let payloads = self.events.iter().filter_map(|event| Some((event.uri().to_owned(), change.payload(*event)?)));
        let events: Map<String, Value> = payloads.collect();
        if events.is_empty() {
            return None;
        }
        let mut subject =
            json!({"format": "scim", "uri": format!("{}/{}", change.resource_type.endpoint, happened.subject_id)});
        if let Some(external_id) = change.resource.get("externalId") {
            subject["externalId"] = external_id.clone();
        }
        Some(json!({
            "iss": issuer,
            "iat": happened.recorded_at.as_second(),
            "jti": SetId { stream_id: self.stream_id, seq: happened.seq, leaf: happened.leaf.short() }.to_string(),
            "aud": self.audience,
            "txn": happened.event_id,
            "sub_id": subject,
            "events": events,
        }))
    }

    fn change<'a>(&self, issuer: &'a str, happened: &'a LoggedChange) -> Option<Change<'a>> {
        let payload = happened.payload.as_ref().unwrap_or(&Value::Null);
        let (resource, changed) = (&payload["resource"], payload["changed"].as_array());
        let changed: Vec<_> = changed.into_iter().flatten().filter_map(Value::as_str).collect();
        let is_group = happened.event_type.is_of_group();
        let kind = match happened.event_type {
            EventType::UserDeleted | EventType::GroupDeleted => Kind::Delete,
            // Nothing changed, or the payload was erased.
            _ if changed.is_empty() => return None,
            EventType::UserCreated | EventType::GroupCreated => Kind::Create,
            // A group can have 100,000 members. Report only the members who joined or left, even if the call
            // named all of them.
            _ if is_group || payload["operation"] == "patch" => Kind::Patch,
            _ => Kind::Put,
        };
        let (was_in, is_in) = (self.was_in_scope(kind, happened, is_group), self.is_in_scope(kind, resource, is_group));
        if !was_in && !is_in {
            return None;
        }
        let (enters, leaves) = (!was_in, was_in && !is_in && kind != Kind::Delete);
        // The receiver does not know a resource that enters the scope later. Send it as a whole.
        let kind = if enters && kind == Kind::Patch { Kind::Put } else { kind };
        let resource_type = if is_group { &GROUP } else { &USER };
        Some(Change { kind, enters, leaves, happened, resource, changed, resource_type, issuer })
    }

    fn was_in_scope(&self, kind: Kind, happened: &LoggedChange, is_group: bool) -> bool {
        match (kind, self.workspaces.is_empty()) {
            (Kind::Create, _) => false,
            (_, true) => true,
            (_, false) if is_group => false,
            // If the user was erased, the membership before is unknown. Deliver the deletion anyway: too
            // often is better than not at all.
            (Kind::Delete, false) => happened.before.as_ref().is_none_or(|before| self.has_member(before)),
            (_, false) => happened.before.as_ref().is_some_and(|before| self.has_member(before)),
        }
    }

    fn is_in_scope(&self, kind: Kind, resource: &Value, is_group: bool) -> bool {
        match (kind, self.workspaces.is_empty()) {
            (Kind::Delete, _) => false,
            (_, true) => true,
            (_, false) => !is_group && self.has_member(resource),
        }
    }

    fn has_member(&self, user: &Value) -> bool {
        let memberships = user.as_object().and_then(|user| memberships(user).ok()).unwrap_or_default();
        memberships.iter().any(|membership| self.workspaces.contains(&membership.workspace_id))
    }
}

impl Change<'_> {
    /// The payload of an event of this type; `None` if the change causes no such event.
    fn payload(&self, event: Event) -> Option<Value> {
        match event {
            Event::FeedAdd => self.enters.then(|| json!({})),
            Event::FeedRemove => self.leaves.then(|| json!({})),
            // The receiver must not learn the new values of a resource that left its scope.
            _ if self.leaves => None,
            Event::CreateNotice => (self.kind == Kind::Create).then(|| self.notice()),
            Event::CreateFull => (self.kind == Kind::Create).then(|| self.full(&self.whole())),
            Event::PatchNotice => (self.kind == Kind::Patch).then(|| self.notice()),
            Event::PatchFull => (self.kind == Kind::Patch).then(|| self.full(&self.patch())),
            Event::PutNotice => (self.kind == Kind::Put).then(|| self.notice()),
            Event::PutFull => (self.kind == Kind::Put).then(|| self.full(&self.whole())),
            Event::Delete => (self.kind == Kind::Delete).then(|| json!({})),
            Event::Activate => (self.happened.event_type == EventType::UserReactivated).then(|| json!({})),
            Event::Deactivate => (self.happened.event_type == EventType::UserDeactivated).then(|| json!({})),
        }
    }

    fn notice(&self) -> Value {
        json!({"attributes": self.changed, "version": self.resource["meta"]["version"]})
    }

    fn full(&self, data: &Value) -> Value {
        json!({"data": data, "version": self.resource["meta"]["version"]})
    }

    /// The whole resource. For a new group, it includes the members.
    fn whole(&self) -> Value {
        let mut whole = self.resource.clone();
        whole["meta"]["location"] =
            json!(format!("{}{}/{}", self.issuer, self.resource_type.endpoint, self.happened.subject_id));
        let members = self.moved("added");
        if !members.is_empty() {
            whole["members"] = json!(members);
        }
        whole
    }

    /// The changed attributes as a PATCH body.
    fn patch(&self) -> Value {
        let mut operations = Vec::new();
        for path in &self.changed {
            if *path == "members" {
                operations.extend(self.member_operations());
                continue;
            }
            let value = match path.rsplit_once(':') {
                Some((extension, name)) => self.resource.get(extension).and_then(|extension| extension.get(name)),
                None => self.resource.get(*path),
            };
            operations.push(match value {
                Some(value) => json!({"op": "replace", "path": path, "value": value}),
                None => json!({"op": "remove", "path": path}),
            });
        }
        json!({"schemas": [PATCH_SCHEMA], "Operations": operations})
    }

    fn member_operations(&self) -> Vec<Value> {
        let (added, removed) = (self.moved("added"), self.moved("removed"));
        let added = (!added.is_empty()).then(|| json!({"op": "add", "path": "members", "value": added}));
        let removed = removed
            .into_iter()
            .filter_map(|member| Some(format!("members[value eq \"{}\"]", member["value"].as_str()?)));
        added.into_iter().chain(removed.map(|path| json!({"op": "remove", "path": path}))).collect()
    }

    fn moved(&self, side: &str) -> Vec<Value> {
        let members = self.happened.payload.as_ref().and_then(|payload| payload["members"][side].as_array());
        members.into_iter().flatten().map(|member| json!({"value": member})).collect()
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
