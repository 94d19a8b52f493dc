//! Where a user belongs, and why.

use rollcall_events::{OrganizationId, UserId};

use super::{Database, ReadError};

/// The memberships that the user's own resource names, then those that its groups are mapped to.
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

/// A user's place in a workspace.
pub(crate) struct Belonging {
    /// The workspace's name.
    pub(crate) workspace: String,
    /// What the user may do there.
    pub(crate) permissions: Vec<String>,
    /// The name of the group that brings it, if one does.
    pub(crate) through: Option<String>,
}

/// The memberships of a user, up to five hundred.
pub(crate) async fn belongings(database: &Database, organization: OrganizationId, user: UserId) -> Result<Vec<Belonging>, ReadError> {
    let read = |row: &tokio_postgres::Row| {
        Ok(Belonging { workspace: row.try_get("name")?, permissions: row.try_get("permissions")?, through: row.try_get("through")? })
    };
    database.queries(organization).query(OF_USER, &[&organization, &user]).await?.iter().map(read).collect()
}
