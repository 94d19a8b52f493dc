//! Names of members as Braze's documentation spells them, whatever their case, and what the model calls them:
//! `appGroupPermissionSetID` is `appGroupPermissionSetId`, and `value` in the model.

use rollcall_scim::ScimError;
use serde_json::{Map, Value};

use super::paths::local;

/// The members of a user that the server sets.
pub(super) const SERVERS_OWN: [&str; 2] = ["lastSignInAt", "createdAt"];

/// The members of a user that are not SCIM's own.
const OF_USER: [&str; 5] = ["userName", "department", "permissions", "lastSignInAt", "createdAt"];

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

/// The members of what `holder` holds; none if it holds no objects.
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

/// The body with every name as it is spelt. An id or a name that is `null` counts as absent.
///
/// # Errors
/// 400 `invalidValue` for a member of `permissions` that nobody knows: what it asks for would be lost. 400
/// `invalidSyntax` for a member that is given twice.
pub(super) fn spelt(body: Value) -> Result<Value, ScimError> {
    let Value::Object(body) = body else { return Ok(body) };
    let mut spelt = Map::new();
    for (name, value) in body {
        let known = OF_USER.into_iter().find(|known| known.eq_ignore_ascii_case(local(&name)));
        let name = known.map_or(name, str::to_owned);
        let value = if name == "permissions" { inside(&name, "permissions", value)? } else { value };
        put_once(&mut spelt, name, value)?;
    }
    Ok(Value::Object(spelt))
}

/// The values of a member that holds objects, every name as it is spelt.
///
/// # Errors
/// As [`spelt`].
pub(super) fn inside(path: &str, holder: &str, value: Value) -> Result<Value, ScimError> {
    if members_of(holder).is_empty() {
        return Ok(value);
    }
    match value {
        Value::Array(values) => values.into_iter().map(|value| inside(path, holder, value)).collect(),
        Value::Object(object) => {
            let mut spelt = Map::new();
            for (name, value) in object {
                let unknown = || ScimError::invalid_value(not_known(path, holder, &name));
                let (name, _) = member(holder, &name).ok_or_else(unknown)?;
                let is_absent = value.is_null() && (name.ends_with("Id") || name.ends_with("Name"));
                if !is_absent {
                    put_once(&mut spelt, name.to_owned(), inside(&format!("{path}.{name}"), name, value)?)?;
                }
            }
            Ok(Value::Object(spelt))
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
    ScimError::invalid_syntax(format!("{name} is given twice in different spellings"))
}

/// The value that an object gives a member, whose name counts in any case.
pub(super) fn given<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_scim::schema::USER_SCHEMA;
    use serde_json::json;
    use test_case::test_case;

    #[test]
    fn names_are_found_in_any_case_and_null_ids_are_absent() {
        let body = json!({
            "USERNAME": "ada", "Department": "bi", "name": {"givenName": "Ada"},
            "Permissions": {"appgroup": [{
                "appGroupID": null, "appGroupName": "Sales", "APPGROUPPERMISSIONS": ["admin"],
                "appGroupPermissionSets": [{"appGroupPermissionSetID": "s"}], "team": [{"teamID": "t", "teamname": null}],
            }]},
        });
        let expected = json!({
            "userName": "ada", "department": "bi", "name": {"givenName": "Ada"},
            "permissions": {"appGroup": [{
                "appGroupName": "Sales", "appGroupPermissions": ["admin"],
                "appGroupPermissionSets": [{"appGroupPermissionSetId": "s"}], "team": [{"teamId": "t"}],
            }]},
        });
        assert_eq!(spelt(body), Ok(expected));
    }

    #[test_case(json!({"permissions": {"roleList": []}}), "roleList is not known"; "a kind of permissions")]
    #[test_case(json!({"permissions": {"appGroup": [{"appGroupName": "Sales", "permission": ["admin"]}]}}), "permission is not known"; "a member of a workspace")]
    #[test_case(json!({"permissions": {"appGroup": [{"team": [{"id": "t"}]}]}}), "permissions.appGroup.team has none of"; "a member of a team")]
    #[test_case(json!({"department": "bi", "DEPARTMENT": "pm"}), "department is given twice"; "twice")]
    #[test_case(json!({"department": "bi", format!("{USER_SCHEMA}:department"): "pm"}), "department is given twice"; "with the core schema before it")]
    fn refused(body: Value, why: &str) {
        let error = spelt(body).unwrap_err();
        assert!(error.detail.contains(why), "{}", error.detail);
    }
}
