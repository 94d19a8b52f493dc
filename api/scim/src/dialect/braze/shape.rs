//! The shape of a whole user in Braze's dialect, and its parts in the model.
//!
//! `department` is that of the enterprise extension; `permissions` holds the company's permissions, the
//! roles, and for each workspace (`appGroup`) the permissions, permission sets and teams.

use rollcall_api_core::read::UserSummary;
use rollcall_scim::casefold::casefold;
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::{ENTERPRISE_SCHEMA, ROLLCALL_SCHEMA, USER, USER_SCHEMA};
use rollcall_scim::{ScimError, lenience, unfold};
use serde_json::{Map, Value, json};

use super::keys::local;
use super::parts::{Vocabulary, roles};
use super::reserved::member_for;
use super::spelling::{given_twice, members_of, with_canonical_names};

/// The body of a standard call that asks for the same. `present` is the user that a replacement meets.
///
/// # Errors
/// 400 as for a user in SCIM's own words, and for names that the dialect does not know or reserves.
pub(super) fn to_standard(
    vocabulary: Vocabulary<'_>,
    body: Value,
    present: Option<&UserSummary>,
) -> Result<Value, ScimError> {
    let Value::Object(body) = body else { return Err(ScimError::invalid_syntax("the body is not a JSON object")) };
    let mut body = with_canonical_names(body)?;
    if let Some(present) = present {
        retain_name_and_entitlements(present, &mut body)?;
    }
    let mut part = |name: &str| body.remove(name).filter(|part| !part.is_null());
    let (department, permissions) = (part("department"), part("permissions"));
    let gives_roles = has(&body, "roles");
    // The caller's own words are read first, and the dialect's are added afterwards. So no reserved name gets
    // past this check.
    let mut standard = unfold::resource(&USER, member_for, body)?;
    standard.insert("schemas".to_owned(), json!([USER_SCHEMA]));
    if let Some(department) = department {
        set_department(&mut standard, vocabulary.known.department(department)?);
    }
    if let Some(permissions) = permissions {
        set_permissions(vocabulary, &mut standard, permissions, gives_roles)?;
    }
    Ok(Value::Object(standard))
}

/// A replacement keeps the user's name: callers of the dialect cannot change it. It also keeps the
/// entitlements: the dialect has no word for them.
fn retain_name_and_entitlements(present: &UserSummary, body: &mut Map<String, Value>) -> Result<(), ScimError> {
    match body.remove("userName").map(lenience::unwrap_single).unwrap_or_default() {
        Value::Null => {}
        Value::String(given) if casefold(&given) == casefold(&present.user_name) => {}
        _ => return Err(ScimError::mutability("userName cannot be changed")),
    }
    body.insert("userName".to_owned(), json!(present.user_name));
    if let Some(entitlements) = present.entitlements.as_ref().filter(|_| !has(body, "entitlements")) {
        body.insert("entitlements".to_owned(), entitlements.clone());
    }
    Ok(())
}

/// Whether a body has an attribute of the core schema, with or without its URN.
fn has(body: &Map<String, Value>, attribute: &str) -> bool {
    body.keys().any(|key| local(key).eq_ignore_ascii_case(attribute))
}

/// Puts the department beside the other attributes of the enterprise extension.
fn set_department(standard: &mut Map<String, Value>, department: Value) {
    match standard.get_mut(ENTERPRISE_SCHEMA) {
        Some(Value::Object(extension)) => drop(extension.insert("department".to_owned(), department)),
        _ => drop(standard.insert(ENTERPRISE_SCHEMA.to_owned(), json!({"department": department}))),
    }
}

fn set_permissions(
    vocabulary: Vocabulary<'_>,
    standard: &mut Map<String, Value>,
    permissions: Value,
    gives_roles: bool,
) -> Result<(), ScimError> {
    // As in SCIM itself, an unreadable value must not be taken for "no permissions".
    let mut permissions = given_permissions(permissions)?;
    let mut part = |name: &str| permissions.remove(name).filter(|part| !part.is_null());
    let mut extension = Map::new();
    extension.insert(
        "companyPermissions".to_owned(),
        vocabulary.known.company_permissions(part("companyPermissions").unwrap_or_default())?,
    );
    // If `appGroup` is not given, the body does not name the workspaces, and a replacement keeps them (see
    // `rollcall_scim::defaults`).
    if let Some(groups) = part("appGroup") {
        extension.insert("workspaces".to_owned(), vocabulary.workspaces(groups)?);
    }
    match part("roles") {
        Some(_) if gives_roles => return Err(given_twice("permissions.roles")),
        None if gives_roles => {}
        given => drop(standard.insert("roles".to_owned(), roles(given.unwrap_or_default())?)),
    }
    standard.insert(ROLLCALL_SCHEMA.to_owned(), Value::Object(extension));
    Ok(())
}

/// The parts that a value of `permissions` gives.
///
/// # Errors
/// 400 `invalidValue` for a value that is no object or says nothing.
pub(super) fn given_permissions(permissions: Value) -> Result<Map<String, Value>, ScimError> {
    match permissions {
        Value::Object(parts) if !parts.is_empty() => Ok(parts),
        Value::Object(_) => {
            let known: Vec<_> = members_of("permissions").iter().map(|(name, _)| *name).collect();
            Err(ScimError::invalid_value(format!("permissions has none of {}", known.join(", "))))
        }
        _ => Err(ScimError::invalid_value("permissions is not an object")),
    }
}

/// A user as callers of this dialect know it.
pub(super) fn from_standard(user: &Attributes) -> Value {
    let extension = user.get(ROLLCALL_SCHEMA).unwrap_or(&Value::Null);
    let or_empty = |value: &Value| if value.is_null() { json!([]) } else { value.clone() };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let both = |one: &Value, id: &str, name: &str| {
        Map::from_iter([(id.to_owned(), one["value"].clone()), (name.to_owned(), one["display"].clone())])
    };
    let roles: Vec<_> =
        list(user.get("roles").unwrap_or(&Value::Null)).iter().map(|role| both(role, "roleId", "roleName")).collect();
    let groups = list(&extension["workspaces"]).into_iter().map(|workspace| {
        let mut group = both(&workspace, "appGroupId", "appGroupName");
        group.insert("appGroupPermissions".to_owned(), or_empty(&workspace["permissions"]));
        let sets = list(&workspace["permissionSets"]);
        let sets =
            sets.iter().map(|set| Value::Object(both(set, "appGroupPermissionSetId", "appGroupPermissionSetName")));
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
        "permissions": {
            "companyPermissions": or_empty(&extension["companyPermissions"]), "roles": roles, "appGroup": groups
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::needs::workspace_names;
    use super::super::vocabulary::BrazeVocabulary;
    use super::*;
    use rollcall_events::WorkspaceId;
    use std::collections::{BTreeSet, HashMap};
    use test_case::test_case;

    fn standard(body: Value, ids: &HashMap<String, WorkspaceId>, user_name: Option<&str>) -> Result<Value, ScimError> {
        let present = user_name
            .map(|name| UserSummary { user_name: name.to_owned(), entitlements: Some(json!([{"value": "e"}])) });
        to_standard(Vocabulary { known: &BrazeVocabulary::read("").unwrap(), ids }, body, present.as_ref())
    }

    #[test]
    fn a_translated_user_is_shown_in_the_shape_in_which_it_was_sent() {
        let id = WorkspaceId::generate();
        let permissions = json!({
            "companyPermissions": ["admin"], "roles": [{"roleId": "r1", "roleName": "Lead"}],
            "appGroup": [{
                "appGroupName": "Marketing", "appGroupPermissions": ["basic_access"],
                "appGroupPermissionSets": [{"appGroupPermissionSetName": "Editors"}],
                "team": [{"teamName": "EMEA", "teamPermissions": ["view_campaigns"]}],
            }],
        });
        let body = json!({
            "userName": "ada", "name": {"givenName": "Ada"}, "department": "finance", "permissions": permissions
        });
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
        assert_eq!(
            group["team"],
            json!([{"teamId": "EMEA", "teamName": "EMEA", "teamPermissions": ["view_campaigns"]}])
        );
    }

    #[test_case(
        json!({"department": "bi", ENTERPRISE_SCHEMA: {"manager": {"value": "m"}}}),
        json!({"manager": {"value": "m"}, "department": "bi"}); "beside the manager"
    )]
    #[test_case(json!({"department": "bi", ENTERPRISE_SCHEMA: null}), json!({"department": "bi"}); "beside nothing")]
    #[test_case(
        json!({"department": null, ENTERPRISE_SCHEMA: {"costCenter": "7"}}), json!({"costCenter": "7"}); "no department"
    )]
    fn a_department_leaves_the_rest_of_the_extension(body: Value, expected: Value) {
        assert_eq!(standard(body, &HashMap::new(), None).unwrap()[ENTERPRISE_SCHEMA], expected);
    }

    #[test]
    fn a_department_goes_to_the_extension_in_any_case() {
        let key = ENTERPRISE_SCHEMA.to_uppercase();
        let body =
            standard(json!({"department": "bi", key.clone(): {"costCenter": "7"}}), &HashMap::new(), None).unwrap();
        assert_eq!((body.get(&key), &body[ENTERPRISE_SCHEMA]), (None, &json!({"costCenter": "7", "department": "bi"})));
    }

    #[test]
    fn a_replacement_keeps_the_entitlements_that_it_does_not_give() {
        let kept = |body: Value| standard(body, &HashMap::new(), Some("ada")).unwrap();
        assert_eq!(kept(json!({"department": "bi"}))["entitlements"], json!([{"value": "e"}]));
        assert_eq!(kept(json!({"Entitlements": []}))["entitlements"], json!([]));
        assert_eq!(kept(json!({format!("{USER_SCHEMA}:entitlements"): null}))["entitlements"], json!(null));
        assert_eq!(kept(json!({USER_SCHEMA: {"entitlements": ["x"]}}))["entitlements"], json!(["x"]));
        assert_eq!(kept(json!({"entitlements": ["x"]}))["entitlements"], json!(["x"]));
    }

    #[test_case(json!({USER_SCHEMA: {"userName": "ADA", "department": "bi"}}); "below the core schema")]
    #[test_case(
        json!({format!("{USER_SCHEMA}:userName"): "ada", format!("{USER_SCHEMA}.department"): "bi"});
        "with the core schema before them"
    )]
    #[test_case(json!({"USERNAME": ["ada"], "Department": "bi"}); "in another case and in brackets")]
    fn the_current_name_is_given_once_in_every_spelling(body: Value) {
        let body = standard(body, &HashMap::new(), Some("ada")).unwrap();
        assert_eq!((&body["userName"], &body[ENTERPRISE_SCHEMA]), (&json!("ada"), &json!({"department": "bi"})));
    }

    #[test]
    fn roles_of_scim_stay_beside_other_permissions() {
        let body = json!({"roles": ["r"], "permissions": {"companyPermissions": ["admin"], "roles": null}});
        assert_eq!(standard(body, &HashMap::new(), None).unwrap()["roles"], json!(["r"]));
    }

    #[test_case(
        json!({"Roles": [], "permissions": {"roles": [{"roleId": "r"}]}}), "permissions.roles is given twice";
        "roles twice"
    )]
    #[test_case(
        json!({USER_SCHEMA: {"roles": []}, "permissions": {"roles": []}}), "permissions.roles is given twice";
        "roles below the core schema"
    )]
    #[test_case(json!({"department": "bi", ENTERPRISE_SCHEMA: "x"}), "is not an object"; "extension as a text")]
    #[test_case(json!({"department": "magic"}), "department"; "department")]
    #[test_case(
        json!({"permissions": {"companyPermissions": ["fly"]}}), "permissions.companyPermissions"; "company permission"
    )]
    #[test_case(
        json!({"permissions": {"appGroup": [{"appGroupName": "Nowhere"}]}}), "no workspace of that name"; "workspace"
    )]
    #[test_case(json!({"permissions": {"appGroup": [{}]}}), "neither appGroupId nor appGroupName"; "no workspace")]
    #[test_case(
        json!({"permissions": {"appGroup": [{"appGroupId": "w", "appGroupPermissions": ["fly"]}]}}),
        "appGroupPermissions"; "workspace permission"
    )]
    #[test_case(
        json!({
            "permissions": {"appGroup": [{"appGroupId": "w", "team": [{"teamId": "t", "teamPermissions": ["fly"]}]}]}
        }),
        "teamPermissions"; "team permission"
    )]
    #[test_case(json!({"permissions": {}}), "permissions has none of"; "no permissions that are known")]
    #[test_case(
        json!({"permissions": {"roleList": ["r"]}}), "permissions has none of"; "an unknown kind of permissions"
    )]
    #[test_case(json!({"permissions": "admin"}), "permissions is not an object"; "permissions as a text")]
    #[test_case(
        json!({"permissions": [{"companyPermissions": ["admin"]}, {"roles": []}]}), "permissions is not an object";
        "two permissions in brackets"
    )]
    #[test_case(json!({"userName": ["other"]}), "userName cannot be changed"; "renaming in brackets")]
    #[test_case(
        json!({USER_SCHEMA: {"userName": "other"}}), "userName cannot be changed"; "renaming below the core schema"
    )]
    #[test_case(json!({"permissions": {"appGroup": "w"}}), "not a list of objects"; "wrong type")]
    #[test_case(json!({"userName": "other"}), "userName cannot be changed"; "renaming")]
    fn refused(body: Value, why: &str) {
        let error = standard(body, &HashMap::new(), Some("ada")).unwrap_err();
        assert!(error.detail.contains(why), "{}", error.detail);
    }
}
