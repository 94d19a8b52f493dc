//! What an event stream tells of an entry of the log: the claims of a Security Event Token (RFC 8417, RFC 9967 section 2). Pure: the same entry tells the same.

use rollcall_scim::event::Event;
use rollcall_scim::patch::PATCH_SCHEMA;
use rollcall_scim::schema::{GROUP, ResourceType, USER};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

use crate::log::EventType;
use crate::membership::memberships;
use crate::stream::SetId;
use crate::{EventId, StreamId, Timestamp, WorkspaceId};

/// What of a stream decides what it tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    /// The stream.
    pub stream_id: StreamId,
    /// For whom the tokens are.
    pub audience: String,
    /// What is told.
    pub events: BTreeSet<Event>,
    /// Whose members are told of; empty for every user and group.
    pub workspaces: BTreeSet<WorkspaceId>,
}

/// An applied change of a user or group, as the log has it.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedChange {
    /// Its place.
    pub seq: u64,
    /// The request: the `txn`.
    pub event_id: EventId,
    /// What happened.
    pub event_type: EventType,
    /// To which resource.
    pub subject_id: uuid::Uuid,
    /// When.
    pub recorded_at: Timestamp,
    /// The facts, unless they were erased.
    pub payload: Option<Value>,
    /// The user's resource before; needed where only members of some workspaces are told of, and `None` for one who was not there or was erased.
    pub before: Option<Value>,
}

/// What was done, as SCIM has words for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Create,
    Put,
    Patch,
    Delete,
}

/// A change that is told of.
struct Change<'a> {
    kind: Kind,
    /// The resource is told of from now on.
    enters: bool,
    /// It no longer is.
    leaves: bool,
    happened: &'a LoggedChange,
    resource: &'a Value,
    changed: Vec<&'a str>,
    resource_type: &'static ResourceType,
    issuer: &'a str,
}

impl Feed {
    /// The claims of the token that tells of it; `None` where this stream does not tell of it. `issuer` is the address of the SCIM endpoints.
    pub fn claims(&self, issuer: &str, happened: &LoggedChange) -> Option<Value> {
        let change = self.change(issuer, happened)?;
        let told = self.events.iter().filter_map(|event| Some((event.uri().to_owned(), change.tell(*event)?)));
        let events: Map<String, Value> = told.collect();
        if events.is_empty() {
            return None;
        }
        let mut subject = json!({"format": "scim", "uri": format!("{}/{}", change.resource_type.endpoint, happened.subject_id)});
        if let Some(external_id) = change.resource.get("externalId") {
            subject["externalId"] = external_id.clone();
        }
        Some(json!({
            "iss": issuer,
            "iat": happened.recorded_at.as_second(),
            "jti": SetId { stream_id: self.stream_id, seq: happened.seq }.to_string(),
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
            // Nothing changed, or it was erased.
            _ if changed.is_empty() => return None,
            EventType::UserCreated | EventType::GroupCreated => Kind::Create,
            // A group can have a hundred thousand members: what is told is who joined and who left, also where all of them were named.
            _ if is_group || payload["operation"] == "patch" => Kind::Patch,
            _ => Kind::Put,
        };
        let (was_in, is_in) = (self.told_before(kind, happened, is_group), self.tells_of(kind, resource, is_group));
        if !was_in && !is_in {
            return None;
        }
        let (enters, leaves) = (!was_in, was_in && !is_in && kind != Kind::Delete);
        // Whoever comes in later is not known to the receiver yet, and is told as a whole.
        let kind = if enters && kind == Kind::Patch { Kind::Put } else { kind };
        let resource_type = if is_group { &GROUP } else { &USER };
        Some(Change { kind, enters, leaves, happened, resource, changed, resource_type, issuer })
    }

    fn told_before(&self, kind: Kind, happened: &LoggedChange, is_group: bool) -> bool {
        match (kind, self.workspaces.is_empty()) {
            (Kind::Create, _) => false,
            (_, true) => true,
            (_, false) if is_group => false,
            // A deletion is told rather too often than not at all: nothing else is left of one who was erased.
            (Kind::Delete, false) => happened.before.as_ref().is_none_or(|before| self.has_member(before)),
            (_, false) => happened.before.as_ref().is_some_and(|before| self.has_member(before)),
        }
    }

    fn tells_of(&self, kind: Kind, resource: &Value, is_group: bool) -> bool {
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
    /// What an event says of the change; `None` where it is not that event's.
    fn tell(&self, event: Event) -> Option<Value> {
        match event {
            Event::FeedAdd => self.enters.then(|| json!({})),
            Event::FeedRemove => self.leaves.then(|| json!({})),
            // What one is who is no longer told of is nobody's business here.
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

    /// The resource; a new group's with its members.
    fn whole(&self) -> Value {
        let mut whole = self.resource.clone();
        whole["meta"]["location"] = json!(format!("{}{}/{}", self.issuer, self.resource_type.endpoint, self.happened.subject_id));
        let members = self.moved("added");
        if !members.is_empty() {
            whole["members"] = json!(members);
        }
        whole
    }

    /// The modifications, as a PATCH body.
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
        let removed = removed.into_iter().filter_map(|member| Some(format!("members[value eq \"{}\"]", member["value"].as_str()?)));
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
