//! The parts of `permissions` in the terms of the model. Ids or names may be given; the names of workspaces
//! are looked up.

use rollcall_events::WorkspaceId;
use rollcall_scim::casefold::casefold;
use rollcall_scim::{ScimError, lenience};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

use super::vocabulary::BrazeVocabulary;

/// The known strings and the looked-up workspaces that a translation uses.
#[derive(Clone, Copy)]
pub(super) struct Vocabulary<'a> {
    pub(super) known: &'a BrazeVocabulary,
    /// The workspaces, by the keys of their names.
    pub(super) ids: &'a HashMap<String, WorkspaceId>,
}

impl Vocabulary<'_> {
    /// The id of the workspace of that name.
    pub(super) fn workspace_id(&self, name: &str) -> Result<WorkspaceId, ScimError> {
        let unknown = || ScimError::invalid_value("permissions.appGroup: there is no workspace of that name");
        self.ids.get(&casefold(name)).copied().ok_or_else(unknown)
    }

    /// A workspace of `appGroup`, with the parts that are given. `chosen` is the id of the one that it stands
    /// for, if something else says it.
    pub(super) fn workspace(&self, mut group: Map<String, Value>, chosen: Option<&Value>) -> Result<Value, ScimError> {
        let mut workspace = Map::new();
        let name = group.remove("appGroupName");
        let id = match (group.remove("appGroupId"), name.as_ref().and_then(Value::as_str), chosen) {
            (Some(id), ..) => id,
            (None, Some(name), _) => json!(self.workspace_id(name)?),
            (None, None, Some(id)) => id.clone(),
            (None, None, None) => {
                return Err(ScimError::invalid_value("permissions.appGroup has neither appGroupId nor appGroupName"));
            }
        };
        workspace.insert("value".to_owned(), id);
        for (name, part) in group.into_iter().filter(|(_, part)| !part.is_null()) {
            let (name, part) = match name.as_str() {
                "appGroupPermissions" => ("permissions", self.known.app_group_permissions(part)?),
                "appGroupPermissionSets" => ("permissionSets", permission_sets(part)?),
                _ => ("teams", self.teams(part)?),
            };
            workspace.insert(name.to_owned(), part);
        }
        Ok(workspace.into())
    }

    /// The workspaces of `appGroup`.
    pub(super) fn workspaces(&self, groups: Value) -> Result<Value, ScimError> {
        objects("permissions.appGroup", groups)?.into_iter().map(|group| self.workspace(group, None)).collect()
    }

    /// The teams in a workspace.
    pub(super) fn teams(&self, teams: Value) -> Result<Value, ScimError> {
        const PATH: &str = "permissions.appGroup.team";
        let team = |mut team: Map<String, Value>| {
            let permissions = team.remove("teamPermissions").unwrap_or_default();
            let mut named = named(PATH, &team, "teamId", "teamName")?;
            named["permissions"] = self.known.team_permissions(permissions)?;
            Ok(named)
        };
        objects(PATH, teams)?.into_iter().map(team).collect()
    }
}

/// The permission sets in a workspace.
pub(super) fn permission_sets(sets: Value) -> Result<Value, ScimError> {
    const PATH: &str = "permissions.appGroup.appGroupPermissionSets";
    let set = |set| named(PATH, &set, "appGroupPermissionSetId", "appGroupPermissionSetName");
    objects(PATH, sets)?.into_iter().map(set).collect()
}

/// The roles.
pub(super) fn roles(roles: Value) -> Result<Value, ScimError> {
    const PATH: &str = "permissions.roles";
    objects(PATH, roles)?.into_iter().map(|role| named(PATH, &role, "roleId", "roleName")).collect()
}

/// Reads a role, team or permission set. If it has a name and no id, the name is its id.
fn named(path: &str, object: &Map<String, Value>, id: &str, name: &str) -> Result<Value, ScimError> {
    match (object.get(id), object.get(name)) {
        (Some(id), Some(name)) => Ok(json!({"value": id, "display": name})),
        (Some(id), None) => Ok(json!({"value": id})),
        (None, Some(name)) => Ok(json!({"value": name, "display": name})),
        (None, None) => Err(ScimError::invalid_value(format!("{path} has neither {id} nor {name}"))),
    }
}

/// The objects of a list.
pub(super) fn objects(path: &str, values: Value) -> Result<Vec<Map<String, Value>>, ScimError> {
    let object = |value| match value {
        Value::Object(object) => Ok(object),
        _ => Err(ScimError::invalid_value(format!("{path} is not a list of objects"))),
    };
    lenience::list(values).into_iter().map(object).collect()
}
