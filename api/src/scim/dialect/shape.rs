//! The shape of a user in Braze's dialect, and what its parts are in the model.
//!
//! `department` is that of the enterprise extension; `permissions` holds the company's permissions, the roles, and for each workspace (`appGroup`) the
//! permissions, permission sets and teams. Ids or names may be given; the names of workspaces are looked up.

use rollcall_events::WorkspaceId;
use rollcall_scim::ScimError;
use rollcall_scim::fold::fold;
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::{ENTERPRISE_SCHEMA, ROLLCALL_SCHEMA, USER_SCHEMA};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};

/// The parts of `permissions`.
const PERMISSIONS: [&str; 3] = ["companyPermissions", "roles", "appGroup"];

/// The texts that are known; they come from one data file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Known {
    departments: BTreeSet<String>,
    company_permissions: BTreeSet<String>,
    app_group_permissions: BTreeSet<String>,
    team_permissions: BTreeSet<String>,
}

impl Known {
    /// Reads a data file; without one, the file that is built in.
    ///
    /// # Errors
    /// Where the file cannot be read or is not one.
    pub(crate) fn read(path: &str) -> Result<Self, String> {
        let text = match path {
            "" => include_str!("braze.json").to_owned(),
            path => std::fs::read_to_string(path).map_err(|error| error.to_string())?,
        };
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }
}

/// The names of workspaces that a body gives without their ids.
pub(super) fn workspace_names(body: &Value) -> Vec<String> {
    let groups = body["permissions"]["appGroup"].as_array().into_iter().flatten();
    groups.filter(|group| group.get("appGroupId").is_none()).filter_map(|group| group["appGroupName"].as_str()).map(fold).collect()
}

/// The body of a standard call that asks for the same. `ids` are the workspaces by the keys of their names; `user_name` is the name of a user that is
/// there, which a replacement cannot change.
pub(super) fn to_standard(
    known: &Known,
    body: Value,
    ids: &HashMap<String, WorkspaceId>,
    user_name: Option<&str>,
) -> Result<Value, ScimError> {
    let Value::Object(mut body) = body else { return Err(ScimError::invalid_syntax("the body is not a JSON object")) };
    body.insert("schemas".to_owned(), json!([USER_SCHEMA]));
    if let Some(user_name) = user_name {
        match body.get("userName").and_then(Value::as_str) {
            Some(given) if fold(given) != fold(user_name) => return Err(ScimError::mutability("userName cannot be changed")),
            _ => body.insert("userName".to_owned(), json!(user_name)),
        };
    }
    if let Some(department) = body.remove("department").filter(|department| !department.is_null()) {
        one_of(&known.departments, "department", &department)?;
        body.insert(ENTERPRISE_SCHEMA.to_owned(), json!({"department": department}));
    }
    for name in ["lastSignInAt", "createdAt"] {
        body.remove(name);
    }
    if let Some(permissions) = body.remove("permissions").filter(|permissions| !permissions.is_null()) {
        // As in SCIM itself: what cannot be read must not be taken for "no permissions".
        if !PERMISSIONS.iter().any(|name| permissions.get(name).is_some()) {
            return Err(ScimError::invalid_value(format!("permissions has none of {}", PERMISSIONS.join(", "))));
        }
        // A part that is not given is not named, so a replacement keeps the workspaces (see `rollcall_scim::defaults`).
        let mut extension = Map::new();
        let company = all_of(&known.company_permissions, "permissions.companyPermissions", &permissions["companyPermissions"])?;
        let workspaces: Vec<_> = objects("permissions.appGroup", &permissions["appGroup"])?
            .into_iter()
            .map(|group| workspace(known, group, ids))
            .collect::<Result<_, _>>()?;
        extension.insert("companyPermissions".to_owned(), company);
        if permissions.get("appGroup").is_some_and(|groups| !groups.is_null()) {
            extension.insert("workspaces".to_owned(), workspaces.into());
        }
        body.insert(ROLLCALL_SCHEMA.to_owned(), Value::Object(extension));
        let roles = objects("permissions.roles", &permissions["roles"])?
            .into_iter()
            .map(|role| named("permissions.roles", role, "roleId", "roleName"));
        body.insert("roles".to_owned(), roles.collect::<Result<_, _>>()?);
    }
    Ok(Value::Object(body))
}

fn workspace(known: &Known, group: &Map<String, Value>, ids: &HashMap<String, WorkspaceId>) -> Result<Value, ScimError> {
    const PATH: &str = "permissions.appGroup";
    let id = match (group.get("appGroupId"), group.get("appGroupName").and_then(Value::as_str)) {
        (Some(id), _) => id.clone(),
        (None, Some(name)) => {
            json!(ids.get(&fold(name)).ok_or_else(|| ScimError::invalid_value(format!("{PATH}: there is no workspace of that name")))?)
        }
        (None, None) => return Err(ScimError::invalid_value(format!("{PATH} has neither appGroupId nor appGroupName"))),
    };
    let part = |name: &str| group.get(name).unwrap_or(&Value::Null).clone();
    let permissions = all_of(&known.app_group_permissions, "permissions.appGroup.appGroupPermissions", &part("appGroupPermissions"))?;
    let sets = part("appGroupPermissionSets");
    let sets = objects("permissions.appGroup.appGroupPermissionSets", &sets)?
        .into_iter()
        .map(|set| named("permissions.appGroup.appGroupPermissionSets", set, "appGroupPermissionSetId", "appGroupPermissionSetName"));
    let teams = part("team");
    let teams = objects("permissions.appGroup.team", &teams)?.into_iter().map(|team| {
        let mut named = named("permissions.appGroup.team", team, "teamId", "teamName")?;
        let given = team.get("teamPermissions").unwrap_or(&Value::Null);
        named["permissions"] = all_of(&known.team_permissions, "permissions.appGroup.team.teamPermissions", given)?;
        Ok(named)
    });
    let (sets, teams) = (sets.collect::<Result<Value, ScimError>>()?, teams.collect::<Result<Value, ScimError>>()?);
    Ok(json!({"value": id, "permissions": permissions, "permissionSets": sets, "teams": teams}))
}

/// What is given by its id or by its name: a name alone is its own id.
fn named(path: &str, object: &Map<String, Value>, id: &str, name: &str) -> Result<Value, ScimError> {
    match (object.get(id), object.get(name)) {
        (Some(id), Some(name)) => Ok(json!({"value": id, "display": name})),
        (Some(id), None) => Ok(json!({"value": id})),
        (None, Some(name)) => Ok(json!({"value": name, "display": name})),
        (None, None) => Err(ScimError::invalid_value(format!("{path} has neither {id} nor {name}"))),
    }
}

fn objects<'a>(path: &str, value: &'a Value) -> Result<Vec<&'a Map<String, Value>>, ScimError> {
    let wrong = || ScimError::invalid_value(format!("{path} is not a list of objects"));
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(values) => values.iter().map(|value| value.as_object().ok_or_else(wrong)).collect(),
        _ => Err(wrong()),
    }
}

fn all_of(known: &BTreeSet<String>, path: &str, value: &Value) -> Result<Value, ScimError> {
    let Some(values) = value.as_array() else {
        return if value.is_null() { Ok(json!([])) } else { Err(ScimError::invalid_value(format!("{path} is not a list"))) };
    };
    values.iter().try_for_each(|value| one_of(known, path, value))?;
    Ok(value.clone())
}

fn one_of(known: &BTreeSet<String>, path: &str, value: &Value) -> Result<(), ScimError> {
    if value.as_str().is_some_and(|text| known.contains(text)) {
        return Ok(());
    }
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    Err(ScimError::invalid_value(format!("{path} holds something else than {}", known.join(", "))))
}

/// A user as callers of this dialect know it.
pub(super) fn from_standard(user: &Attributes) -> Value {
    let extension = user.get(ROLLCALL_SCHEMA).unwrap_or(&Value::Null);
    let or_empty = |value: &Value| if value.is_null() { json!([]) } else { value.clone() };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let both = |one: &Value, id: &str, name: &str| {
        Map::from_iter([(id.to_owned(), one["value"].clone()), (name.to_owned(), one["display"].clone())])
    };
    let roles: Vec<_> = list(user.get("roles").unwrap_or(&Value::Null)).iter().map(|role| both(role, "roleId", "roleName")).collect();
    let groups = list(&extension["workspaces"]).into_iter().map(|workspace| {
        let mut group = both(&workspace, "appGroupId", "appGroupName");
        group.insert("appGroupPermissions".to_owned(), or_empty(&workspace["permissions"]));
        let sets = list(&workspace["permissionSets"]);
        let sets = sets.iter().map(|set| Value::Object(both(set, "appGroupPermissionSetId", "appGroupPermissionSetName")));
        group.insert("appGroupPermissionSets".to_owned(), sets.collect());
        let teams = list(&workspace["teams"]).into_iter().map(|team| {
            let mut shown = both(&team, "teamId", "teamName");
            shown.insert("teamPermissions".to_owned(), or_empty(&team["permissions"]));
            Value::Object(shown)
        });
        group.insert("team".to_owned(), teams.collect());
        Value::Object(group)
    });
    let groups: Vec<_> = groups.collect();
    let part = |name: &str| user.get(name).cloned().unwrap_or_default();
    json!({
        "schemas": [USER_SCHEMA],
        "id": part("id"),
        "userName": part("userName"),
        "name": part("name"),
        "department": user.get(ENTERPRISE_SCHEMA).map_or(Value::Null, |extension| extension["department"].clone()),
        "lastSignInAt": null,
        "createdAt": part("meta")["created"],
        "permissions": {"companyPermissions": or_empty(&extension["companyPermissions"]), "roles": roles, "appGroup": groups},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    fn known() -> Known {
        Known::read("").unwrap()
    }

    #[test]
    fn what_is_sent_comes_back_in_the_same_shape() {
        let id = WorkspaceId::generate();
        let permissions = json!({
            "companyPermissions": ["admin"], "roles": [{"roleId": "r1", "roleName": "Lead"}],
            "appGroup": [{
                "appGroupName": "Marketing", "appGroupPermissions": ["basic_access"], "appGroupPermissionSets": [{"appGroupPermissionSetName": "Editors"}],
                "team": [{"teamName": "EMEA", "teamPermissions": ["view_campaigns"]}],
            }],
        });
        let body = json!({"userName": "ada", "name": {"givenName": "Ada"}, "department": "finance", "permissions": permissions});
        assert_eq!(workspace_names(&body), ["marketing"]);
        let standard = to_standard(&known(), body, &HashMap::from([("marketing".to_owned(), id)]), None).unwrap();
        assert_eq!(standard[ENTERPRISE_SCHEMA]["department"], "finance");
        assert_eq!(standard[ROLLCALL_SCHEMA]["workspaces"][0]["value"], json!(id));
        let shown = from_standard(standard.as_object().unwrap());
        assert_eq!((&shown["department"], &shown["permissions"]["roles"]), (&json!("finance"), &permissions["roles"]));
        let group = &shown["permissions"]["appGroup"][0];
        assert_eq!((&group["appGroupId"], &group["appGroupPermissions"]), (&json!(id), &json!(["basic_access"])));
        assert_eq!(
            group["appGroupPermissionSets"],
            json!([{"appGroupPermissionSetId": "Editors", "appGroupPermissionSetName": "Editors"}])
        );
        assert_eq!(group["team"], json!([{"teamId": "EMEA", "teamName": "EMEA", "teamPermissions": ["view_campaigns"]}]));
    }

    #[test_case(json!({"department": "magic"}), "department"; "department")]
    #[test_case(json!({"permissions": {"companyPermissions": ["fly"]}}), "permissions.companyPermissions"; "company permission")]
    #[test_case(json!({"permissions": {"appGroup": [{"appGroupName": "Nowhere"}]}}), "no workspace of that name"; "workspace")]
    #[test_case(json!({"permissions": {"appGroup": [{}]}}), "neither appGroupId nor appGroupName"; "no workspace")]
    #[test_case(json!({"permissions": {"appGroup": [{"appGroupId": "w", "appGroupPermissions": ["fly"]}]}}), "appGroupPermissions"; "workspace permission")]
    #[test_case(json!({"permissions": {"appGroup": [{"appGroupId": "w", "team": [{"teamId": "t", "teamPermissions": ["fly"]}]}]}}), "teamPermissions"; "team permission")]
    #[test_case(json!({"permissions": {}}), "permissions has none of"; "no permissions that are known")]
    #[test_case(json!({"permissions": {"roleList": ["r"]}}), "permissions has none of"; "an unknown kind of permissions")]
    #[test_case(json!({"permissions": "admin"}), "permissions has none of"; "permissions as a text")]
    #[test_case(json!({"permissions": {"appGroup": "w"}}), "not a list of objects"; "wrong type")]
    #[test_case(json!({"userName": "other"}), "userName cannot be changed"; "renaming")]
    fn refused(body: Value, why: &str) {
        let error = to_standard(&known(), body, &HashMap::new(), Some("ada")).unwrap_err();
        assert!(error.detail.contains(why), "{}", error.detail);
    }
}
