//! The roles of administrators.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A role on an organization's pages. Roles with more rights sort first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Has all rights.
    Owner,
    /// Has all rights except those of owners.
    Administrator,
    /// May read the log.
    Auditor,
}

/// The text is not a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is owner, administrator or auditor")]
pub struct UnknownRole;

impl Role {
    /// Whether the role may change settings.
    pub fn may_administer(self) -> bool {
        matches!(self, Self::Owner | Self::Administrator)
    }

    /// The name of the role, as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Administrator => "administrator",
            Self::Auditor => "auditor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        [Self::Owner, Self::Administrator, Self::Auditor]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(UnknownRole)
    }
}
