//! Values as clients write them: in brackets, as an object, as text, empty, and chosen by a filter.

use serde_json::{Value, json};
use test_case::test_case;

use super::{ada, operations, patched};
use crate::ScimType;
use crate::schema::ENTERPRISE_SCHEMA;

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
fn a_filter_makes_a_value_with_the_types_of_its_attribute() {
    let user = patched(json!([{"op": "Add", "path": "roles[primary eq \"True\"].value", "value": "admin"}])).unwrap();
    assert_eq!(user["roles"], json!([{"primary": true, "value": "admin"}]));
    let user =
        patched(json!([{"op": "replace", "path": "emails[primary eq \"true\"].value", "value": "p@x"}])).unwrap();
    assert_eq!(user["emails"][0]["value"], "p@x");
}
