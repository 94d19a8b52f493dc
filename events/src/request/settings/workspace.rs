//! Requests about workspaces.

use serde::{Deserialize, Serialize};

use crate::WorkspaceId;
use crate::name::UniqueName;

/// Creates a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateWorkspace {
    /// The id of the new workspace.
    pub workspace_id: WorkspaceId,
    /// Its name, unique in the organization.
    pub name: UniqueName,
}
