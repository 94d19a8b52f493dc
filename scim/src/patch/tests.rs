use proptest::prelude::*;
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
#[test_case(json!([{"op": "remove", "path": "nickName"}]) => ada(); "remove what is not there")]
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

const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";

/// Entra ID chooses the one manager by a filter.
#[test_case("remove", "[value eq \"m1\"]", Value::Null => Value::Null; "remove the chosen")]
#[test_case("remove", "[value eq \"m1\"].value", Value::Null => Value::Null; "remove its id")]
#[test_case("Remove", ".value", Value::Null => Value::Null; "remove its id without a choice")]
#[test_case("remove", "[value eq \"other\"]", Value::Null => json!({"value": "m1"}); "remove another")]
#[test_case("remove", "[value eq \"other\"].value", Value::Null => json!({"value": "m1"}); "remove the id of another")]
#[test_case("remove", "", json!([{"value": "m1"}]) => Value::Null; "remove with a list")]
#[test_case("replace", "[value eq \"m1\"]", json!([{"value": "m2"}]) => json!({"value": "m2"}); "replace the chosen")]
#[test_case("replace", "[value eq \"m1\"].value", json!("m2") => json!({"value": "m2"}); "replace its id")]
#[test_case("replace", "[value eq \"m1\"].value", json!("") => Value::Null; "replace its id by an empty text")]
#[test_case("replace", "", json!([{"value": "m2"}]) => json!({"value": "m2"}); "replace by a list of one")]
#[test_case("replace", "", json!("{\"value\": \"m2\"}") => json!({"value": "m2"}); "replace by JSON in a text")]
fn the_manager(op: &str, choice: &str, value: Value) -> Value {
    let mut operation = json!({"op": op, "path": format!("{MANAGER}{choice}")});
    if !value.is_null() {
        operation["value"] = value;
    }
    patched(json!([operation])).unwrap()[ENTERPRISE_SCHEMA]["manager"].take()
}

#[test]
fn a_filter_on_a_part_of_a_single_value_chooses_it() {
    let path =
        |choice: &str| json!([{"op": "replace", "path": format!("name[{choice}].familyName"), "value": "Byron"}]);
    assert_eq!(patched(path("givenName eq \"ada\"")).unwrap()["name"]["familyName"], "Byron");
    assert!(
        operations(json!([{"op": "replace", "path": "title[value eq \"x\"]", "value": "y"}])).is_err(),
        "a title has no parts"
    );
}

#[test]
fn a_created_single_value_matches_its_filter() {
    let none = json!({"op": "remove", "path": MANAGER});
    let set =
        |value: Value| json!([none, {"op": "replace", "path": format!("{MANAGER}[value eq \"m2\"]"), "value": value}]);
    assert_eq!(patched(set(json!({"value": "m2"}))).unwrap()[ENTERPRISE_SCHEMA]["manager"], json!({"value": "m2"}));
    assert_eq!(patched(set(json!({"value": "m3"}))).unwrap_err().scim_type, Some(ScimType::NoTarget));
}

#[test]
fn a_replaced_value_keeps_the_sub_attribute_that_its_filter_compares() {
    let operation = json!({"op": "replace", "path": "emails[type eq \"HOME\"]", "value": {"value": "n@x"}});
    assert_eq!(patched(json!([operation])).unwrap()["emails"][1], json!({"value": "n@x", "type": "home"}));
}

/// One-element lists and objects around single values.
#[test_case("active", json!([false]) => json!(false); "a boolean in brackets")]
#[test_case("active", json!([{"value": "False"}]) => json!(false); "a boolean as an object in brackets")]
#[test_case("displayName", json!([{"$ref": null, "value": "New name"}]) => json!("New name"); "a name as an object")]
#[test_case("title", json!({"value": "x"}) => json!("x"); "a title as an object")]
#[test_case(
    "name", json!([{"givenName": "Kim"}]) => json!({"givenName": "Kim", "familyName": "King"});
    "a complex value in brackets"
)]
#[test_case(
    "name.givenName", json!(["Kim"]) => json!({"givenName": "Kim", "familyName": "King"}); "a part in brackets"
)]
fn a_single_value_in_brackets(path: &str, value: Value) -> Value {
    let attribute = path.split('.').next().unwrap().to_owned();
    let with_path = patched(json!([{"op": "replace", "path": path, "value": value}])).unwrap();
    let without = patched(json!([{"op": "replace", "value": {path: value}}])).unwrap();
    assert_eq!(with_path, without);
    with_path[attribute].clone()
}

#[test_case("title", json!(["a", "b"]); "two titles")]
#[test_case("active", json!([]); "no boolean")]
#[test_case("displayName", json!({"value": "x", "display": "y"}); "an object with more members")]
#[test_case("emails", json!("[{\"value\": \"a@x\""); "a text that is broken JSON")]
#[test_case("emails", json!(["{\"value\": \"a@x\""]); "a text that is broken JSON in a list")]
#[test_case("emails[type eq \"work\"].value", json!("{\"value\": \"a@x\"}"); "JSON as the address of a chosen value")]
#[test_case("emails.value", json!(["[\"a@x\"]"]); "a list in a text as the address of all values")]
#[test_case("emails", json!([{"value": "{\"value\": \"a@x\"}"}]); "JSON as an address in a list")]
#[test_case("emails[type eq \"other\"]", json!({"value": "{}"}); "JSON as the address of a new value")]
#[test_case("emails[value eq \"{}\"].type", json!("other"); "JSON as the address that a filter makes")]
fn a_value_that_could_mean_something_else(path: &str, value: Value) {
    let attribute = path.split(['.', '[']).next().unwrap();
    let error = patched(json!([{"op": "replace", "path": path, "value": value}])).unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::InvalidValue), "{}", error.detail);
    assert!(error.detail.contains(attribute), "{}", error.detail);
}

#[test_case(json!("[{\"value\": \"j@x\", \"type\": \"work\"}]"); "a list in a text")]
#[test_case(json!("{\"value\": \"j@x\", \"type\": \"work\"}"); "an object in a text")]
#[test_case(json!(["{\"value\": \"j@x\", \"type\": \"work\"}"]); "an object in a text in a list")]
fn json_in_a_text_is_read(value: Value) {
    let user = patched(json!([{"op": "replace", "path": "emails", "value": value}])).unwrap();
    assert_eq!(user["emails"], json!([{"value": "j@x", "type": "work"}]));
}

/// A deactivated user is not reactivated by a late or repeated operation, nor the reverse.
#[test_case(
    json!([{"op": "replace", "path": "active", "value": false}, {"op": "remove", "path": "active"}]) => json!(false);
    "deactivated and removed"
)]
#[test_case(
    json!([{"op": "replace", "path": "active", "value": false}, {"op": "Replace", "path": "active"}]) => json!(false);
    "deactivated and replaced by nothing"
)]
#[test_case(
    json!([{"op": "replace", "value": {"active": false}}, {"op": "replace", "value": {"active": null, "title": "x"}}])
    => json!(false); "deactivated and null"
)]
#[test_case(
    json!([{"op": "remove", "path": "active"}, {"op": "replace", "path": "active", "value": false}]) => json!(false);
    "removed and deactivated"
)]
#[test_case(json!([{"op": "remove", "path": "active"}]) => json!(true); "removed alone")]
fn an_attribute_with_a_default_keeps_its_current_value(operations: Value) -> Value {
    patched(operations).unwrap()["active"].clone()
}

#[test]
fn an_empty_text_is_no_value_of_a_list() {
    let refused = [
        json!({"op": "replace", "path": "emails", "value": [{"value": ""}]}),
        json!({"op": "add", "path": "phoneNumbers", "value": {"value": ""}}),
        json!({"op": "replace", "path": "emails[type eq \"work\"].value", "value": ""}),
        json!({"op": "add", "value": {"addresses": [{"formatted": "", "locality": ""}]}}),
    ];
    for operation in refused {
        assert_eq!(patched(json!([operation])).unwrap_err().scim_type, Some(ScimType::InvalidValue), "{operation}");
    }
    let no_manager = patched(json!([{"op": "replace", "path": MANAGER, "value": {"value": ""}}])).unwrap();
    assert_eq!(no_manager[ENTERPRISE_SCHEMA].get("manager"), None);
}

#[test]
fn an_extension_that_is_null_is_unassigned() {
    for operation in [
        json!({"op": "replace", "value": {ENTERPRISE_SCHEMA: null}}),
        json!({"op": "replace", "path": ENTERPRISE_SCHEMA, "value": null}),
    ] {
        assert_eq!(patched(json!([operation])).unwrap().get(ENTERPRISE_SCHEMA), None);
    }
    assert_eq!(
        patched(json!([{"op": "add", "value": {ENTERPRISE_SCHEMA: null}}])).unwrap(),
        ada(),
        "null adds nothing"
    );
}

#[test]
fn an_empty_list_of_operations_changes_nothing_and_a_bare_list_is_accepted() {
    assert_eq!(patched(json!([])).unwrap(), ada());
    let bare = json!([{"op": "replace", "path": "title", "value": "x"}]);
    assert_eq!(parse(&USER, bare.clone()).unwrap(), operations(bare.clone()).unwrap());
    assert_eq!(parse(&USER, json!({"schemas": PATCH_SCHEMA, "Operations": bare})).unwrap(), operations(bare).unwrap());
}

#[test]
fn a_filter_makes_a_value_with_the_types_of_its_attribute() {
    let user = patched(json!([{"op": "Add", "path": "roles[primary eq \"True\"].value", "value": "admin"}])).unwrap();
    assert_eq!(user["roles"], json!([{"primary": true, "value": "admin"}]));
    let user =
        patched(json!([{"op": "replace", "path": "emails[primary eq \"true\"].value", "value": "p@x"}])).unwrap();
    assert_eq!(user["emails"][0]["value"], "p@x");
}

fn edits() -> impl Strategy<Value = Value> {
    let paths = vec![
        "title",
        "active",
        "name",
        "name.givenName",
        "emails",
        "emails[type eq \"work\"]",
        "emails[type eq \"other\"].value",
        "emails.primary",
    ];
    let values = vec![
        json!("x"),
        json!(true),
        json!({"givenName": "G"}),
        json!([{"value": "v", "primary": true}]),
        json!({"value": "w", "type": "work", "primary": true}),
        json!(null),
    ];
    let ops = proptest::sample::select(vec!["add", "remove", "replace"]);
    (ops, proptest::sample::select(paths), proptest::sample::select(values))
        .prop_map(|(op, path, value)| json!({"op": op, "path": path, "value": value}))
}

proptest! {
    /// After any PATCH, validation would accept the resource as it is: types are kept, at most one value is
    /// primary, no value is empty.
    #[test]
    fn a_patched_resource_is_a_valid_resource(edits in proptest::collection::vec(edits(), 1..6)) {
        if let Ok(mut user) = patched(json!(edits)) {
            user["schemas"] = json!([crate::schema::USER_SCHEMA]);
            let again = crate::validate::resource(&USER, user.clone());
            user.as_object_mut().unwrap().remove("schemas");
            prop_assert_eq!(again.map(Value::Object), Ok(user));
        }
    }

    #[test]
    fn replacing_twice_is_replacing_once(edit in edits()) {
        // After its replacement, the filter may no longer choose the value.
        prop_assume!(edit["path"] != "emails[type eq \"work\"]");
        let edit = json!({"op": "replace", "path": edit["path"], "value": edit["value"]});
        prop_assert_eq!(patched(json!([edit])).ok(), patched(json!([edit, edit])).ok());
    }

    #[test]
    fn adding_and_removing_a_value_restores_the_resource(
        (path, chosen, value) in proptest::sample::select(vec![
            ("nickName", "nickName", json!("Countess of Lovelace")),
            ("name.middleName", "name.middleName", json!("Noel")),
            ("name", "name.honorificPrefix", json!({"honorificPrefix": "Lady"})),
            ("emails", "emails[value eq \"new@x\"]", json!([{"value": "new@x", "type": "other"}])),
            ("phoneNumbers", "phoneNumbers", json!([{"value": "tel:+44"}, {"value": "tel:+45", "primary": true}])),
            ("ims[type eq \"skype\"].value", "ims[type eq \"skype\"]", json!("ada")),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division",
             "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division", json!("Difference")),
        ]),
        edits in proptest::collection::vec(edits(), 0..4),
    ) {
        let (there, gone) = (
            json!({"op": "add", "path": path, "value": value}), json!({"op": "remove", "path": chosen})
        );
        let edited = |more: &[Value]| patched(Value::Array(edits.iter().chain(more).cloned().collect()));
        let before = if edits.is_empty() { Ok(ada()) } else { edited(&[]) };
        prop_assume!(before.is_ok());
        prop_assert_ne!(&edited(std::slice::from_ref(&there)), &before);
        prop_assert_eq!(edited(&[there, gone]), before);
    }
}
