//! Predicts which keys the requests of a batch look up. A wrong prediction costs time and changes no
//! decision.

use rollcall_events::members::MemberChange;
use rollcall_events::request::{GroupOperation, GroupRequested, Request, RequestBody, UserOperation};
use rollcall_events::{EventId, OrganizationId, UserId, WorkspaceId};
use rollcall_scim::casefold::casefold;
use rollcall_scim::patch::Operation;
use rollcall_scim::resource::{Attributes, text};
use rollcall_scim::schema::ROLLCALL_SCHEMA;
use serde_json::Value;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use uuid::Uuid;

use crate::pipeline::known::Expected;
use crate::pipeline::settings;
use crate::pipeline::state::{Key, Keys, assigned_keys};
use crate::settings::Prefetch;

/// The keys that a batch is expected to look up.
#[derive(Debug, Default)]
pub(super) struct Expectation {
    pub(super) organizations: BTreeSet<OrganizationId>,
    /// Events that may be recorded already.
    pub(super) events: BTreeSet<(OrganizationId, EventId)>,
    /// Users to be created whose ids are taken for new.
    pub(super) new_users: Vec<(OrganizationId, UserId)>,
    /// Names of users to be created that are taken for free.
    pub(super) free_names: Vec<(OrganizationId, String)>,
    pub(super) keys: Keys,
}

impl Prefetch {
    /// Chooses the keys to prefetch.
    pub(super) fn choose(self, mut keys: Keys) -> Keys {
        match self {
            Self::Full => {}
            Self::None => keys = Keys::default(),
            Self::Random => {
                let mut number = RandomState::new().build_hasher().finish() | 1;
                keys.retain(|| {
                    // Xorshift is random enough for a test.
                    number ^= number << 13;
                    number ^= number >> 7;
                    number ^= number << 17;
                    number & 1 == 0
                });
            }
        }
        keys
    }
}

impl Expectation {
    /// Predicts the look-ups of these requests.
    pub(super) fn of(requests: &[Request], expected: Expected) -> Self {
        let mut expectation = Self::default();
        for request in requests {
            expectation.request(request, expected);
        }
        expectation
    }

    fn request(&mut self, request: &Request, expected: Expected) {
        let organization = request.organization_id;
        // A sender that chooses the idempotency key may repeat the request.
        let may_be_recorded = expected == Expected::Repeats || request.fingerprint.is_some();
        match &request.body {
            RequestBody::UserRequested(call) => {
                let is_creation = matches!(call.operation, UserOperation::Create(_));
                if is_creation && !may_be_recorded {
                    self.new_users.push((organization, call.user_id));
                } else {
                    self.keys.insert(Key::User(organization, call.user_id));
                }
                self.user_operation(organization, &call.operation);
                if let UserOperation::Create(attributes) = &call.operation {
                    self.keys.insert(Key::Workspace(organization, call.default_workspace));
                    if expected == Expected::NewNames && !may_be_recorded {
                        self.presume_free(organization, attributes);
                    }
                }
            }
            RequestBody::GroupRequested(call) => self.group(organization, call),
            RequestBody::SettingsRequested(change) => self.keys.extend(settings::keys(organization, change)),
            RequestBody::AccessDenied(_) => {}
            // It leaves no log entry and needs no head.
            RequestBody::StreamAcknowledged(_) => return,
        }
        self.organizations.insert(organization);
        self.keys.extend(request.actor.session_id().map(|session| Key::Session(organization, session)));
        if may_be_recorded {
            self.events.insert((organization, request.id));
        }
    }

    fn user_operation(&mut self, organization: OrganizationId, operation: &UserOperation) {
        match operation {
            UserOperation::Create(attributes) | UserOperation::Replace(attributes) => {
                self.keys.extend(text(attributes, "userName").map(|name| Key::UserName(organization, casefold(name))));
                self.keys.extend(assigned_keys(organization, attributes));
            }
            UserOperation::Patch(operations) => {
                for operation in operations {
                    self.patch_operation(organization, operation);
                }
            }
            UserOperation::Delete => {}
        }
    }

    /// Takes the name of a user to be created for free, instead of looking it up.
    fn presume_free(&mut self, organization: OrganizationId, attributes: &Attributes) {
        let Some(name) = text(attributes, "userName") else { return };
        let key = (organization, casefold(name));
        self.keys.user_names.remove(&key);
        self.free_names.push(key);
    }

    /// Adds the workspaces of a PATCH operation. A value or a filter in the path can name them.
    fn patch_operation(&mut self, organization: OrganizationId, operation: &Operation) {
        let path = operation.path.to_string();
        let beginning = path.get(..ROLLCALL_SCHEMA.len());
        if beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(ROLLCALL_SCHEMA)) {
            let ids = uuids(&path).chain(operation.value.iter().flat_map(texts).flat_map(uuids));
            self.keys.extend(ids.map(|id| Key::Workspace(organization, WorkspaceId(id))));
        } else if path.to_ascii_lowercase().ends_with("username") {
            let names = operation.value.iter().flat_map(texts);
            self.keys.extend(names.map(|name| Key::UserName(organization, casefold(name))));
        }
    }

    fn group(&mut self, organization: OrganizationId, call: &GroupRequested) {
        self.keys.insert(Key::Group(organization, call.group_id));
        match &call.operation {
            GroupOperation::Create(attributes, _) | GroupOperation::Replace(attributes, _) => {
                self.keys
                    .extend(text(attributes, "displayName").map(|name| Key::GroupName(organization, casefold(name))));
            }
            GroupOperation::Patch(operations, _) => {
                let renames = operations
                    .iter()
                    .filter(|operation| operation.path.to_string().to_ascii_lowercase().ends_with("displayname"));
                let names = renames.flat_map(|operation| &operation.value).flat_map(texts);
                self.keys.extend(names.map(|name| Key::GroupName(organization, casefold(name))));
            }
            GroupOperation::Delete => return,
        }
        let is_creation = matches!(call.operation, GroupOperation::Create(..));
        for change in call.operation.member_changes() {
            if !matches!(change, MemberChange::Remove(_)) {
                self.keys.extend(change.users().iter().map(|user| Key::Presence(organization, *user)));
            }
            match change {
                // A new group has no members.
                _ if is_creation => {}
                MemberChange::Set(_) => self.keys.insert(Key::Members(organization, call.group_id)),
                MemberChange::Add(users) | MemberChange::Remove(users) => {
                    self.keys.extend(users.into_iter().map(|user| Key::Member(organization, call.group_id, user)));
                }
            }
        }
    }
}

/// All strings in a value.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// All UUIDs in a text.
fn uuids(text: &str) -> impl Iterator<Item = Uuid> {
    text.split(|c: char| !(c.is_ascii_hexdigit() || c == '-')).filter_map(|part| Uuid::try_parse(part).ok())
}
