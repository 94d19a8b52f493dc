//! Roles and entitlements that users can have.

use serde::{Deserialize, Serialize};

/// A change of a role or an entitlement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EntitlementChange {
    /// Callers can read it and assign it to users.
    Define(EntitlementSettings),
    /// Callers can no longer assign it. Users who have it keep its id.
    Remove(EntitlementKind),
}

/// A role or an entitlement, as an administrator defines it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntitlementSettings {
    /// Which of the two it is.
    pub kind: EntitlementKind,
    /// Its name, unique among those of its kind in the organization, whatever its case.
    pub name: String,
    /// What kind of entitlement it is, as the `type` of a user's entitlements has it, such as `License`. For a role it is [`ROLE_TYPE`].
    #[serde(rename = "type")]
    pub type_name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Which attribute of a user it is assigned by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntitlementKind {
    /// `roles`.
    Role,
    /// `entitlements`.
    Entitlement,
}

impl EntitlementKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Role, Self::Entitlement];

    /// The name, as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Entitlement => "entitlement",
        }
    }

    /// The attribute of a user that has such values.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::Role => "roles",
            Self::Entitlement => "entitlements",
        }
    }
}

impl std::str::FromStr for EntitlementKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| "it is role or entitlement".to_owned())
    }
}

/// The `type` of a role.
pub const ROLE_TYPE: &str = "Role";
/// The `type` of an entitlement that is no other.
pub const ENTITLEMENT_TYPE: &str = "Entitlement";
/// The `type` of an entitlement that is a workspace: who is entitled to it is a member.
pub const WORKSPACE_TYPE: &str = "Workspace";
