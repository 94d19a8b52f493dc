//! Workspace memberships: the Rollcall extension of a user's resource, read into types.

use rollcall_scim::ScimError;
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::ROLLCALL_SCHEMA;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

use crate::WorkspaceId;
use crate::request::WORKSPACE_TYPE;

/// A user's membership of one workspace.
#[derive(Debug, Clone, PartialEq)]
pub struct Membership {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The user's permissions in the workspace.
    pub permissions: Vec<String>,
    /// The user's teams in the workspace, as the resource has them.
    pub teams: Value,
}

fn workspaces(user: &Attributes) -> &[Value] {
    let workspaces = user.get(ROLLCALL_SCHEMA).and_then(|extension| extension.get("workspaces"));
    workspaces.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The workspaces that a user is entitled to. An entitlement of the type `Workspace` is a membership, in
/// addition to those of the extension.
fn entitled(user: &Attributes) -> impl Iterator<Item = WorkspaceId> {
    let entitlements = user.get("entitlements").and_then(Value::as_array).into_iter().flatten();
    entitlements.filter(|value| is_workspace(value)).filter_map(|value| value["value"].as_str()?.parse().ok())
}

/// Whether an entitlement is of the type `Workspace`.
pub fn is_workspace(entitlement: &Value) -> bool {
    entitlement["type"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(WORKSPACE_TYPE))
}

/// The memberships in a user's resource: those of the extension, then those that only an entitlement gives.
///
/// # Errors
/// 400 `invalidValue` if a workspace id is malformed or a workspace is named twice.
pub fn memberships(user: &Attributes) -> Result<Vec<Membership>, ScimError> {
    let mut seen = BTreeSet::new();
    let read = |workspace: &Value| {
        let value = workspace["value"].as_str().unwrap_or_default();
        let workspace_id: WorkspaceId = value.parse().map_err(|_| unknown_workspace(WORKSPACES, value))?;
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
    let mut memberships = workspaces(user).iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let more = entitled(user).filter(|id| seen.insert(*id));
    memberships.extend(more.map(|workspace_id| Membership { workspace_id, permissions: Vec::new(), teams: json!([]) }));
    Ok(memberships)
}

/// The path of the attribute that lists a user's workspaces.
pub const WORKSPACES: &str = "urn:ietf:params:scim:schemas:extension:rollcall:2.0:User:workspaces";

/// The error for a workspace that does not exist in the organization. `path` is the attribute that names it.
pub fn unknown_workspace(path: &str, value: &str) -> ScimError {
    let shown: String = value.chars().take(64).collect();
    ScimError::invalid_value(format!("{path}: there is no workspace {shown}"))
}

/// Checks that a body names no workspace twice. This compares the texts only. Whether an id and a name mean
/// the same workspace is decided later, with the state.
///
/// # Errors
/// 400 `invalidValue`, with the name of the workspace.
pub fn check_named_once(user: &Attributes) -> Result<(), ScimError> {
    let mut seen = BTreeSet::new();
    let values = workspaces(user).iter().filter_map(|workspace| workspace["value"].as_str());
    let repeated = values.map(str::to_lowercase).find(|value| !seen.insert(value.clone()));
    repeated.map_or(Ok(()), |value| Err(named_twice(&value)))
}

fn named_twice(value: &str) -> ScimError {
    let shown: String = value.chars().take(64).collect();
    ScimError::invalid_value(format!("{WORKSPACES} names {shown} twice"))
}

/// Adds a user to a workspace if the user's resource names none.
pub fn join_default(user: &mut Attributes, workspace_id: WorkspaceId) {
    if workspaces(user).is_empty() && entitled(user).next().is_none() {
        let extension = user.entry(ROLLCALL_SCHEMA).or_insert_with(|| json!({}));
        extension["workspaces"] = json!([{"value": workspace_id}]);
    }
}

/// Merges values that name the same workspace, such as after a PATCH that adds a workspace again with other
/// permissions. The last value wins for each sub-attribute that it has; the others stay.
pub fn merge_repeated(user: &mut Attributes) {
    if let Some(workspaces) = list_mut(user.get_mut(ROLLCALL_SCHEMA), "workspaces") {
        merge_by(workspaces, value);
    }
}

/// Merges equal values inside a user's workspaces: teams and permission sets with the same `value`, and equal
/// permissions.
pub fn merge_within(user: &mut Attributes) {
    let mut extension = user.get_mut(ROLLCALL_SCHEMA);
    drop_repeated(extension.as_deref_mut(), "companyPermissions");
    for workspace in list_mut(extension, "workspaces").into_iter().flatten() {
        drop_repeated(Some(&mut *workspace), "permissions");
        for part in ["permissionSets", "teams"] {
            let Some(values) = list_mut(Some(&mut *workspace), part) else { continue };
            merge_by(values, value);
            for value in values {
                drop_repeated(Some(value), "permissions");
            }
        }
    }
}

fn list_mut<'a>(object: Option<&'a mut Value>, name: &str) -> Option<&'a mut Vec<Value>> {
    object.and_then(|object| object.get_mut(name)).and_then(Value::as_array_mut)
}

fn value(value: &Value) -> Option<String> {
    value["value"].as_str().map(str::to_owned)
}

fn drop_repeated(object: Option<&mut Value>, name: &str) {
    if let Some(texts) = list_mut(object, name) {
        let mut seen = BTreeSet::new();
        texts.retain(|text| text.as_str().is_none_or(|text| seen.insert(text.to_owned())));
    }
}

/// Merges values with the same key. A value without a key stays as it is.
pub fn merge_by<K: Ord>(values: &mut Vec<Value>, key: impl Fn(&Value) -> Option<K>) {
    let (mut merged, mut places) = (Vec::<Value>::with_capacity(values.len()), BTreeMap::new());
    for value in values.drain(..) {
        match key(&value) {
            None => merged.push(value),
            Some(key) => match (places.get(&key).and_then(|place: &usize| merged.get_mut(*place)), value) {
                (Some(Value::Object(present)), Value::Object(later)) => present.extend(later),
                (_, value) => {
                    places.insert(key, merged.len());
                    merged.push(value);
                }
            },
        }
    }
    *values = merged;
}

/// Adds the name of each workspace beside its id. Names are looked up whenever a user is returned, so they
/// are always current.
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
        assert_eq!(WORKSPACES, format!("{ROLLCALL_SCHEMA}:workspaces"));
        let id = WorkspaceId::generate();
        let mut user = user(json!([{"value": id, "permissions": ["read"], "teams": [{"value": "t"}]}]));
        let expected =
            Membership { workspace_id: id, permissions: vec!["read".to_owned()], teams: json!([{"value": "t"}]) };
        assert_eq!(memberships(&user).unwrap(), [expected]);
        show_names(&mut user, &BTreeMap::from([(id, "Marketing".to_owned())]));
        assert_eq!(user[ROLLCALL_SCHEMA]["workspaces"][0]["display"], "Marketing");
    }

    #[test]
    fn a_wrong_or_repeated_workspace_is_refused() {
        let id = WorkspaceId::generate();
        assert!(
            memberships(&user(json!([{"value": "Marketing"}]))).unwrap_err().detail.contains("no workspace Marketing")
        );
        assert!(memberships(&user(json!([{"value": id}, {"value": id}]))).unwrap_err().detail.contains("twice"));
    }

    #[test]
    fn values_that_name_the_same_workspace_become_one() {
        let (one, other) = (WorkspaceId::generate(), WorkspaceId::generate());
        let teams = json!([{"value": "t"}]);
        let mut user =
            user(json!([{"value": one, "teams": teams}, {"value": other}, {"value": one, "permissions": ["read"]}]));
        merge_repeated(&mut user);
        let expected = json!([{"value": one, "teams": teams, "permissions": ["read"]}, {"value": other}]);
        assert_eq!(user[ROLLCALL_SCHEMA]["workspaces"], expected);
    }

    #[test]
    fn values_inside_a_workspace_are_there_once() {
        let (one, other) = (WorkspaceId::generate(), WorkspaceId::generate());
        let teams = json!([
            {"value": "EMEA", "display": "EMEA", "permissions": ["a"]}, {"value": "APAC"}, {"display": "nameless"},
            {"display": "nameless"}, {"value": "EMEA", "permissions": ["b", "c", "b"]}
        ]);
        let sets = json!([{"value": "s"}, {"value": "S"}, {"value": "s", "display": "Editors"}]);
        let mut user = user(json!([
            {"value": one, "permissions": ["a", "b", "a"], "teams": teams}, {"value": other, "permissionSets": sets}
        ]));
        user[ROLLCALL_SCHEMA]["companyPermissions"] = json!(["x", "x", "y"]);
        merge_within(&mut user);
        let teams = json!([
            {"value": "EMEA", "display": "EMEA", "permissions": ["b", "c"]}, {"value": "APAC"}, {"display": "nameless"},
            {"display": "nameless"}
        ]);
        let sets = json!([{"value": "s", "display": "Editors"}, {"value": "S"}]);
        let workspaces = json!([
            {"value": one, "permissions": ["a", "b"], "teams": teams}, {"value": other, "permissionSets": sets}
        ]);
        assert_eq!(user[ROLLCALL_SCHEMA], json!({"workspaces": workspaces, "companyPermissions": ["x", "y"]}));
        let before = user.clone();
        merge_within(&mut user);
        assert_eq!(user, before);
        merge_within(&mut Attributes::new());
    }

    #[test]
    fn an_entitlement_of_the_type_workspace_is_a_membership() {
        let (one, other, default) = (WorkspaceId::generate(), WorkspaceId::generate(), WorkspaceId::generate());
        let mut user = user(json!([{"value": one, "permissions": ["read"]}]));
        let entitlements = [(one, "Workspace"), (other, "workspace"), (default, "License")];
        user.insert(
            "entitlements".to_owned(),
            entitlements.map(|(id, of_type)| json!({"value": id, "type": of_type})).into_iter().collect(),
        );
        let read: Vec<_> =
            memberships(&user).unwrap().into_iter().map(|one| (one.workspace_id, one.permissions.len())).collect();
        assert_eq!(read, [(one, 1), (other, 0)]);
        user.remove(ROLLCALL_SCHEMA);
        join_default(&mut user, default);
        assert!(!user.contains_key(ROLLCALL_SCHEMA), "it names a workspace");
    }

    #[test]
    fn the_default_workspace_applies_only_to_requests_that_name_none() {
        let (default, own) = (WorkspaceId::generate(), WorkspaceId::generate());
        let mut nowhere = json!({"userName": "ada"}).as_object().cloned().unwrap();
        join_default(&mut nowhere, default);
        assert_eq!(memberships(&nowhere).unwrap()[0].workspace_id, default);
        let mut somewhere = user(json!([{"value": own}]));
        join_default(&mut somewhere, default);
        assert_eq!(memberships(&somewhere).unwrap()[0].workspace_id, own);
    }
}
