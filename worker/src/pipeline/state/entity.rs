//! The entities of the state.

use rollcall_events::request::{EntitlementKind, EntitlementSettings};
use rollcall_events::{EntitlementId, GroupId, OrganizationId, Timestamp, UserId, WorkspaceId};
use rollcall_scim::casefold::casefold;
use rollcall_scim::resource::{Attributes, text};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// A resource as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored<Id> {
    pub(crate) id: Id,
    pub(crate) resource: Arc<Attributes>,
}

/// A user.
pub(crate) type User = Stored<UserId>;
/// A group, without its members.
pub(crate) type Group = Stored<GroupId>;
/// The resource before a change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Before {
    User(User),
    Group(Group),
}

/// A workspace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Workspace {
    pub(crate) id: WorkspaceId,
    pub(crate) name: String,
    pub(crate) created_at: Timestamp,
}

/// A role or an entitlement that users can have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entitlement {
    pub(crate) id: EntitlementId,
    #[serde(flatten)]
    pub(crate) settings: EntitlementSettings,
    pub(crate) created_at: Timestamp,
}

/// The state of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionState {
    /// Its link can be used until this time.
    Invited(Timestamp),
    SignedIn,
    Ended,
}

/// Whether a token may still be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenStatus {
    Valid,
    RevokedAt(Timestamp),
}

impl Before {
    pub(crate) fn user(&self) -> Option<&User> {
        if let Self::User(user) = self { Some(user) } else { None }
    }

    pub(crate) fn group(&self) -> Option<&Group> {
        if let Self::Group(group) = self { Some(group) } else { None }
    }
}

impl Entitlement {
    /// The key by which the name is unique.
    pub(crate) fn name_key(&self, organization: OrganizationId) -> (OrganizationId, EntitlementKind, String) {
        (organization, self.settings.kind, casefold(self.settings.name.as_str()))
    }
}

impl User {
    /// The key by which the user's name is unique.
    pub(crate) fn name_key(&self) -> String {
        casefold(text(&self.resource, "userName").unwrap_or_default())
    }
}

impl Group {
    /// The key by which the group's name is unique.
    pub(crate) fn name_key(&self) -> String {
        casefold(text(&self.resource, "displayName").unwrap_or_default())
    }
}

impl<Id> Stored<Id> {
    fn meta(&self, name: &str) -> &str {
        self.resource.get("meta").and_then(|meta| meta[name].as_str()).unwrap_or_default()
    }

    /// When the resource was created.
    pub(crate) fn created(&self) -> &str {
        self.meta("created")
    }

    /// When the resource was last changed.
    pub(crate) fn last_modified(&self) -> &str {
        self.meta("lastModified")
    }

    /// The entity tag of the resource.
    pub(crate) fn etag(&self) -> &str {
        self.meta("version")
    }

    /// The version of the resource: 1, 2, 3 …
    pub(crate) fn version(&self) -> u64 {
        self.etag().trim_start_matches("W/").trim_matches('"').parse().unwrap_or(0)
    }
}

/// Whether an account is active. It is unless `active` is false.
pub(crate) fn is_active(resource: &Attributes) -> bool {
    resource.get("active").and_then(Value::as_bool).unwrap_or(true)
}
