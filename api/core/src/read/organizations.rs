//! Reads organizations.

use rollcall_events::OrganizationId;

use super::{Database, ReadError};

const NAMES: &str = "SELECT id, name FROM organizations WHERE id = ANY ($1) ORDER BY name, id LIMIT 1000";

/// The organizations among some ids that exist, with their names, sorted by name.
pub async fn organization_names(
    database: &Database,
    ids: &[OrganizationId],
) -> Result<Vec<(OrganizationId, String)>, ReadError> {
    database
        .sessions()
        .query(NAMES, &[&ids])
        .await?
        .iter()
        .map(|row| Ok((row.try_get("id")?, row.try_get("name")?)))
        .collect()
}
