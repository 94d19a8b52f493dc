//! Requests about organizations.

use serde::{Deserialize, Serialize};

use crate::OrganizationId;
use crate::name::DisplayName;

/// Creates an organization. This request belongs to the system organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateOrganization {
    /// The id of the new organization.
    pub organization_id: OrganizationId,
    /// Its name.
    pub name: DisplayName,
}
