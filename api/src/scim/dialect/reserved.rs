//! The model's names of what the dialect has its own words for: `permissions` and `department`. They are
//! refused, since a value that comes by them would not be checked against the known strings.

use rollcall_scim::ScimError;
use rollcall_scim::schema::{ENTERPRISE_SCHEMA, ROLLCALL_SCHEMA, USER_SCHEMA};
use serde_json::{Map, Value};

use super::spelling::given;

/// Checks the body of a POST or PUT as it came.
///
/// # Errors
/// 400 `invalidValue` that names the key and the dialect's word for it.
pub(super) fn check_body(body: &Value) -> Result<(), ScimError> {
    let Value::Object(members) = body else { return Ok(()) };
    for (key, value) in members {
        check_member(key, value)?;
        // A body may hold all its attributes under the URN of the core schema.
        if key.eq_ignore_ascii_case(USER_SCHEMA) {
            check_body(value)?;
        }
    }
    Ok(())
}

/// Checks an operation of a PATCH as it came.
///
/// # Errors
/// 400 `invalidPath` for its path, 400 `invalidValue` for a key of its value. Both name the dialect's word
/// for it.
pub(super) fn check_operation(operation: &Map<String, Value>) -> Result<(), ScimError> {
    match (given(operation, "path"), given(operation, "value")) {
        (Some(Value::String(path)), value) => match word_for(path) {
            Some(word) => Err(ScimError::invalid_path(use_instead(path, word))),
            None => check_member(path, value.unwrap_or(&Value::Null)),
        },
        (_, Some(value)) => check_body(value),
        _ => Ok(()),
    }
}

/// Checks a key, or a path, with the value that it has.
fn check_member(key: &str, value: &Value) -> Result<(), ScimError> {
    if let Some(word) = word_for(key) {
        return Err(ScimError::invalid_value(use_instead(key, word)));
    }
    if let (Some(""), Value::Object(members)) = (below(ENTERPRISE_SCHEMA, key), value) {
        return members.keys().try_for_each(|name| check_member(&format!("{ENTERPRISE_SCHEMA}:{name}"), &Value::Null));
    }
    Ok(())
}

/// The dialect's word for what a key or a path of the model leads to, if it has one.
fn word_for(key: &str) -> Option<&'static str> {
    if below(ROLLCALL_SCHEMA, key).is_some() {
        return Some("permissions");
    }
    let name = below(ENTERPRISE_SCHEMA, key)?.strip_prefix([':', '.'])?.split(['.', '[']).next()?;
    name.trim().eq_ignore_ascii_case("department").then_some("department")
}

/// What of a key follows the URN of a schema; `None` for a key outside that schema.
fn below<'a>(urn: &str, key: &'a str) -> Option<&'a str> {
    let (start, rest) = key.trim().split_at_checked(urn.len())?;
    (start.eq_ignore_ascii_case(urn) && (rest.is_empty() || rest.starts_with([':', '.', '[']))).then_some(rest)
}

fn use_instead(key: &str, word: &str) -> String {
    let shown: String = key.chars().take(128).collect();
    format!("{shown} is not used in this dialect: use {word} instead")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use test_case::test_case;

    fn urn(schema: &str, rest: &str) -> String {
        format!("{schema}{rest}")
    }

    #[test_case(json!({ROLLCALL_SCHEMA: {"companyPermissions": ["fly"]}}), "use permissions"; "the extension")]
    #[test_case(json!({ROLLCALL_SCHEMA.to_uppercase(): null}), "use permissions"; "the extension in another case")]
    #[test_case(json!({urn(ROLLCALL_SCHEMA, ":workspaces"): []}), "use permissions"; "an attribute of it")]
    #[test_case(json!({urn(ROLLCALL_SCHEMA, ".companyPermissions"): []}), "use permissions"; "an attribute after a dot")]
    #[test_case(json!({USER_SCHEMA: {ROLLCALL_SCHEMA: {}}}), "use permissions"; "below the core schema")]
    #[test_case(json!({ENTERPRISE_SCHEMA: {"manager": "m", "Department": "magic"}}), "use department"; "a department")]
    #[test_case(json!({ENTERPRISE_SCHEMA.to_uppercase(): {"department": "bi"}}), "use department"; "a department in another case")]
    #[test_case(json!({urn(ENTERPRISE_SCHEMA, ":department"): "bi"}), "use department"; "a department after a colon")]
    #[test_case(json!({urn(ENTERPRISE_SCHEMA, ".DEPARTMENT"): "bi"}), "use department"; "a department after a dot")]
    fn refused_as_a_key(body: Value, why: &str) {
        let key = body.as_object().unwrap().keys().next().unwrap().clone();
        for refused in [check_body(&body), check_operation(json!({"op": "add", "Value": body}).as_object().unwrap())] {
            let error = refused.unwrap_err();
            let names_the_key = error.detail.to_lowercase().starts_with(&key.to_lowercase()) || key == USER_SCHEMA;
            assert!(error.detail.contains(why) && names_the_key, "{}", error.detail);
            assert_eq!(error.scim_type, Some(rollcall_scim::ScimType::InvalidValue));
        }
    }

    #[test_case(ROLLCALL_SCHEMA, ""; "the extension")]
    #[test_case(ROLLCALL_SCHEMA, ":workspaces[value eq \"w\"].permissions"; "a part of a workspace")]
    #[test_case(ROLLCALL_SCHEMA, ".companyPermissions"; "an attribute after a dot")]
    #[test_case(ENTERPRISE_SCHEMA, ":department"; "a department")]
    #[test_case(ENTERPRISE_SCHEMA, ".Department"; "a department after a dot")]
    fn refused_as_a_path(schema: &str, rest: &str) {
        for path in [urn(schema, rest), urn(&schema.to_uppercase(), rest)] {
            let error = check_operation(json!({"op": "replace", "PATH": path, "value": "x"}).as_object().unwrap()).unwrap_err();
            assert!(error.detail.starts_with(&path), "{}", error.detail);
            assert_eq!(error.scim_type, Some(rollcall_scim::ScimType::InvalidPath));
        }
    }

    #[test]
    fn refused_in_the_value_of_a_path() {
        let operation = json!({"op": "add", "path": ENTERPRISE_SCHEMA, "value": {"costCenter": "7", "department": "magic"}});
        let error = check_operation(operation.as_object().unwrap()).unwrap_err();
        assert_eq!(error.scim_type, Some(rollcall_scim::ScimType::InvalidValue));
        assert!(error.detail.contains("use department"), "{}", error.detail);
    }

    #[test]
    fn other_enterprise_attributes_are_allowed() {
        let body = json!({
            ENTERPRISE_SCHEMA: {"manager": {"value": "m"}, "costCenter": "7"}, "department": "bi", "permissions": {},
            urn(ENTERPRISE_SCHEMA, ":departmentCode"): "x", urn(ROLLCALL_SCHEMA, "2"): {}, "schemas": [ROLLCALL_SCHEMA],
        });
        assert_eq!(check_body(&body), Ok(()));
        for path in [urn(ENTERPRISE_SCHEMA, ":manager"), urn(ENTERPRISE_SCHEMA, ".costCenter"), "department".to_owned()] {
            assert_eq!(check_operation(json!({"op": "add", "path": path, "value": {"department": "x"}}).as_object().unwrap()), Ok(()));
        }
    }
}
