//! Workspaces.

use rollcall_events::{OrganizationId, WorkspaceId};
use std::collections::BTreeMap;

use super::{Database, ReadError};

const FIRST: &str = "SELECT id FROM workspaces WHERE organization_id = $1 ORDER BY created_at, id LIMIT 100";
const NAMES: &str = "SELECT id, name FROM workspaces WHERE organization_id = $1 AND id = ANY ($2)";

/// The ids of an organisation's first hundred workspaces.
pub(crate) async fn first_workspaces(database: &Database, organization: OrganizationId) -> Result<Vec<WorkspaceId>, ReadError> {
    database.query(FIRST, &[&organization]).await?.iter().map(|row| Ok(row.try_get("id")?)).collect()
}

/// The names of workspaces.
pub(crate) async fn workspace_names(
    database: &Database,
    organization: OrganizationId,
    ids: &[WorkspaceId],
) -> Result<BTreeMap<WorkspaceId, String>, ReadError> {
    database.query(NAMES, &[&organization, &ids]).await?.iter().map(|row| Ok((row.try_get("id")?, row.try_get("name")?))).collect()
}
