//! Requests about roles and entitlements that users can have.

use serde::{Deserialize, Serialize};

use crate::EntitlementId;
use crate::name::{Description, EntitlementType, UniqueName};

/// Changes a role or an entitlement that users can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeEntitlement {
    /// The role or entitlement.
    pub entitlement_id: EntitlementId,
    /// The change of the role or entitlement.
    pub change: EntitlementChange,
}

/// A change of a role or an entitlement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EntitlementChange {
    /// Defines it. Callers can read it and assign it to users.
    Define(EntitlementSettings),
    /// Removes it. Callers can no longer assign it, and users who have it keep its id.
    Remove(EntitlementKind),
}

/// A role or an entitlement, as an administrator defines it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntitlementSettings {
    /// Whether this is a role or an entitlement.
    pub kind: EntitlementKind,
    /// The name. It is unique among those of the same kind in the organization, ignoring case.
    pub name: UniqueName,
    /// The `type` in a user's `entitlements`, such as `License`. For a role it is [`ROLE_TYPE`].
    #[serde(rename = "type")]
    pub type_name: EntitlementType,
    /// A description for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
}

/// A role or an entitlement; it decides the user's attribute that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntitlementKind {
    /// `roles`.
    Role,
    /// `entitlements`.
    Entitlement,
}

impl EntitlementKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Role, Self::Entitlement];

    /// The name of the kind, as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Entitlement => "entitlement",
        }
    }

    /// The name of the user's attribute that holds such values.
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
/// The `type` of an entitlement that has no other type.
pub const ENTITLEMENT_TYPE: &str = "Entitlement";
