//! Workspaces.

use rollcall_events::{OrganizationId, WorkspaceId};

use super::{Database, ReadError};

const FIRST: &str = "SELECT id FROM workspaces WHERE organization_id = $1 ORDER BY created_at, id LIMIT 100";

/// The ids of an organisation's first hundred workspaces.
pub(crate) async fn first_workspaces(database: &Database, organization: OrganizationId) -> Result<Vec<WorkspaceId>, ReadError> {
    database.query(FIRST, &[&organization]).await?.iter().map(|row| Ok(row.try_get("id")?)).collect()
}
