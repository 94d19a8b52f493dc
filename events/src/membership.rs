//! Where a user belongs: the Rollcall extension of a resource, read into types.

use rollcall_scim::ScimError;
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::ROLLCALL_SCHEMA;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

use crate::WorkspaceId;

/// A user's membership of one workspace.
#[derive(Debug, Clone, PartialEq)]
pub struct Membership {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// What the user may do there.
    pub permissions: Vec<String>,
    /// The user's teams there, as the resource has them.
    pub teams: Value,
}

fn workspaces(user: &Attributes) -> &[Value] {
    let workspaces = user.get(ROLLCALL_SCHEMA).and_then(|extension| extension.get("workspaces"));
    workspaces.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The memberships that a user's resource names.
///
/// # Errors
/// 400 `invalidValue` where a workspace's id is not one, or one is named twice.
pub fn memberships(user: &Attributes) -> Result<Vec<Membership>, ScimError> {
    let mut seen = BTreeSet::new();
    let read = |workspace: &Value| {
        let value = workspace["value"].as_str().unwrap_or_default();
        let workspace_id: WorkspaceId = value.parse().map_err(|_| unknown_workspace(value))?;
        if !seen.insert(workspace_id) {
            return Err(named_twice(&workspace_id.to_string()));
        }
        let permissions = workspace["permissions"].as_array().map_or(&[][..], Vec::as_slice);
        Ok(Membership {
            workspace_id,
            permissions: permissions.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            teams: workspace.get("teams").cloned().unwrap_or_else(|| json!([])),
        })
    };
    workspaces(user).iter().map(read).collect()
}

/// The error for a workspace that the organisation does not have.
pub fn unknown_workspace(value: &str) -> ScimError {
    let shown: String = value.chars().take(64).collect();
    ScimError::invalid_value(format!("{ROLLCALL_SCHEMA}:workspaces: there is no workspace {shown}"))
}

/// The ids of the workspaces that a user's resource names.
pub fn workspace_ids(user: &Attributes) -> BTreeSet<WorkspaceId> {
    workspaces(user).iter().filter_map(|workspace| workspace["value"].as_str()?.parse().ok()).collect()
}

/// Puts a user into more workspaces, without permissions there.
pub fn join(user: &mut Attributes, workspaces: &BTreeSet<WorkspaceId>) {
    if workspaces.is_empty() {
        return;
    }
    let extension = user.entry(ROLLCALL_SCHEMA).or_insert_with(|| json!({}));
    let joined = workspaces.iter().map(|id| json!({"value": id}));
    match extension.get_mut("workspaces").and_then(Value::as_array_mut) {
        Some(present) => present.extend(joined),
        None => extension["workspaces"] = joined.collect(),
    }
}

/// Takes a user out of workspaces.
pub fn leave(user: &mut Attributes, workspaces: &BTreeSet<WorkspaceId>) {
    let Some(Value::Object(extension)) = user.get_mut(ROLLCALL_SCHEMA).filter(|_| !workspaces.is_empty()) else { return };
    if let Some(present) = extension.get_mut("workspaces").and_then(Value::as_array_mut) {
        present.retain(|workspace| !workspace["value"].as_str().and_then(|id| id.parse().ok()).is_some_and(|id| workspaces.contains(&id)));
        if present.is_empty() {
            extension.remove("workspaces");
        }
    }
    if extension.is_empty() {
        user.remove(ROLLCALL_SCHEMA);
    }
}

/// Checks that a body names no workspace twice. Whether two names are of one workspace is decided with the state.
///
/// # Errors
/// 400 `invalidValue` that names the workspace.
pub fn check_named_once(user: &Attributes) -> Result<(), ScimError> {
    let mut seen = BTreeSet::new();
    let values = workspaces(user).iter().filter_map(|workspace| workspace["value"].as_str());
    match values.map(str::to_lowercase).find(|value| !seen.insert(value.clone())) {
        Some(value) => Err(named_twice(&value)),
        None => Ok(()),
    }
}

fn named_twice(value: &str) -> ScimError {
    let shown: String = value.chars().take(64).collect();
    ScimError::invalid_value(format!("{ROLLCALL_SCHEMA}:workspaces names {shown} twice"))
}

/// Puts a user that names no workspace into one.
pub fn join_default(user: &mut Attributes, workspace_id: WorkspaceId) {
    if workspaces(user).is_empty() {
        let extension = user.entry(ROLLCALL_SCHEMA).or_insert_with(|| json!({}));
        extension["workspaces"] = json!([{"value": workspace_id}]);
    }
}

/// Where a workspace is named more than once, as after a PATCH that adds one with other permissions, the last naming counts.
pub fn keep_last(user: &mut Attributes) {
    let workspaces = user.get_mut(ROLLCALL_SCHEMA).and_then(|extension| extension.get_mut("workspaces"));
    let Some(workspaces) = workspaces.and_then(Value::as_array_mut) else { return };
    let mut seen = BTreeSet::new();
    let mut kept: Vec<_> = workspaces.drain(..).rev().filter(|workspace| seen.insert(workspace["value"].to_string())).collect();
    kept.reverse();
    *workspaces = kept;
}

/// Writes each workspace's name beside its id: names are looked up when a user is shown, so that they are always today's.
pub fn show_names(user: &mut Attributes, names: &BTreeMap<WorkspaceId, String>) {
    let workspaces = user.get_mut(ROLLCALL_SCHEMA).and_then(|extension| extension.get_mut("workspaces"));
    for workspace in workspaces.and_then(Value::as_array_mut).into_iter().flatten() {
        let id = workspace["value"].as_str().and_then(|value| value.parse().ok());
        if let Some(name) = id.and_then(|id| names.get(&id)) {
            workspace["display"] = json!(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(workspaces: Value) -> Attributes {
        json!({"userName": "ada", ROLLCALL_SCHEMA: {"workspaces": workspaces}}).as_object().cloned().unwrap()
    }

    #[test]
    fn memberships_are_read_and_named() {
        let id = WorkspaceId::generate();
        let mut user = user(json!([{"value": id, "permissions": ["read"], "teams": [{"value": "t"}]}]));
        let expected = Membership { workspace_id: id, permissions: vec!["read".to_owned()], teams: json!([{"value": "t"}]) };
        assert_eq!(memberships(&user).unwrap(), [expected]);
        show_names(&mut user, &BTreeMap::from([(id, "Marketing".to_owned())]));
        assert_eq!(user[ROLLCALL_SCHEMA]["workspaces"][0]["display"], "Marketing");
    }

    #[test]
    fn a_wrong_or_repeated_workspace_is_refused() {
        let id = WorkspaceId::generate();
        assert!(memberships(&user(json!([{"value": "Marketing"}]))).unwrap_err().detail.contains("no workspace Marketing"));
        assert!(memberships(&user(json!([{"value": id}, {"value": id}]))).unwrap_err().detail.contains("twice"));
    }

    #[test]
    fn the_last_naming_of_a_workspace_counts() {
        let (one, other) = (WorkspaceId::generate(), WorkspaceId::generate());
        let mut user = user(json!([{"value": one}, {"value": other}, {"value": one, "permissions": ["read"]}]));
        keep_last(&mut user);
        assert_eq!(user[ROLLCALL_SCHEMA]["workspaces"], json!([{"value": other}, {"value": one, "permissions": ["read"]}]));
    }

    #[test]
    fn the_default_workspace_is_only_for_who_names_none() {
        let (default, own) = (WorkspaceId::generate(), WorkspaceId::generate());
        let mut nowhere = json!({"userName": "ada"}).as_object().cloned().unwrap();
        join_default(&mut nowhere, default);
        assert_eq!(memberships(&nowhere).unwrap()[0].workspace_id, default);
        let mut somewhere = user(json!([{"value": own}]));
        join_default(&mut somewhere, default);
        assert_eq!(memberships(&somewhere).unwrap()[0].workspace_id, own);
    }
}
