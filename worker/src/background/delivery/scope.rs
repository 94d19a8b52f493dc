//! The logs that a delivery reads.

use rollcall_events::OrganizationId;

/// The logs that a delivery reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::background) enum Scope {
    /// The logs of all organizations, and that of the system organization.
    All,
    /// The logs of these organizations.
    Listed(Vec<OrganizationId>),
}

impl Scope {
    /// Whether the delivery reads the log of an organization.
    pub(in crate::background) fn includes(&self, organization: OrganizationId) -> bool {
        match self {
            Self::All => true,
            Self::Listed(organizations) => organizations.contains(&organization),
        }
    }

    /// The listed organizations; `None` means all.
    pub(in crate::background) fn listed(&self) -> Option<&[OrganizationId]> {
        match self {
            Self::All => None,
            Self::Listed(organizations) => Some(organizations),
        }
    }
}
