//! Values of attributes that a request does not name. Only this module knows which attributes have a default,
//! and which ones a PUT keeps.
//!
//! | attribute | not named by a POST | not named by a PUT | unassigned (`remove`, `null`, no value) |
//! |---|---|---|---|
//! | with a `default` (`active`) | the default | stays | stays |
//! | `keptByPut` (`workspaces`) | absent, and `membership::join_default` applies | stays | goes |
//! | in an extension that is `keptByPut` | absent | stays if the PUT does not have the extension, else goes | goes |
//! | any other | absent | goes | goes |
//!
//! So a request without `true` never activates an account, and a client that knows no workspaces removes
//! nobody from one.

use serde_json::{Value, json};

use crate::resource::Attributes;
use crate::schema::{Attribute, ResourceType, Schema};

/// Gives a new resource the defaults of the attributes that its creator did not name.
pub fn fill(resource_type: &ResourceType, resource: &mut Attributes) {
    restore_defaults(resource_type, &Attributes::new(), resource);
}

/// Restores the previous value of each attribute with a default that a change left without a value.
pub fn restore_defaults(resource_type: &ResourceType, before: &Attributes, after: &mut Attributes) {
    for (extension, attribute) in attributes(resource_type) {
        let Some(default) = &attribute.default else { continue };
        let value = held(before, extension, &attribute.name).unwrap_or(default);
        put_if_absent(after, extension, &attribute.name, value);
    }
}

/// Keeps the attributes that a PUT does not name and does not clear. All other attributes that it does not
/// name are cleared (RFC 7644 section 3.5.1). An attribute that is named with `[]` is in `after` as `[]`, so
/// it is cleared.
pub fn keep_unnamed(resource_type: &ResourceType, before: &Attributes, after: &mut Attributes) {
    for schema in resource_type.extensions.iter().filter(|schema| schema.kept_by_put) {
        if let (Some(kept), false) = (before.get(&schema.id), after.contains_key(&schema.id)) {
            after.insert(schema.id.clone(), kept.clone());
        }
    }
    for (extension, attribute) in attributes(resource_type).filter(|(_, attribute)| attribute.kept_by_put) {
        if let Some(value) = held(before, extension, &attribute.name) {
            put_if_absent(after, extension, &attribute.name, value);
        }
    }
}

/// Removes unassigned attributes: empty lists, and extensions without attributes (RFC 7643 section 2.5).
pub fn drop_unassigned(resource_type: &ResourceType, resource: &mut Attributes) {
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    for schema in &resource_type.extensions {
        if let Some(Value::Object(extension)) = resource.get_mut(&schema.id) {
            extension.retain(|_, value| !is_empty(value));
            if extension.is_empty() {
                resource.remove(&schema.id);
            }
        }
    }
    resource.retain(|_, value| !is_empty(value));
}

/// Every attribute with its extension; `None` for the core schema.
fn attributes(resource_type: &ResourceType) -> impl Iterator<Item = (Option<&'static Schema>, &'static Attribute)> {
    let core = resource_type.core.attributes.iter().map(|attribute| (None, attribute));
    let of_extension = |schema: &'static Schema| schema.attributes.iter().map(move |one| (Some(schema), one));
    core.chain(resource_type.extensions.iter().copied().flat_map(of_extension))
}

fn held<'a>(resource: &'a Attributes, extension: Option<&Schema>, name: &str) -> Option<&'a Value> {
    extension.map_or(Some(resource), |schema| resource.get(&schema.id)?.as_object())?.get(name)
}

fn put_if_absent(resource: &mut Attributes, extension: Option<&Schema>, name: &str, value: &Value) {
    let holder = match extension {
        None => Some(resource),
        Some(schema) => resource.entry(schema.id.as_str()).or_insert_with(|| json!({})).as_object_mut(),
    };
    if let Some(holder) = holder
        && !holder.contains_key(name)
    {
        holder.insert(name.to_owned(), value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ROLLCALL_SCHEMA, USER, USER_SCHEMA};
    use crate::validate;
    use test_case::test_case;

    fn object(value: Value) -> Attributes {
        value.as_object().cloned().unwrap()
    }

    #[test_case(json!({}) => json!(true); "not named")]
    #[test_case(json!({"active": null}) => json!(true); "null")]
    #[test_case(json!({"active": false}) => json!(false); "false")]
    fn a_new_user_is_active_unless_it_says_otherwise(mut given: Value) -> Value {
        given["schemas"] = json!([USER_SCHEMA]);
        given["userName"] = json!("ada");
        let mut user = validate::resource(&USER, given).unwrap();
        fill(&USER, &mut user);
        user["active"].clone()
    }

    #[test]
    fn an_absent_attribute_with_a_default_keeps_its_value() {
        let (inactive, mut after) = (object(json!({"active": false})), object(json!({"title": "x"})));
        restore_defaults(&USER, &inactive, &mut after);
        assert_eq!(after["active"], false);
        let mut activated = object(json!({"active": true}));
        restore_defaults(&USER, &inactive, &mut activated);
        assert_eq!(activated["active"], true);
    }

    #[test_case(
        json!({}) => json!({"workspaces": [{"value": "w"}], "companyPermissions": ["p"]});
        "a put that does not know the extension"
    )]
    #[test_case(json!({ROLLCALL_SCHEMA: null}) => Value::Null; "null for the extension")]
    #[test_case(
        json!({ROLLCALL_SCHEMA: {"companyPermissions": ["q"]}})
        => json!({"workspaces": [{"value": "w"}], "companyPermissions": ["q"]}); "no workspaces"
    )]
    #[test_case(
        json!({ROLLCALL_SCHEMA: {"companyPermissions": []}}) => json!({"workspaces": [{"value": "w"}]});
        "no permissions, explicitly"
    )]
    #[test_case(
        json!({ROLLCALL_SCHEMA: {"workspaces": [{"value": "v"}]}}) => json!({"workspaces": [{"value": "v"}]});
        "other workspaces"
    )]
    #[test_case(json!({ROLLCALL_SCHEMA: {"workspaces": []}}) => Value::Null; "no workspaces, explicitly")]
    fn a_put(mut given: Value) -> Value {
        given["schemas"] = json!([USER_SCHEMA]);
        given["userName"] = json!("ada");
        let before = object(json!({ROLLCALL_SCHEMA: {"workspaces": [{"value": "w"}], "companyPermissions": ["p"]}}));
        let mut after = validate::resource(&USER, given).unwrap();
        keep_unnamed(&USER, &before, &mut after);
        drop_unassigned(&USER, &mut after);
        after.get(ROLLCALL_SCHEMA).cloned().unwrap_or_default()
    }
}
