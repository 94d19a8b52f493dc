mod loose;
mod properties;

use serde_json::{Value, json};
use test_case::test_case;

use super::{Operation, PATCH_SCHEMA, apply, parse};
use crate::schema::{ENTERPRISE_SCHEMA, ROLLCALL_SCHEMA, USER};
use crate::work::Budget;
use crate::{ScimError, ScimType};

fn ada() -> Value {
    json!({
        "userName": "ada", "active": true, "title": "Countess", "name": {"givenName": "Ada", "familyName": "King"},
        "emails": [{"value": "w@x", "type": "work", "primary": true}, {"value": "h@x", "type": "home"}],
        ENTERPRISE_SCHEMA: {"department": "Engines", "manager": {"value": "m1"}},
    })
}

fn operations(operations: Value) -> Result<Vec<Operation>, ScimError> {
    parse(&USER, json!({"schemas": [PATCH_SCHEMA], "Operations": operations}))
}

fn patched(given: Value) -> Result<Value, ScimError> {
    let operations = operations(given)?;
    // An operation must mean the same after it went through the queue.
    let operations: Vec<Operation> = serde_json::from_value(json!(operations)).unwrap();
    let Value::Object(mut resource) = ada() else { unreachable!() };
    apply(&USER, &mut resource, &operations, &mut Budget::default())?;
    Ok(Value::Object(resource))
}

fn ada_with(pointer: &str, value: Value) -> Value {
    let mut expected = ada();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    expected.pointer_mut(parent).unwrap()[name] = value;
    expected
}

fn ada_without(pointer: &str) -> Value {
    let mut expected = ada();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    expected.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
    expected
}

#[test_case(
    json!([{"op": "Replace", "value": {"active": "False"}}]) => ada_with("/active", json!(false));
    "no path, loose spelling"
)]
#[test_case(
    json!([{"op": "replace", "path": "title", "value": "Lady"}]) => ada_with("/title", json!("Lady")); "simple"
)]
#[test_case(
    json!([{"op": "Replace", "value": {"name.givenName": "Augusta"}}]) => ada_with("/name/givenName", json!("Augusta"));
    "dotted key"
)]
#[test_case(
    json!([{"op": "replace", "path": "name", "value": {"givenName": "Augusta"}}])
    => ada_with("/name/givenName", json!("Augusta")); "complex leaves other parts"
)]
#[test_case(json!([{"op": "remove", "path": "name.givenName"}]) => ada_without("/name/givenName"); "remove a part")]
#[test_case(json!([{"op": "remove", "path": "title"}]) => ada_without("/title"); "remove")]
#[test_case(json!([{"op": "replace", "path": "title", "value": null}]) => ada_without("/title"); "replace by null")]
#[test_case(json!([{"op": "remove", "path": "nickName"}]) => ada(); "remove an absent attribute")]
#[test_case(json!([{"op": "add", "path": "password", "value": "secret"}]) => ada(); "password is dropped")]
#[test_case(
    json!([{"op": "replace", "value": {"id": "x", "schemas": [], "shoeSize": 3, "meta": {}}}]) => ada();
    "server's own and unknown without a path"
)]
fn single_values(operations: Value) -> Value {
    patched(operations).unwrap()
}

#[test_case(json!([{"op": "add", "path": "emails", "value": {"value": "o@x", "primary": true}}])
    => json!([
        {"value": "w@x", "type": "work", "primary": false}, {"value": "h@x", "type": "home"},
        {"value": "o@x", "primary": true}
    ]);
    "a new primary clears the old")]
#[test_case(
    json!([{"op": "add", "path": "emails", "value": [{"value": "h@x", "type": "home"}]}]) => ada()["emails"].clone();
    "an exact duplicate is dropped"
)]
#[test_case(
    json!([{"op": "replace", "path": "emails", "value": [{"value": "n@x"}]}]) => json!([{"value": "n@x"}]);
    "replace all"
)]
#[test_case(json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "n@x"}])
    => json!([{"value": "n@x", "type": "work", "primary": true}, {"value": "h@x", "type": "home"}]);
    "replace a part of the chosen")]
#[test_case(json!([{"op": "Replace", "path": "emails[type eq \"other\"].value", "value": "n@x"}])
    => json!([
        {"value": "w@x", "type": "work", "primary": true}, {"value": "h@x", "type": "home"},
        {"value": "n@x", "type": "other"}
    ]);
    "one that was not there is made")]
#[test_case(json!([{"op": "replace", "path": "emails[type eq \"home\"]", "value": {"value": "n@x"}}])
    => json!([{"value": "w@x", "type": "work", "primary": true}, {"value": "n@x", "type": "home"}]);
    "replace the chosen whole")]
#[test_case(json!([{"op": "replace", "path": "emails[type eq \"home\"]", "value": {"value": "n@x", "type": "other"}}])
    => json!([{"value": "w@x", "type": "work", "primary": true}, {"value": "n@x", "type": "other"}]);
    "the new value can say otherwise")]
#[test_case(json!([{"op": "replace", "path": "emails[type eq \
    \"other\"]", "value": {"value": "n@x"}}, {"op": "replace", "path": "emails[type eq \"other\"]",
    "value": [{"value": "n@x"}]}])
    => json!([
        {"value": "w@x", "type": "work", "primary": true}, {"value": "h@x", "type": "home"},
        {"value": "n@x", "type": "other"}
    ]);
    "a repeat changes nothing")]
#[test_case(json!([{"op": "replace", "path": "emails[type eq \"home\"].primary", "value": true}])
    => json!([{"value": "w@x", "type": "work", "primary": false}, {"value": "h@x", "type": "home", "primary": true}]);
    "the primary moves")]
#[test_case(
    json!([{"op": "remove", "path": "emails[type eq \"work\"]"}]) => json!([{"value": "h@x", "type": "home"}]);
    "remove the chosen"
)]
#[test_case(
    json!([{"op": "Remove", "path": "emails", "value": [{"value": "w@x"}]}])
    => json!([{"value": "h@x", "type": "home"}]); "remove the listed"
)]
#[test_case(
    json!([{"op": "remove", "path": "emails", "value": [{"value": "W@X", "type": "WORK"}]}])
    => json!([{"value": "h@x", "type": "home"}]); "remove the listed in any case"
)]
#[test_case(
    json!([
        {"op": "add", "path": "emails", "value": [{"value": "w@x", "type": "home"}]},
        {"op": "remove", "path": "emails", "value": [{"value": "w@x", "type": "work"}]}
    ])
    => json!([{"value": "h@x", "type": "home"}, {"value": "w@x", "type": "home"}]); "remove the listed of one type"
)]
#[test_case(json!([{"op": "remove", "path": "emails"}]) => Value::Null; "remove all")]
#[test_case(json!([{"op": "remove", "path": "emails[value pr]"}]) => Value::Null; "nothing left is absent")]
fn multiple_values(operations: Value) -> Value {
    patched(operations).unwrap()["emails"].clone()
}

#[test_case(
    json!([{"op": "replace", "value": {format!("{ENTERPRISE_SCHEMA}:department"): "B"}}])
    => json!({"department": "B", "manager": {"value": "m1"}}); "a qualified key"
)]
#[test_case(
    json!([{"op": "add", "value": {ENTERPRISE_SCHEMA: {"costCenter": "9"}}}])
    => json!({"costCenter": "9", "department": "Engines", "manager": {"value": "m1"}}); "an extension as a key"
)]
#[test_case(
    json!([{"op": "add", "path": ENTERPRISE_SCHEMA, "value": {"costCenter": "9"}}])
    => json!({"costCenter": "9", "department": "Engines", "manager": {"value": "m1"}}); "an extension as a path"
)]
#[test_case(
    json!([{"op": "add", "path": format!("{ENTERPRISE_SCHEMA}:manager"), "value": "m2"}])
    => json!({"department": "Engines", "manager": {"value": "m2"}}); "manager as a plain string"
)]
#[test_case(
    json!([{"op": "replace", "path": format!("{ENTERPRISE_SCHEMA}:manager"), "value": ""}])
    => json!({"department": "Engines"}); "manager removed by an empty string"
)]
#[test_case(json!([{"op": "remove", "path": ENTERPRISE_SCHEMA}]) => Value::Null; "the whole extension")]
fn extensions(operations: Value) -> Value {
    patched(operations).unwrap()[ENTERPRISE_SCHEMA].clone()
}

#[test]
fn a_list_inside_a_chosen_value_is_added_to() {
    let path = format!("{ROLLCALL_SCHEMA}:workspaces[value eq \"w\"].permissions");
    let user = patched(json!([
        {"op": "add", "path": path, "value": ["read"]},
        {"op": "add", "path": path, "value": ["read", "write"]},
    ]));
    assert_eq!(user.unwrap()[ROLLCALL_SCHEMA]["workspaces"], json!([{"value": "w", "permissions": ["read", "write"]}]));
}

#[test_case(
    json!([{"op": "replace", "path": "emails[type eq \"other\"]", "value": {"value": "n@x", "type": "new"}}]),
    ScimType::NoTarget, "the filter chose no value of emails"; "a new value that the filter would not choose"
)]
#[test_case(
    json!([{"op": "replace", "path": "emails[type eq \"a\" or type eq \"b\"]", "value": {"value": "n@x"}}]),
    ScimType::NoTarget, "the filter chose no value of emails"; "a filter that does not define a new value"
)]
#[test_case(
    json!([{"op": "replace", "path": "name[givenName eq \"Kim\"].familyName", "value": "x"}]), ScimType::NoTarget,
    "the filter chose no value of name"; "a single value that is not chosen"
)]
#[test_case(json!([7]), ScimType::InvalidSyntax, "Operations[0]: it is not an object"; "not an object")]
#[test_case(
    json!([{"op": "move", "path": "title"}]), ScimType::InvalidSyntax, "op is not add, remove or replace"; "unknown op"
)]
#[test_case(json!([{"op": "remove"}]), ScimType::NoTarget, "remove needs a path"; "remove without a path")]
#[test_case(
    json!([{"op": "add", "value": "x"}]), ScimType::InvalidValue, "value is missing or not an object";
    "no path, no object"
)]
#[test_case(json!([{"op": "add", "path": 7}]), ScimType::InvalidPath, "path is not a string"; "path is a number")]
#[test_case(
    json!([{"op": "add", "path": "a[", "value": 1}]), ScimType::InvalidPath, "the path is wrong at character";
    "malformed path"
)]
#[test_case(
    json!([{"op": "add", "path": "shoeSize", "value": 1}]), ScimType::InvalidPath, "shoeSize is not an attribute";
    "unknown attribute"
)]
#[test_case(
    json!([{"op": "replace", "path": "id", "value": "x"}]), ScimType::Mutability, "id is read-only"; "read-only"
)]
#[test_case(
    json!([{"op": "replace", "path": "groups", "value": []}]), ScimType::Mutability, "groups is read-only";
    "read-only list"
)]
#[test_case(json!([{"op": "remove", "path": "userName"}]), ScimType::Mutability, "userName is required"; "required")]
#[test_case(
    json!([{"op": "replace", "path": "userName", "value": null}]), ScimType::Mutability, "userName is required";
    "required by null"
)]
#[test_case(
    json!([{"op": "replace", "path": "active", "value": "maybe"}]), ScimType::InvalidValue,
    "active is not true or false"; "wrong type"
)]
#[test_case(
    json!([
        {"op": "replace", "path": "title", "value": "x"},
        {"op": "replace", "path": "emails[type ne \"work\" and value sw \"zz\"].value", "value": "n"}
    ]),
    ScimType::NoTarget, "the filter chose no value of emails"; "a filter that chose nothing"
)]
fn refused(operations: Value, scim_type: ScimType, why: &str) {
    let error = patched(operations).unwrap_err();
    assert_eq!(error.scim_type, Some(scim_type), "{}", error.detail);
    assert!(error.detail.contains(why), "{}", error.detail);
}

#[test]
fn an_empty_list_of_operations_changes_nothing_and_a_bare_list_is_accepted() {
    assert_eq!(patched(json!([])).unwrap(), ada());
    let bare = json!([{"op": "replace", "path": "title", "value": "x"}]);
    assert_eq!(parse(&USER, bare.clone()).unwrap(), operations(bare.clone()).unwrap());
    assert_eq!(parse(&USER, json!({"schemas": PATCH_SCHEMA, "Operations": bare})).unwrap(), operations(bare).unwrap());
}
