//! The strict reading of requests that the SCIM interoperability profile asks for
//! (draft-zollner-scim-interop-profile-01, sections 5.3 and 6.5).
//!
//! [`crate::validate`] and [`crate::patch`] ignore unknown attributes and accept many forms, because most
//! clients need that. The profile has one form for each change and refuses unknown attributes. These checks
//! come first. A request that passes them is read like any other.

use serde_json::{Map, Value, json};

use crate::ScimError;
use crate::patch::Translation;
use crate::path::{AttributeTarget, Path, Target};
use crate::schema::{Attribute, Kind, ResourceType, find};

/// Checks the body of a POST or PUT: it holds attributes and schemas of the resource type only.
///
/// # Errors
/// 400 `invalidSyntax` that names the unknown attribute or schema (section 5.3).
pub fn check_resource(resource_type: &ResourceType, body: &Value) -> Result<(), ScimError> {
    let Value::Object(body) = body else { return Ok(()) };
    for (name, value) in body {
        if name.eq_ignore_ascii_case("schemas") {
            check_schemas(resource_type, value)?;
        } else if let Some(schema) = resource_type.extension(name) {
            check_members(&schema.attributes, value, &schema.id, ':')?;
        } else {
            let attribute = resource_type.attribute(name).ok_or_else(|| unknown(name))?;
            check_value(attribute, value, &attribute.name)?;
        }
    }
    Ok(())
}

/// Checks one operation of a PATCH, and gives the operations that it stands for: itself, or a removal and an
/// addition. A `replace` of a whole complex attribute replaces all of it. Section 6.5.2.1 removes the parts
/// that the new value does not have; RFC 7644 section 3.5.2.3 keeps them.
///
/// # Errors
/// 400 `invalidSyntax` for an operation without a path and for an unknown attribute, 400 `invalidPath` for a
/// path that chooses whole values to be set.
pub fn operation(resource_type: &ResourceType, operation: Value) -> Result<Translation, ScimError> {
    strictly(resource_type, operation).map(Translation::own)
}

fn strictly(resource_type: &ResourceType, operation: Value) -> Result<Vec<Value>, ScimError> {
    let Value::Object(members) = &operation else { return Ok(vec![operation]) };
    let Some(Value::String(text)) = member(members, "path") else {
        return Err(ScimError::invalid_syntax("path is missing: every operation names the attribute that it changes"));
    };
    let path = text.parse::<Path>()?.fit(resource_type);
    let value = member(members, "value").unwrap_or(&Value::Null);
    let op = member(members, "op").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    // An undefined attribute is `invalidSyntax` in paths as well (section 5.3).
    match path.target(resource_type).map_err(|error| if error.is_invalid_path() { unknown(text) } else { error })? {
        Target::Extension(schema) => check_members(&schema.attributes, value, &schema.id, ':')?,
        Target::Attribute(target) if target.is_chosen_value() && op != "remove" => {
            return Err(ScimError::invalid_path(format!(
                "{text} chooses whole values: name the part of them that is to be set"
            )));
        }
        Target::Attribute(target) => {
            check_value(target.innermost(), value, text)?;
            if op == "replace" && is_whole(&target) && value.is_object() {
                return Ok(vec![
                    json!({"op": "remove", "path": text}),
                    json!({"op": "add", "path": text, "value": value}),
                ]);
            }
        }
    }
    Ok(vec![operation])
}

/// Whether a path leads to a whole single-valued complex attribute.
fn is_whole(target: &AttributeTarget<'_>) -> bool {
    target.attribute.kind == Kind::Complex
        && !target.attribute.multi_valued
        && target.sub.is_none()
        && target.filter.is_none()
}

fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn check_schemas(resource_type: &ResourceType, schemas: &Value) -> Result<(), ScimError> {
    let listed = schemas.as_array().map_or(std::slice::from_ref(schemas), Vec::as_slice);
    let foreign = listed.iter().filter_map(Value::as_str).find(|urn| !resource_type.has_schema(urn));
    foreign.map_or(Ok(()), |urn| Err(unknown(urn)))
}

/// Checks the values of an attribute. Values of a complex attribute are objects, in a list if there can be
/// several. Values of a simple attribute have no parts.
fn check_value(attribute: &Attribute, value: &Value, path: &str) -> Result<(), ScimError> {
    match value {
        Value::Array(values) if attribute.kind != Kind::Complex => {
            values.iter().try_for_each(|value| check_members(&[], value, path, '.'))
        }
        value if attribute.kind != Kind::Complex => check_members(&[], value, path, '.'),
        Value::Null => Ok(()),
        Value::Object(_) => check_members(&attribute.sub_attributes, value, path, '.'),
        Value::Array(values) if attribute.multi_valued => values.iter().try_for_each(|value| match value {
            Value::Object(_) => check_members(&attribute.sub_attributes, value, path, '.'),
            _ => Err(not_an_object(path)),
        }),
        _ => Err(not_an_object(path)),
    }
}

fn not_an_object(path: &str) -> ScimError {
    ScimError::invalid_syntax(format!("{path} has a value that is not an object"))
}

fn check_members(attributes: &[Attribute], value: &Value, path: &str, separator: char) -> Result<(), ScimError> {
    for (name, value) in value.as_object().into_iter().flatten() {
        let path = format!("{path}{separator}{name}");
        let attribute = find(attributes, name).ok_or_else(|| unknown(&path))?;
        check_value(attribute, value, &path)?;
    }
    Ok(())
}

fn unknown(name: &str) -> ScimError {
    let shown: String = name.chars().take(256).collect();
    ScimError::invalid_syntax(format!("{shown} is not defined in the schemas of this resource type"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ScimType;
    use crate::patch::{Operation, PATCH_SCHEMA, apply, parse_translated};
    use crate::reserved::nothing;
    use crate::schema::{ENTERPRISE_SCHEMA, GROUP, USER, USER_SCHEMA};
    use crate::work::Budget;
    use test_case::test_case;

    #[test_case(json!({"shoeSize": 7}), "shoeSize"; "an attribute")]
    #[test_case(json!({"name": {"givenName": "Ada", "age": 7}}), "name.age"; "a part")]
    #[test_case(json!({"emails": [{"value": "a@x", "kind": "work"}]}), "emails.kind"; "a part of a value in a list")]
    #[test_case(
        json!({ENTERPRISE_SCHEMA: {"manager": {"managerId": "7"}}}), "manager.managerId"; "a part in an extension"
    )]
    #[test_case(json!({ENTERPRISE_SCHEMA: {"shoeSize": 7}}), "shoeSize"; "an attribute of an extension")]
    #[test_case(json!({"urn:x:y": {}}), "urn:x:y"; "a schema")]
    #[test_case(json!({"schemas": [USER_SCHEMA, "urn:x:y"]}), "urn:x:y"; "a schema in the list")]
    #[test_case(json!({"name.givenName": "Ada"}), "name.givenName"; "a key that is a path")]
    #[test_case(json!({USER_SCHEMA: {"userName": "ada"}}), USER_SCHEMA; "the core schema as a key")]
    #[test_case(json!({"name": "{\"givenName\": \"Ada\", \"age\": 7}"}), "name"; "JSON inside a text")]
    #[test_case(json!({"emails": ["{\"value\": \"a@x\"}"]}), "emails"; "JSON inside a text in a list")]
    #[test_case(json!({"name": [{"givenName": "Ada"}]}), "name"; "a single value in brackets")]
    #[test_case(json!({ENTERPRISE_SCHEMA: {"manager": "7"}}), "manager"; "a reference as a text")]
    #[test_case(json!({"title": {"foo": null, "value": "x"}}), "title.foo"; "an unknown part of a text")]
    #[test_case(json!({"active": [{"value": false}]}), "active.value"; "a boolean as an object")]
    #[test_case(
        json!({"emails": [{"value": {"value": "a@x"}}]}), "emails.value.value"; "a text as an object in a list"
    )]
    fn an_unknown_name_is_refused(body: Value, name: &str) {
        let error = check_resource(&USER, &body).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidSyntax));
        assert!(error.detail.contains(name), "{}", error.detail);
    }

    #[test]
    fn defined_attributes_are_accepted_in_any_case() {
        let user = json!({"schemas": [USER_SCHEMA], "ID": "7", "USERNAME": "ada", "meta": {"version": "1"},
            "groups": [{"value": "g"}],
            "Emails": [{"Value": "a@x", "type": "work"}], "password": "x",
            ENTERPRISE_SCHEMA: {"manager": {"value": "7"}, "department": null}});
        assert_eq!(check_resource(&USER, &user), Ok(()));
        assert_eq!(
            check_resource(&GROUP, &json!({"displayName": "g", "members": [{"value": "7", "display": "x"}]})),
            Ok(())
        );
    }

    fn parsed(resource_type: &ResourceType, operation: Value) -> Result<Vec<Operation>, ScimError> {
        let body =
            json!({"schemas": [PATCH_SCHEMA], "Operations": [{"op": "remove", "path": "externalId"}, operation]});
        parse_translated(resource_type, body, nothing, |operation| super::operation(resource_type, operation))
    }

    #[test_case(
        json!({"op": "replace", "value": {"active": false}}), ScimType::InvalidSyntax, "path is missing"; "no path"
    )]
    #[test_case(
        json!({"op": "replace", "path": null, "value": {"active": false}}), ScimType::InvalidSyntax, "path is missing";
        "null"
    )]
    #[test_case(
        json!({"op": "add", "path": "shoeSize", "value": 7}), ScimType::InvalidSyntax, "shoeSize"; "an unknown path"
    )]
    #[test_case(
        json!({"op": "add", "path": "urn:x:y:z", "value": 7}), ScimType::InvalidSyntax, "urn:x:y:z"; "an unknown schema"
    )]
    #[test_case(
        json!({"op": "add", "path": "name", "value": {"age": 7}}), ScimType::InvalidSyntax, "name.age";
        "an unknown part"
    )]
    #[test_case(
        json!({"op": "add", "path": ENTERPRISE_SCHEMA, "value": {"shoeSize": 7}}), ScimType::InvalidSyntax, "shoeSize";
        "in an extension"
    )]
    #[test_case(
        json!({"op": "replace", "path": "emails[type eq \"work\"]", "value": {"value": "a@x"}}), ScimType::InvalidPath,
        "whole values"; "whole values"
    )]
    #[test_case(
        json!({"op": "replace", "path": "emails[size eq 1].value", "value": "a@x"}), ScimType::InvalidFilter, "size";
        "an unknown attribute in a filter"
    )]
    #[test_case(
        json!({"op": "replace", "path": "name", "value": [{"givenName": "Kim"}]}), ScimType::InvalidSyntax, "name";
        "a single value in brackets"
    )]
    #[test_case(
        json!({"op": "add", "path": "title", "value": {"foo": null, "value": "x"}}), ScimType::InvalidSyntax,
        "title.foo"; "an unknown part of a text"
    )]
    #[test_case(
        json!({"op": "add", "path": "name.givenName", "value": {"$ref": null, "value": "x"}}), ScimType::InvalidSyntax,
        "name.givenName.$ref"; "a part as an object"
    )]
    #[test_case(
        json!({"op": "add", "path": "emails", "value": "{\"value\": \"a@x\"}"}), ScimType::InvalidSyntax, "emails";
        "JSON inside a text"
    )]
    #[test_case(
        json!({"op": "replace", "path": "emails[", "value": "a@x"}), ScimType::InvalidPath, "wrong"; "a malformed path"
    )]
    fn a_patch_in_another_form_is_refused(operation: Value, scim_type: ScimType, why: &str) {
        let error = parsed(&USER, operation).unwrap_err();
        assert_eq!(error.scim_type, Some(scim_type), "{}", error.detail);
        assert!(error.detail.starts_with("Operations[1]: ") && error.detail.contains(why), "{}", error.detail);
    }

    #[test]
    fn a_replaced_complex_attribute_is_replaced_as_a_whole_and_an_added_one_merged() {
        let changed = |op: &str| {
            let operations = parsed(&USER, json!({"op": op, "path": "name", "value": {"givenName": "Kim"}})).unwrap();
            let mut user = json!({"userName": "ada", "name": {"givenName": "Ada", "familyName": "King"}})
                .as_object()
                .cloned()
                .unwrap();
            apply(&USER, &mut user, &operations, &mut Budget::default()).unwrap();
            user["name"].clone()
        };
        assert_eq!(changed("replace"), json!({"givenName": "Kim"}));
        assert_eq!(changed("add"), json!({"givenName": "Kim", "familyName": "King"}));
    }

    #[test]
    fn a_member_can_be_removed_by_a_filter() {
        assert!(parsed(&GROUP, json!({"op": "remove", "path": "members[value eq \"7\"]"})).is_ok());
    }
}
