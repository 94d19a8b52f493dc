//! Lenience: deviations from SCIM that identity providers send and that have one sure meaning. Each has one
//! function, which applies to all callers. `docs/clients.md` lists them. No function guesses if data could be
//! lost.

use serde_json::{Map, Value};

use crate::json;
use crate::schema::{Attribute, Kind};

/// Entra ID writes booleans as texts: `"True"`.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Several clients send the only value of a list without brackets, and the only operation of a PATCH too.
/// `null` is no value.
pub fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        Value::Null => Vec::new(),
        value => vec![value],
    }
}

/// Entra ID puts a single value into brackets: the value that a filter chooses, and the value of a
/// single-valued attribute.
pub fn unwrap_single(value: Value) -> Value {
    match value {
        Value::Array(mut values) if values.len() == 1 => values.remove(0),
        value => value,
    }
}

/// Some clients write a simple value as if it were complex: `{"$ref": null, "value": "New name"}` for `"New
/// name"`. Members beside `value` say nothing if they are `null`.
pub fn unwrap_simple(attribute: &Attribute, value: Value) -> Value {
    match value {
        Value::Object(mut object) if attribute.kind != Kind::Complex => {
            let name = object.keys().find(|name| name.eq_ignore_ascii_case("value")).cloned();
            let is_given = |value: &Value| !value.is_null() && value.as_str() != Some("");
            let has_nothing_else = object
                .iter()
                .all(|(member, value)| if Some(member) == name.as_ref() { is_given(value) } else { value.is_null() });
            match name.filter(|_| has_nothing_else).and_then(|name| object.remove(&name)) {
                Some(value) => value,
                None => Value::Object(object),
            }
        }
        value => value,
    }
}

/// Some clients send JSON inside a text instead of a complex value: `"{\"value\": \"id\"}"`. A text that only
/// looks like JSON is left as it is; see [`looks_like_json`].
pub fn embedded(attribute: &Attribute, value: Value) -> Value {
    match value {
        Value::String(text) if attribute.kind == Kind::Complex && looks_like_json(&text) => {
            match json::parse(text.as_bytes()) {
                Ok(inside @ (Value::Object(_) | Value::Array(_))) => inside,
                _ => Value::String(text),
            }
        }
        value => value,
    }
}

/// Whether a text begins like JSON. Such a text must be JSON if a complex value is expected. It is refused as
/// the `value` of a complex value: it is no address and no id.
pub fn looks_like_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// The value of a term of a filter in the form of the attribute: `"True"` as a boolean (Entra ID), `-5` or
/// `true` without quotes as a text, `1e5` as a number.
pub fn literal(attribute: &Attribute, value: Value) -> Value {
    match (attribute.kind, value) {
        (Kind::Boolean, Value::String(text)) => boolean(&text).map_or(Value::String(text), Value::Bool),
        (Kind::String | Kind::Reference | Kind::Binary, value @ (Value::Number(_) | Value::Bool(_))) => {
            Value::String(value.to_string())
        }
        (Kind::Integer | Kind::Decimal, Value::String(text)) => number(&text).unwrap_or(Value::String(text)),
        (_, value) => value,
    }
}

/// The number that a text stands for in JSON.
pub fn number(text: &str) -> Option<Value> {
    json::parse(text.as_bytes()).ok().filter(Value::is_number)
}

/// A word in a filter that is neither in quotes nor a literal is a text: `userName sw O`, `meta.created gt
/// 2015-10-10T14:38:21.8-07:00`. A word in single quotes is refused: SCIM does not have them, and the client
/// does not mean them as part of the text. A control character is refused as well.
pub fn unquoted(word: &str) -> Option<Value> {
    (!word.starts_with('\'') && !word.contains(char::is_control)).then(|| Value::from(word))
}

/// Some clients write a dot between a schema's URN and the attribute:
/// `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department`. The URN of a schema must end with
/// a version and a name that begins with a letter. Otherwise the name could be part of the version.
pub fn urn_before_a_dot(text: &str) -> Option<(Option<&str>, &str)> {
    let (before, local) = text.rsplit_once(':')?;
    let version = before.rsplit_once(':')?.1;
    let is_version = !version.is_empty() && version.chars().all(|c| c.is_ascii_digit() || c == '.');
    let is_name = |name: &str| name.starts_with(|c: char| c.is_ascii_alphabetic());
    let (name, rest) = local.split_once('.').filter(|(name, _)| is_version && is_name(name))?;
    Some((Some(&text[..before.len() + 1 + name.len()]), rest))
}

/// Some clients ask for `attributes=emails[type eq "work"]`. The attribute is returned with all its values: a
/// list of names chooses no values.
pub fn without_choices(names: &str) -> String {
    let (mut outside, mut is_inside, mut is_quoted, mut is_escaped) =
        (String::with_capacity(names.len()), false, false, false);
    for character in names.chars() {
        match character {
            '"' if is_inside && !is_escaped => is_quoted = !is_quoted,
            '[' if !is_inside => is_inside = true,
            ']' if is_inside && !is_quoted => is_inside = false,
            _ if !is_inside => outside.push(character),
            _ => {}
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    // A bracket that is not closed stays, and is refused later.
    if is_inside { names.to_owned() } else { outside }
}

/// Entra ID clears the manager by an empty text. The manager is the only attribute that refers to a single
/// resource. In a list of references an empty text may be a value that got lost, and nobody may leave a group
/// for that.
pub fn is_no_reference(attribute: &Attribute, value: &Value) -> bool {
    !attribute.multi_valued && attribute.sub("value").is_some() && value.as_str().is_some_and(str::is_empty)
}

/// Some clients send `manager`, `roles` and `members` as a plain value: `"id"` for `{"value": "id"}`.
pub fn complex(attribute: &Attribute, value: Value) -> Value {
    match value {
        value if is_no_reference(attribute, &value) => Value::Null,
        Value::String(text) if attribute.sub("value").is_some() => {
            Value::Object(Map::from_iter([("value".to_owned(), Value::String(text))]))
        }
        value => value,
    }
}

/// Salesforce repeats the attribute's name inside the value of a path: `{"path": "members", "value":
/// {"members": [{"value": "id"}]}}`. The meaning is sure if the object has only this member, and the
/// attribute is multi-valued and has no part of that name.
pub fn wrapped(attribute: &Attribute, value: Value) -> Value {
    match value {
        Value::Object(mut wrapper)
            if attribute.multi_valued && attribute.sub(&attribute.name).is_none() && wrapper.len() == 1 =>
        {
            let name = wrapper.keys().find(|name| name.eq_ignore_ascii_case(&attribute.name)).cloned();
            // `null` in a wrapper is no list: its removal must not remove all members.
            match name.filter(|name| !wrapper[name].is_null()).and_then(|name| wrapper.remove(&name)) {
                Some(inside) => inside,
                None => Value::Object(wrapper),
            }
        }
        value => value,
    }
}

/// Entra ID lists a schema of Microsoft's for groups, an address that is no URN, and sends nothing under it.
/// `body` is the body of the resource.
pub fn names_without_using(body: &Map<String, Value>, schema: &str) -> bool {
    let is_urn = schema.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn:"));
    !is_urn && schema.contains("://") && !body.contains_key(schema)
}

/// Okta deactivates a user by a PATCH without a path and expects the resource in the answer. RFC 7644 section
/// 3.5.2 allows the answer 200 for any PATCH. `body` is the body of the PATCH.
pub fn expects_the_resource(body: &Value) -> bool {
    let mut members = body.as_object().into_iter().flatten();
    let operations = members.find(|(name, _)| name.eq_ignore_ascii_case("Operations")).map(|(_, value)| value);
    let has_no_path = |operation: &Value| operation.is_object() && operation.get("path").is_none_or(Value::is_null);
    operations.and_then(Value::as_array).is_some_and(|operations| operations.iter().any(has_no_path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ENTERPRISE_USER, GROUP, USER};
    use serde_json::json;
    use test_case::test_case;

    #[test_case("True" => Some(true); "as Entra ID writes it")]
    #[test_case("false" => Some(false); "in small letters")]
    #[test_case("yes" => None; "another word")]
    fn booleans(text: &str) -> Option<bool> {
        boolean(text)
    }

    #[test]
    fn brackets_are_optional() {
        assert_eq!(
            (list(json!("a")), list(json!(["a", "b"])), list(Value::Null)),
            (vec![json!("a")], vec![json!("a"), json!("b")], vec![])
        );
        assert_eq!(
            (unwrap_single(json!(["a"])), unwrap_single(json!(["a", "b"])), unwrap_single(json!("a"))),
            (json!("a"), json!(["a", "b"]), json!("a"))
        );
    }

    #[test]
    fn a_plain_value_means_an_object_with_that_value() {
        let manager = ENTERPRISE_USER.attributes.iter().find(|attribute| attribute.name == "manager").unwrap();
        assert_eq!(complex(manager, json!("7")), json!({"value": "7"}));
        assert_eq!(complex(manager, json!("")), Value::Null);
        assert_eq!(complex(manager, json!({"value": "7"})), json!({"value": "7"}));
        let name = USER.attribute("name").unwrap();
        assert_eq!(complex(name, json!("Ada")), json!("Ada"), "a name has no value of its own");
        let roles = USER.attribute("roles").unwrap();
        assert_ne!(complex(roles, json!("")), Value::Null, "only a lone reference is cleared by an empty text");
    }

    #[test_case(json!({"members": [{"value": "7"}]}) => json!([{"value": "7"}]); "as Salesforce sends it")]
    #[test_case(json!({"Members": []}) => json!([]); "in any case, and empty")]
    #[test_case(json!({"members": null}) => json!({"members": null}); "null is no list")]
    #[test_case(json!({"members": [], "value": "7"}) => json!({"members": [], "value": "7"}); "beside something else")]
    #[test_case(json!([{"members": []}]) => json!([{"members": []}]); "in brackets")]
    fn a_wrapper_of_the_same_name(value: Value) -> Value {
        wrapped(GROUP.attribute("members").unwrap(), value)
    }

    #[test]
    fn only_an_attribute_with_several_values_is_wrapped() {
        let title = USER.attribute("title").unwrap();
        assert_eq!(wrapped(title, json!({"title": "x"})), json!({"title": "x"}));
    }

    #[test]
    fn a_named_but_unused_schema_is_accepted() {
        let body = json!({"http://x.example/Used": {}});
        let names = |schema: &str| names_without_using(body.as_object().unwrap(), schema);
        assert!(names("http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"));
        assert!(!names("http://x.example/Used"));
        assert!(!names("urn:example:params:scim:schemas:extension:other:2.0:User"));
        assert!(!names("User"));
    }

    #[test]
    fn a_patch_without_a_path_is_answered_with_the_resource() {
        assert!(expects_the_resource(&json!({"Operations": [{"op": "replace", "value": {"active": false}}]})));
        assert!(!expects_the_resource(&json!({"Operations": [{"op": "replace", "path": "active", "value": false}]})));
        assert!(!expects_the_resource(&json!([])));
    }
}
