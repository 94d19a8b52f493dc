//! What the requests of a batch may touch: the keys of all that is to be read.

use rollcall_events::members::MemberChange;
use rollcall_events::membership::memberships;
use rollcall_events::request::{GroupOperation, GroupRequested, Request, RequestBody, SettingsRequested, StreamChange, UserOperation};
use rollcall_events::{DeadLetterId, EventId, GroupId, OrganizationId, SessionId, StreamId, TokenId, UserId, WorkspaceId};
use rollcall_scim::fold::fold as fold_case;
use rollcall_scim::resource::text;
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

use super::Expected;

/// Pairs of keys as two columns, for UNNEST.
pub(super) type Keys<T> = (Vec<OrganizationId>, Vec<T>);

/// The same with pairs of keys.
pub(super) type Keys3 = (Vec<OrganizationId>, (Vec<GroupId>, Vec<UserId>));

/// What the requests of a batch may touch.
#[derive(Default)]
pub(super) struct Touched {
    pub(super) organizations: BTreeSet<OrganizationId>,
    pub(super) events: Keys<EventId>,
    pub(super) users: BTreeSet<(OrganizationId, UserId)>,
    pub(super) user_names: BTreeSet<(OrganizationId, String)>,
    /// Users of whom only their being there matters.
    pub(super) known_users: BTreeSet<(OrganizationId, UserId)>,
    /// Users who are to be erased.
    pub(super) erased_users: BTreeSet<(OrganizationId, UserId)>,
    pub(super) groups: BTreeSet<(OrganizationId, GroupId)>,
    pub(super) group_names: BTreeSet<(OrganizationId, String)>,
    pub(super) members: BTreeSet<(OrganizationId, (GroupId, UserId))>,
    /// Groups whose members are all needed.
    pub(super) whole_groups: BTreeSet<(OrganizationId, GroupId)>,
    pub(super) workspaces: BTreeSet<(OrganizationId, WorkspaceId)>,
    pub(super) workspace_names: BTreeSet<(OrganizationId, String)>,
    pub(super) settings_of: BTreeSet<OrganizationId>,
    pub(super) tokens: BTreeSet<(OrganizationId, TokenId)>,
    pub(super) dead_letters: BTreeSet<(OrganizationId, DeadLetterId)>,
    pub(super) sessions: BTreeSet<(OrganizationId, SessionId)>,
    pub(super) streams: BTreeSet<(OrganizationId, StreamId)>,
}

/// Keys as two columns.
pub(super) fn columns<T: Clone>(keys: &BTreeSet<(OrganizationId, T)>) -> Keys<T> {
    keys.iter().cloned().unzip()
}

impl Touched {
    /// What these requests may touch.
    pub(super) fn by(requests: &[Request], expected: Expected) -> Self {
        let mut touched = Self::default();
        for request in requests {
            let organization = request.organization_id;
            touched.organizations.insert(organization);
            // Who gives a key of their own may well give it again.
            let may_be_repeated = expected == Expected::Repeats || request.fingerprint.is_some();
            if may_be_repeated {
                touched.events.0.push(organization);
                touched.events.1.push(request.id);
            }
            match &request.body {
                RequestBody::UserRequested(call) => {
                    if may_be_repeated || !matches!(call.operation, UserOperation::Create(_)) {
                        touched.users.insert((organization, call.user_id));
                    }
                    touched.workspaces.insert((organization, call.default_workspace));
                    touched.operation(organization, &call.operation);
                }
                RequestBody::GroupRequested(call) => touched.group(organization, call),
                RequestBody::SettingsRequested(settings) => touched.settings(organization, settings),
                RequestBody::AccessDenied(_) | RequestBody::StreamAcknowledged(_) => {}
            }
        }
        touched
    }

    fn operation(&mut self, organization: OrganizationId, operation: &UserOperation) {
        match operation {
            UserOperation::Create(attributes) | UserOperation::Replace(attributes) => {
                if let Some(name) = text(attributes, "userName") {
                    self.user_names.insert((organization, fold_case(name)));
                }
                for membership in memberships(attributes).unwrap_or_default() {
                    self.workspaces.insert((organization, membership.workspace_id));
                }
            }
            UserOperation::Patch(operations) => {
                for operation in operations {
                    // A workspace can be named in a value or inside the brackets of a path.
                    let path = operation.path.to_string();
                    let ids = uuids(&path).chain(operation.value.iter().flat_map(texts).flat_map(uuids));
                    self.workspaces.extend(ids.map(|id| (organization, WorkspaceId(id))));
                    if path.to_ascii_lowercase().ends_with("username") {
                        self.user_names.extend(operation.value.iter().flat_map(texts).map(|name| (organization, fold_case(name))));
                    }
                }
            }
            UserOperation::Delete => {}
        }
    }

    fn group(&mut self, organization: OrganizationId, call: &GroupRequested) {
        self.groups.insert((organization, call.group_id));
        match &call.operation {
            GroupOperation::Create(attributes, _) | GroupOperation::Replace(attributes, _) => {
                self.group_names.extend(text(attributes, "displayName").map(|name| (organization, fold_case(name))));
            }
            GroupOperation::Patch(operations, _) => {
                let values = operations.iter().flat_map(|operation| &operation.value).flat_map(texts);
                self.group_names.extend(values.map(|name| (organization, fold_case(name))));
            }
            GroupOperation::Delete => return,
        }
        for change in call.operation.member_changes() {
            let users = match change {
                MemberChange::Set(users) => {
                    self.whole_groups.insert((organization, call.group_id));
                    users
                }
                MemberChange::Add(users) | MemberChange::Remove(users) => users,
            };
            self.known_users.extend(users.iter().map(|user| (organization, *user)));
            self.members.extend(users.into_iter().map(|user| (organization, (call.group_id, user))));
        }
    }

    fn settings(&mut self, organization: OrganizationId, settings: &SettingsRequested) {
        self.settings_of.insert(organization);
        match settings {
            SettingsRequested::ChangeRecording { .. } => {}
            SettingsRequested::CreateOrganization { organization_id, .. } => {
                self.settings_of.insert(*organization_id);
            }
            SettingsRequested::CreateWorkspace { workspace_id, name } => {
                self.workspaces.insert((organization, *workspace_id));
                self.workspace_names.insert((organization, fold_case(name)));
            }
            SettingsRequested::MapGroup { group_id, workspaces } => {
                self.groups.insert((organization, *group_id));
                self.workspaces.extend(workspaces.keys().map(|id| (organization, *id)));
            }
            SettingsRequested::EraseUser { user_id } => {
                self.known_users.insert((organization, *user_id));
                self.erased_users.insert((organization, *user_id));
            }
            SettingsRequested::DeadLetter { dead_letter_id, .. } => {
                self.dead_letters.insert((organization, *dead_letter_id));
            }
            SettingsRequested::Session { session_id, .. } => {
                self.sessions.insert((organization, *session_id));
            }
            SettingsRequested::IssueToken { token_id, settings, .. } | SettingsRequested::ChangeToken { token_id, settings } => {
                self.tokens.insert((organization, *token_id));
                self.workspaces.insert((organization, settings.default_workspace));
            }
            SettingsRequested::IssueAuditorToken { token_id, .. }
            | SettingsRequested::RevokeToken { token_id }
            | SettingsRequested::AnnounceExpiry { token_id, .. } => {
                self.tokens.insert((organization, *token_id));
            }
            SettingsRequested::Stream { stream_id, change } => {
                self.streams.insert((organization, *stream_id));
                if let StreamChange::Create(settings) = change {
                    self.workspaces.extend(settings.workspaces.iter().map(|id| (organization, *id)));
                }
            }
        }
    }
}

/// All texts in a value.
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
