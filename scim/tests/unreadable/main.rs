//! A value that cannot be understood is refused by name and changes nothing: every attribute of every schema,
//! in every form that can carry it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test panics at the first fault")]

mod place;
mod properties;
mod values;

use rollcall_scim::patch::{Operation, PATCH_SCHEMA, apply, parse};
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::{Kind, ResourceType};
use rollcall_scim::work::Budget;
use rollcall_scim::{ScimError, ScimType, validate};
use serde_json::{Value, json};

use place::{Place, is_writable};
use values::{empty_objects, full, good, unreadable};

fn operations(place: &Place, operation: &Value) -> Result<Vec<Operation>, ScimError> {
    parse(place.resource_type, json!({"schemas": [PATCH_SCHEMA], "Operations": [operation]}))
}

fn patched(place: &Place, operation: &Value) -> Result<Attributes, ScimError> {
    let mut resource = full(place.resource_type);
    apply(place.resource_type, &mut resource, &operations(place, operation)?, &mut Budget::default())?;
    Ok(resource)
}

#[track_caller]
fn assert_refused(result: Result<impl std::fmt::Debug, ScimError>, name: &str, form: &Value) {
    let error = result.expect_err(&form.to_string());
    assert_eq!(error.scim_type, Some(ScimType::InvalidValue), "{form}: {}", error.detail);
    assert!(error.detail.contains(name), "{form}: {}", error.detail);
}

#[test]
fn an_unreadable_value_is_refused_in_every_form() {
    for place in Place::all() {
        for value in unreadable(place.attribute) {
            let body = place.body(value.clone());
            assert_refused(validate::resource(place.resource_type, body.clone()), &place.attribute.name, &body);
            for operation in place.patches(&value) {
                // A remove of an empty list is a matter of its own: see below.
                if operation["op"] == "remove" && value == json!([]) {
                    continue;
                }
                assert_refused(patched(&place, &operation), &place.attribute.name, &operation);
            }
        }
    }
}

#[test]
fn a_readable_value_is_accepted_in_every_form_with_unknown_members() {
    for place in Place::all() {
        let mut value = good(place.attribute);
        if let Value::Object(value) = &mut value {
            value.insert("unheardOf".to_owned(), json!({}));
        }
        let value = if place.attribute.multi_valued { json!([value]) } else { value };
        validate::resource(place.resource_type, place.body(value.clone())).unwrap();
        for operation in place.patches(&value).iter().filter(|operation| operation["op"] != "remove") {
            assert_eq!(patched(&place, operation).unwrap(), full(place.resource_type), "{operation}");
        }
    }
}

#[test]
fn an_empty_sub_attribute_is_refused_in_every_form() {
    for place in Place::all() {
        for part in place.attribute.sub_attributes.iter().filter(|part| is_writable(part)) {
            for value in unreadable(part) {
                let mut holder = good(place.attribute);
                holder[&part.name] = value.clone();
                let body = place.body(if place.attribute.multi_valued { json!([holder]) } else { holder.clone() });
                assert_refused(validate::resource(place.resource_type, body.clone()), &part.name, &body);
                let paths =
                    [format!("{}.{}", place.path(), part.name), format!("{}[value pr].{}", place.path(), part.name)];
                for path in paths
                    .iter()
                    .take(if place.attribute.multi_valued && place.attribute.sub("value").is_some() { 2 } else { 1 })
                {
                    for operation in
                        ["add", "replace", "remove"].map(|op| json!({"op": op, "path": path, "value": value}))
                    {
                        if operation["op"] != "remove" || value != json!([]) {
                            assert_refused(patched(&place, &operation), &part.name, &operation);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_value_selected_by_a_filter_cannot_be_emptied() {
    let lists = |place: &Place| place.attribute.multi_valued && place.attribute.sub("value").is_some();
    for place in Place::all().into_iter().filter(lists) {
        let path = format!("{}[value pr]", place.path());
        for value in
            empty_objects(place.attribute).into_iter().chain([json!(""), json!([{}]), json!([null]), json!([[]])])
        {
            for operation in ["add", "replace", "remove"].map(|op| json!({"op": op, "path": path, "value": value})) {
                assert_refused(patched(&place, &operation), &place.attribute.name, &operation);
            }
        }
    }
}

#[test]
fn an_extension_without_any_of_its_attributes_is_refused() {
    for resource_type in ResourceType::writable() {
        for schema in &resource_type.extensions {
            for value in [json!({}), json!({"unheardOf": "x"}), json!([]), json!("x"), json!([{}])] {
                let place = Place { resource_type, extension: None, attribute: &schema.attributes[0] };
                let mut body = place.body(json!("x"));
                body[&schema.id] = value.clone();
                assert_refused(validate::resource(resource_type, body.clone()), &schema.id, &body);
                for op in ["add", "replace", "remove"] {
                    let operation = json!({"op": op, "path": schema.id, "value": value});
                    if op == "remove" && value == json!([]) {
                        assert_eq!(patched(&place, &operation).unwrap(), full(resource_type));
                    } else {
                        assert_refused(patched(&place, &operation), &schema.id, &operation);
                    }
                }
            }
            let mut null = full(resource_type);
            null.insert("schemas".to_owned(), json!([resource_type.core.id]));
            null.insert(schema.id.clone(), Value::Null);
            let read = validate::resource(resource_type, Value::Object(null)).unwrap();
            let held = read.get(&schema.id).and_then(Value::as_object);
            assert!(held.is_none_or(|held| held.values().all(|value| *value == json!([]))), "{held:?}");
        }
    }
}

#[test]
fn a_remove_that_lists_nothing_removes_nothing() {
    for place in Place::all() {
        for operation in place.patches(&json!([])).iter().filter(|operation| operation["op"] == "remove") {
            assert_eq!(patched(&place, operation).unwrap(), full(place.resource_type), "{operation}");
        }
        for operation in place.patches(&json!("")).iter().filter(|operation| operation["op"] == "remove") {
            if place.is_manager() {
                assert_eq!(place.held(&patched(&place, operation).unwrap()), Value::Null, "{operation}");
            } else {
                assert_refused(patched(&place, operation), &place.attribute.name, operation);
            }
        }
        let nested = place.attribute.sub_attributes.iter().filter(|part| is_writable(part));
        for operation in
            nested.map(|part| json!({"op": "remove", "path": format!("{}.{}", place.path(), part.name), "value": []}))
        {
            assert_eq!(patched(&place, &operation).unwrap(), full(place.resource_type), "{operation}");
        }
    }
}

#[test]
fn a_remove_removes_only_the_listed_values_wrapped_or_not() {
    for place in Place::all().into_iter().filter(|place| place.attribute.multi_valued) {
        let mut other = good(place.attribute);
        match place.attribute.sub("value").map(|part| part.kind) {
            Some(Kind::Binary) => other["value"] = json!("REVG"),
            Some(_) => other["value"] = json!("y"),
            None if other.is_object() => other["type"] = json!("y"),
            None => other = json!("y"),
        }
        // A second primary value would change the first.
        if let Value::Object(other) = &mut other {
            other.remove("primary");
        }
        let listed = json!([good(place.attribute)]);
        for value in [listed.clone(), json!({&place.attribute.name: listed})] {
            let mut resource = full(place.resource_type);
            let add = json!({"op": "add", "path": place.path(), "value": [other]});
            let remove = json!({"op": "remove", "path": place.path(), "value": value});
            for operation in [add, remove] {
                apply(
                    place.resource_type,
                    &mut resource,
                    &operations(&place, &operation).unwrap(),
                    &mut Budget::default(),
                )
                .unwrap();
            }
            let left = place.held(&resource);
            assert_eq!(left.as_array().map(Vec::len), Some(1), "{left}");
            assert!(left[0] == other || left[0]["value"] == other["value"], "{left}");
        }
    }
}

#[test]
fn null_sub_attributes_are_removed_and_the_others_kept() {
    let user = ResourceType::writable()[0];
    let place = Place { resource_type: user, extension: None, attribute: user.attribute("name").unwrap() };
    let replace =
        |value: Value| place.held(&patched(&place, &json!({"op": "replace", "path": "name", "value": value})).unwrap());
    let mut expected = good(place.attribute);
    expected.as_object_mut().unwrap().remove("givenName");
    assert_eq!(replace(json!({"givenName": null})), expected);
    expected["familyName"] = json!("King");
    assert_eq!(replace(json!({"givenName": null, "familyName": "King"})), expected);
    assert_eq!(replace(json!(null)), Value::Null);
}
