//! The workspaces that a user belongs to, and why.

use rollcall_events::{OrganizationId, UserId};

use super::{Database, ReadError};

/// The memberships in the user's own resource, then those from the mappings of the user's groups.
const OF_USER: &str = "
    SELECT w.name, m.permissions, NULL AS through
    FROM workspace_members m JOIN workspaces w ON w.organization_id = m.organization_id AND w.id = m.workspace_id
    WHERE m.organization_id = $1 AND m.user_id = $2
    UNION ALL
    SELECT w.name, gw.permissions, g.resource ->> 'displayName'
    FROM group_members gm
    JOIN group_workspaces gw ON gw.organization_id = gm.organization_id AND gw.group_id = gm.group_id
    JOIN groups g ON g.organization_id = gm.organization_id AND g.id = gm.group_id
    JOIN workspaces w ON w.organization_id = gw.organization_id AND w.id = gw.workspace_id
    WHERE gm.organization_id = $1 AND gm.user_id = $2
    LIMIT 500";

/// A user's membership of a workspace.
pub struct Membership {
    /// The name of the workspace.
    pub workspace: String,
    /// The user's permissions in the workspace.
    pub permissions: Vec<String>,
    /// The name of the mapped group that the membership comes from, if it does.
    pub through: Option<String>,
}

/// The memberships of a user, at most 500.
pub async fn memberships(
    database: &Database,
    organization: OrganizationId,
    user: UserId,
) -> Result<Vec<Membership>, ReadError> {
    let read = |row: &tokio_postgres::Row| {
        Ok(Membership {
            workspace: row.try_get("name")?,
            permissions: row.try_get("permissions")?,
            through: row.try_get("through")?,
        })
    };
    database.queries(organization).query(OF_USER, &[&organization, &user]).await?.iter().map(read).collect()
}
