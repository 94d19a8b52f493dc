//! Workspaces and groups for the pages. Counts and lists have a limit.

use rollcall_events::{GroupId, OrganizationId, UserId, WorkspaceId};
use tokio_postgres::Row;

use super::{Database, ReadError};

/// The limit of counts and lists.
pub const COUNT_LIMIT: i64 = 1000;

const WORKSPACES: &str = "
    SELECT w.id, w.name, (
        SELECT count(*) FROM (
            SELECT FROM workspace_members m WHERE m.organization_id = $1 AND m.workspace_id = w.id LIMIT $2
        ) AS counted
    ) AS members
    FROM workspaces w WHERE w.organization_id = $1 ORDER BY w.name_key, w.id LIMIT 1000";

const MEMBERS: &str = "
    SELECT u.id, u.resource ->> 'userName' AS name, NULL AS through
    FROM workspace_members m JOIN users u ON u.organization_id = m.organization_id AND u.id = m.user_id
    WHERE m.organization_id = $1 AND m.workspace_id = $2
    UNION ALL
    SELECT u.id, u.resource ->> 'userName', g.resource ->> 'displayName'
    FROM group_workspaces gw
    JOIN groups g ON g.organization_id = gw.organization_id AND g.id = gw.group_id
    JOIN group_members gm ON gm.organization_id = gw.organization_id AND gm.group_id = gw.group_id
    JOIN users u ON u.organization_id = gm.organization_id AND u.id = gm.user_id
    WHERE gw.organization_id = $1 AND gw.workspace_id = $2
    LIMIT $3";

const GROUPS: &str = "
    SELECT g.id, g.resource ->> 'displayName' AS name, (
        SELECT count(*)
        FROM (SELECT FROM group_members m WHERE m.organization_id = $1 AND m.group_id = g.id LIMIT $2) AS counted
    ) AS members, ARRAY (
        SELECT w.name FROM group_workspaces gw
        JOIN workspaces w ON w.organization_id = gw.organization_id AND w.id = gw.workspace_id
        WHERE gw.organization_id = $1 AND gw.group_id = g.id ORDER BY w.name_key
    ) AS workspaces
    FROM groups g WHERE g.organization_id = $1 ORDER BY g.display_name_key LIMIT 1000";

const MAPPING: &str = "
    SELECT g.resource ->> 'displayName' AS name, gw.workspace_id, gw.permissions
    FROM groups g LEFT JOIN group_workspaces gw ON gw.organization_id = g.organization_id AND gw.group_id = g.id
    WHERE g.organization_id = $1 AND g.id = $2";

/// A workspace, and the number of users with a direct membership.
pub struct ListedWorkspace {
    /// The workspace.
    pub id: WorkspaceId,
    /// Its name.
    pub name: String,
    /// The number of its members.
    pub members: i64,
}

/// A member of a workspace, and the mapped group that the membership comes from, if it does.
pub struct WorkspaceMember {
    /// The user.
    pub id: UserId,
    /// The user's name.
    pub name: String,
    /// The group that makes the user a member; `None` if the user is a member directly.
    pub through: Option<String>,
}

/// A group, the number of its members, and the workspaces that it is mapped to.
pub struct ListedGroup {
    /// The group.
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// The number of its members.
    pub members: i64,
    /// The names of its workspaces.
    pub workspaces: Vec<String>,
}

/// The mapping of a group: the workspaces, each with its permissions.
pub struct GroupMapping {
    /// The name of the group.
    pub name: String,
    /// The workspaces of the group, each with the permissions in it.
    pub workspaces: Vec<(WorkspaceId, Vec<String>)>,
}

/// An organization's workspaces, at most 1,000.
pub async fn list_workspaces(
    database: &Database,
    organization: OrganizationId,
) -> Result<Vec<ListedWorkspace>, ReadError> {
    let read = |row: &Row| {
        Ok(ListedWorkspace { id: row.try_get("id")?, name: row.try_get("name")?, members: row.try_get("members")? })
    };
    database.queries(organization).query(WORKSPACES, &[&organization, &COUNT_LIMIT]).await?.iter().map(read).collect()
}

/// The members of a workspace, at most 1,000.
pub async fn workspace_members(
    database: &Database,
    organization: OrganizationId,
    workspace: WorkspaceId,
) -> Result<Vec<WorkspaceMember>, ReadError> {
    let read = |row: &Row| {
        Ok(WorkspaceMember { id: row.try_get("id")?, name: row.try_get("name")?, through: row.try_get("through")? })
    };
    database
        .queries(organization)
        .query(MEMBERS, &[&organization, &workspace, &COUNT_LIMIT])
        .await?
        .iter()
        .map(read)
        .collect()
}

/// An organization's groups, at most 1,000.
pub async fn list_groups(database: &Database, organization: OrganizationId) -> Result<Vec<ListedGroup>, ReadError> {
    let read = |row: &Row| {
        Ok(ListedGroup {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            members: row.try_get("members")?,
            workspaces: row.try_get("workspaces")?,
        })
    };
    database.queries(organization).query(GROUPS, &[&organization, &COUNT_LIMIT]).await?.iter().map(read).collect()
}

/// A group and its mapping.
pub async fn group_mapping(
    database: &Database,
    organization: OrganizationId,
    group: GroupId,
) -> Result<Option<GroupMapping>, ReadError> {
    let rows = database.queries(organization).query(MAPPING, &[&organization, &group]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let mut workspaces = Vec::new();
    for row in &rows {
        if let Some(id) = row.try_get::<_, Option<WorkspaceId>>("workspace_id")? {
            workspaces.push((id, row.try_get("permissions")?));
        }
    }
    Ok(Some(GroupMapping { name: first.try_get("name")?, workspaces }))
}
