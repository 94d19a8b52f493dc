//! Workspaces, and the types of entitlements.

use rollcall_events::{OrganizationId, WorkspaceId};

use std::collections::HashMap;

use super::{Database, ReadError};

const TYPES: &str = "
    SELECT DISTINCT type FROM entitlements WHERE organization_id = $1 AND kind = 'entitlement'
    ORDER BY type LIMIT 1000";
const LIST: &str = "SELECT id, name FROM workspaces WHERE organization_id = $1 ORDER BY name_key, id LIMIT 1000";
const NAMES: &str = "SELECT id, name FROM workspaces WHERE organization_id = $1 AND id = ANY ($2)";
const NAMED: &str = "SELECT id, name_key FROM workspaces WHERE organization_id = $1 AND name_key = ANY ($2)";

/// The types of the entitlements that an organization's administrators have defined.
pub async fn defined_types(database: &Database, organization: OrganizationId) -> Result<Vec<String>, ReadError> {
    let rows = database.points(organization).query(TYPES, &[&organization]).await?;
    rows.iter().map(|row| Ok(row.try_get("type")?)).collect()
}

/// The workspaces with these casefolded names, by name.
pub async fn workspaces_named(
    database: &Database,
    organization: OrganizationId,
    keys: &[String],
) -> Result<HashMap<String, WorkspaceId>, ReadError> {
    let rows = database.points(organization).query(NAMED, &[&organization, &keys]).await?;
    rows.iter().map(|row| Ok((row.try_get("name_key")?, row.try_get("id")?))).collect()
}

/// The names of some of an organization's workspaces, by id.
pub async fn workspace_names(
    database: &Database,
    organization: OrganizationId,
    ids: &[WorkspaceId],
) -> Result<HashMap<WorkspaceId, String>, ReadError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = database.points(organization).query(NAMES, &[&organization, &ids]).await?;
    rows.iter().map(|row| Ok((row.try_get("id")?, row.try_get("name")?))).collect()
}

/// An organization's workspaces with their names, at most 1,000, for a list to choose from.
pub async fn named_workspaces(
    database: &Database,
    organization: OrganizationId,
) -> Result<Vec<(WorkspaceId, String)>, ReadError> {
    let rows = database.points(organization).query(LIST, &[&organization]).await?;
    rows.iter().map(|row| Ok((row.try_get("id")?, row.try_get("name")?))).collect()
}
