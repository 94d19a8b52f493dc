//! The shape of a whole user in Braze's dialect, and what its parts are in the model.
//!
//! `department` is that of the enterprise extension; `permissions` holds the company's permissions, the roles, and for each workspace (`appGroup`) the
//! permissions, permission sets and teams.

use rollcall_scim::ScimError;
use rollcall_scim::fold::fold;
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::{ENTERPRISE_SCHEMA, ROLLCALL_SCHEMA, USER_SCHEMA};
use serde_json::{Map, Value, json};

use super::parts::{Words, roles};
use super::spelling::{SERVERS_OWN, members_of, spelt};

/// The body of a standard call that asks for the same. `user_name` is the name of a user that is there, which a replacement cannot change.
pub(super) fn to_standard(words: Words<'_>, body: Value, user_name: Option<&str>) -> Result<Value, ScimError> {
    let Value::Object(mut body) = spelt(body)? else { return Err(ScimError::invalid_syntax("the body is not a JSON object")) };
    body.insert("schemas".to_owned(), json!([USER_SCHEMA]));
    if let Some(user_name) = user_name {
        match body.get("userName").and_then(Value::as_str) {
            Some(given) if fold(given) != fold(user_name) => return Err(ScimError::mutability("userName cannot be changed")),
            _ => body.insert("userName".to_owned(), json!(user_name)),
        };
    }
    if let Some(department) = body.remove("department").filter(|department| !department.is_null()) {
        body.insert(ENTERPRISE_SCHEMA.to_owned(), json!({"department": words.known.department(department)?}));
    }
    for name in SERVERS_OWN {
        body.remove(name);
    }
    if let Some(permissions) = body.remove("permissions").filter(|permissions| !permissions.is_null()) {
        set_permissions(words, &mut body, permissions)?;
    }
    Ok(Value::Object(body))
}

fn set_permissions(words: Words<'_>, body: &mut Map<String, Value>, permissions: Value) -> Result<(), ScimError> {
    // As in SCIM itself: what cannot be read must not be taken for "no permissions".
    let Value::Object(mut permissions) = permissions else { return Err(no_permissions()) };
    if permissions.is_empty() {
        return Err(no_permissions());
    }
    let mut part = |name: &str| permissions.remove(name).filter(|part| !part.is_null());
    let mut extension = Map::new();
    extension.insert("companyPermissions".to_owned(), words.known.company_permissions(part("companyPermissions").unwrap_or_default())?);
    // A part that is not given is not named, so a replacement keeps the workspaces (see `rollcall_scim::defaults`).
    if let Some(groups) = part("appGroup") {
        extension.insert("workspaces".to_owned(), words.workspaces(groups)?);
    }
    body.insert("roles".to_owned(), roles(part("roles").unwrap_or_default())?);
    body.insert(ROLLCALL_SCHEMA.to_owned(), Value::Object(extension));
    Ok(())
}

/// The error for a value of `permissions` that says nothing.
pub(super) fn no_permissions() -> ScimError {
    let known: Vec<_> = members_of("permissions").iter().map(|(name, _)| *name).collect();
    ScimError::invalid_value(format!("permissions has none of {}", known.join(", ")))
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
    use super::super::known::Known;
    use super::super::parts::workspace_names;
    use super::*;
    use rollcall_events::WorkspaceId;
    use std::collections::{BTreeSet, HashMap};
    use test_case::test_case;

    fn standard(body: Value, ids: &HashMap<String, WorkspaceId>, user_name: Option<&str>) -> Result<Value, ScimError> {
        to_standard(Words { known: &Known::read("").unwrap(), ids }, body, user_name)
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
        let mut names = BTreeSet::new();
        workspace_names(&body, &mut names);
        assert_eq!(names, BTreeSet::from(["marketing".to_owned()]));
        let standard = standard(body, &HashMap::from([("marketing".to_owned(), id)]), None).unwrap();
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
        let error = standard(body, &HashMap::new(), Some("ada")).unwrap_err();
        assert!(error.detail.contains(why), "{}", error.detail);
    }
}
