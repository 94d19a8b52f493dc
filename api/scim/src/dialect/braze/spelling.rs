//! Names of members in any case, as Braze's documentation spells them, and as the model calls them:
//! `appGroupPermissionSetID` is `appGroupPermissionSetId`, and `value` in the model.

use rollcall_scim::schema::{USER, USER_SCHEMA};
use rollcall_scim::unfold::knows;
use rollcall_scim::{ScimError, lenience};
use serde_json::{Map, Value};

use super::keys::{after_permissions, local};

/// The member of a user that holds its permissions.
const PERMISSIONS: &str = "permissions";

/// The members of a user that the server sets, and that SCIM does not know.
pub(super) const SERVERS_OWN: [&str; 2] = ["lastSignInAt", "createdAt"];

/// The members of a user, beside `permissions`, that are not SCIM's own or need a look before SCIM reads
/// them.
const OF_USER: [&str; 4] = ["userName", "department", "lastSignInAt", "createdAt"];

/// A member: its name in the dialect, and in the model.
pub(super) type Name = (&'static str, &'static str);

/// The members of each object inside `permissions`, by the member that holds it.
const INSIDE: [(&str, &[Name]); 5] = [
    ("permissions", &[("companyPermissions", "companyPermissions"), ("roles", "roles"), ("appGroup", "workspaces")]),
    ("roles", &[("roleId", "value"), ("roleName", "display")]),
    (
        "appGroup",
        &[
            ("appGroupId", "value"),
            ("appGroupName", "display"),
            ("appGroupPermissions", "permissions"),
            ("appGroupPermissionSets", "permissionSets"),
            ("team", "teams"),
        ],
    ),
    ("appGroupPermissionSets", &[("appGroupPermissionSetId", "value"), ("appGroupPermissionSetName", "display")]),
    ("team", &[("teamId", "value"), ("teamName", "display"), ("teamPermissions", "permissions")]),
];

/// The members of the objects that `holder` holds; none if it holds no objects.
pub(super) fn members_of(holder: &str) -> &'static [Name] {
    INSIDE.iter().find(|(name, _)| *name == holder).map_or(&[], |(_, members)| members)
}

/// The member of that name, in any case.
pub(super) fn member(holder: &str, name: &str) -> Option<Name> {
    members_of(holder).iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).copied()
}

/// Says that `path` has no member of that name.
pub(super) fn not_known(path: &str, holder: &str, name: &str) -> String {
    let known: Vec<_> = members_of(holder).iter().map(|(known, _)| *known).collect();
    let shown: String = name.chars().take(64).collect();
    format!("{path} has none of {}: {shown} is not known", known.join(", "))
}

/// The members of a user with canonical names, each in its place: those under the URN of the core
/// schema beside the others, those of keys such as `permissions.roles` inside `permissions`. An id or a name
/// that is `null` counts as absent.
///
/// # Errors
/// 400 `invalidValue` for an unknown member of `permissions`: ignoring it would lose a request. 400
/// `invalidSyntax` for a member that is given twice, or for a key that leads into one of several values.
pub(super) fn with_canonical_names(body: Map<String, Value>) -> Result<Map<String, Value>, ScimError> {
    let (mut canonical, mut parts) = (Map::new(), Map::new());
    for (name, value) in beside_the_core(body) {
        match after_permissions(local(&name)) {
            Some("") => put_once(
                &mut canonical,
                PERMISSIONS.to_owned(),
                inside(PERMISSIONS, PERMISSIONS, lenience::unwrap_single(value))?,
            )?,
            Some(rest) => {
                let part = part_of_permissions(&name, rest)?;
                put_once(&mut parts, part.to_owned(), inside(&format!("{PERMISSIONS}.{part}"), part, value)?)?;
            }
            None => {
                let known = OF_USER.into_iter().find(|known| known.eq_ignore_ascii_case(local(&name)));
                put_once(&mut canonical, known.map_or(name, str::to_owned), value)?;
            }
        }
    }
    if !parts.is_empty() {
        let Value::Object(permissions) = canonical.entry(PERMISSIONS).or_insert_with(|| Value::Object(Map::new()))
        else {
            return Err(given_twice(PERMISSIONS));
        };
        parts.into_iter().try_for_each(|(part, value)| put_once(permissions, part, value))?;
    }
    Ok(canonical)
}

/// The part of `permissions` that a key such as `permissions.roles` leads to.
fn part_of_permissions(key: &str, rest: &str) -> Result<&'static str, ScimError> {
    let shown = || key.chars().take(128).collect::<String>();
    let (part, inside) = rest[1..].split_once(['.', '[']).map_or((&rest[1..], false), |(part, _)| (part, true));
    match member(PERMISSIONS, part) {
        Some((part, _)) if !inside => Ok(part),
        Some((part, _)) => Err(ScimError::invalid_syntax(format!(
            "{} does not say which value of permissions.{part} it belongs to",
            shown()
        ))),
        None => Err(ScimError::invalid_value(not_known(PERMISSIONS, PERMISSIONS, part))),
    }
}

/// The members of a user, with those under the URN of the core schema beside the others. If none of these is
/// known, the URN stays, for SCIM to refuse.
pub(super) fn beside_the_core(members: Map<String, Value>) -> Vec<(String, Value)> {
    let mut all = Vec::with_capacity(members.len());
    for (name, value) in members {
        match value {
            Value::Object(inside)
                if name.eq_ignore_ascii_case(USER_SCHEMA) && inside.keys().any(|key| is_known(key)) =>
            {
                all.extend(beside_the_core(inside));
            }
            value => all.push((name, value)),
        }
    }
    all
}

fn is_known(key: &str) -> bool {
    let name = local(key);
    OF_USER.into_iter().any(|known| known.eq_ignore_ascii_case(name))
        || after_permissions(name).is_some()
        || knows(&USER, key)
}

/// The values of a member that holds objects, with canonical names.
///
/// # Errors
/// As [`with_canonical_names`].
pub(super) fn inside(path: &str, holder: &str, value: Value) -> Result<Value, ScimError> {
    if members_of(holder).is_empty() {
        return Ok(value);
    }
    match value {
        Value::Array(values) => values.into_iter().map(|value| inside(path, holder, value)).collect(),
        Value::Object(object) => {
            let mut canonical = Map::new();
            for (name, value) in object {
                let unknown = || ScimError::invalid_value(not_known(path, holder, &name));
                let (name, _) = member(holder, &name).ok_or_else(unknown)?;
                let is_absent = value.is_null() && (name.ends_with("Id") || name.ends_with("Name"));
                if !is_absent {
                    put_once(&mut canonical, name.to_owned(), inside(&format!("{path}.{name}"), name, value)?)?;
                }
            }
            Ok(Value::Object(canonical))
        }
        value => Ok(value),
    }
}

fn put_once(object: &mut Map<String, Value>, name: String, value: Value) -> Result<(), ScimError> {
    if object.contains_key(&name) {
        return Err(given_twice(&name));
    }
    object.insert(name, value);
    Ok(())
}

/// The error for an attribute that has two values.
pub(super) fn given_twice(name: &str) -> ScimError {
    ScimError::invalid_syntax(format!("{name} is given twice"))
}

/// The value that an object gives a member, whose name counts in any case.
pub(super) fn given<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use test_case::test_case;

    fn read(body: Value) -> Result<Value, ScimError> {
        with_canonical_names(body.as_object().cloned().unwrap()).map(Value::Object)
    }

    #[test]
    fn names_are_found_in_any_case_and_null_ids_are_absent() {
        let body = json!({
            "USERNAME": "ada", "Department": "bi", "name": {"givenName": "Ada"},
            "Permissions": {"appgroup": [{
                "appGroupID": null, "appGroupName": "Sales", "APPGROUPPERMISSIONS": ["admin"],
                "appGroupPermissionSets": [{"appGroupPermissionSetID": "s"}],
                "team": [{"teamID": "t", "teamname": null}],
            }]},
        });
        let expected = json!({
            "userName": "ada", "department": "bi", "name": {"givenName": "Ada"},
            "permissions": {"appGroup": [{
                "appGroupName": "Sales", "appGroupPermissions": ["admin"],
                "appGroupPermissionSets": [{"appGroupPermissionSetId": "s"}], "team": [{"teamId": "t"}],
            }]},
        });
        assert_eq!(read(body), Ok(expected));
    }

    #[test_case(
        json!({"permissions.companyPermissions": ["admin"]}), json!({"permissions": {"companyPermissions": ["admin"]}});
        "a path as a key"
    )]
    #[test_case(
        json!({"PERMISSIONS.APPGROUP": [{"APPGROUPID": "w"}]}),
        json!({"permissions": {"appGroup": [{"appGroupId": "w"}]}}); "a path in another case"
    )]
    #[test_case(
        json!({format!("{USER_SCHEMA}:permissions.roles"): [], "Permissions": {"companyPermissions": ["admin"]}}),
        json!({"permissions": {"companyPermissions": ["admin"], "roles": []}}); "a path beside the member"
    )]
    #[test_case(
        json!({USER_SCHEMA: {"department": "bi", "permissions.roles": []}}),
        json!({"department": "bi", "permissions": {"roles": []}}); "below the core schema"
    )]
    #[test_case(
        json!({USER_SCHEMA: {USER_SCHEMA: {"title": "t"}}, "userName": "ada"}),
        json!({"title": "t", "userName": "ada"}); "below the core schema in itself"
    )]
    #[test_case(
        json!({USER_SCHEMA: {"shoeSize": 7}}), json!({USER_SCHEMA: {"shoeSize": 7}});
        "nothing known below the core schema"
    )]
    #[test_case(
        json!({"permissions": [{"companyPermissions": []}]}), json!({"permissions": {"companyPermissions": []}});
        "in brackets"
    )]
    fn each_member_is_put_in_its_place(body: Value, expected: Value) {
        assert_eq!(read(body), Ok(expected));
    }

    #[test_case(json!({"permissions.roleList": []}), "roleList is not known"; "a kind of permissions as a path")]
    #[test_case(json!({"permissions.": []}), "permissions has none of"; "half a path")]
    #[test_case(json!({"permissions[roles pr]": []}), "permissions has none of"; "a choice of permissions")]
    #[test_case(
        json!({"permissions.appGroup[appGroupName eq \"Sales\"].team": []}), "which value of permissions.appGroup";
        "a choice of workspaces"
    )]
    #[test_case(
        json!({"permissions.appGroup.team": []}), "which value of permissions.appGroup"; "a part of workspaces"
    )]
    #[test_case(
        json!({"permissions.roles": [], "permissions": {"roles": []}}), "roles is given twice"; "twice, as a path"
    )]
    #[test_case(
        json!({"permissions.roles": [], "permissions": null}), "permissions is given twice"; "twice, with nothing"
    )]
    #[test_case(
        json!({USER_SCHEMA: {"department": "bi"}, "department": "pm"}), "department is given twice";
        "below the core schema too"
    )]
    #[test_case(
        json!({USER_SCHEMA: {"title": "a"}, "title": "b"}), "title is given twice";
        "an attribute of SCIM below the core schema too"
    )]
    #[test_case(json!({"permissions": {"roleList": []}}), "roleList is not known"; "a kind of permissions")]
    #[test_case(
        json!({"permissions": {"appGroup": [{"appGroupName": "Sales", "permission": ["admin"]}]}}),
        "permission is not known"; "a member of a workspace"
    )]
    #[test_case(
        json!({"permissions": {"appGroup": [{"team": [{"id": "t"}]}]}}), "permissions.appGroup.team has none of";
        "a member of a team"
    )]
    #[test_case(json!({"department": "bi", "DEPARTMENT": "pm"}), "department is given twice"; "twice")]
    #[test_case(
        json!({"department": "bi", format!("{USER_SCHEMA}:department"): "pm"}), "department is given twice";
        "with the core schema before it"
    )]
    fn refused(body: Value, why: &str) {
        let error = read(body).unwrap_err();
        assert!(error.detail.contains(why), "{}", error.detail);
    }
}
