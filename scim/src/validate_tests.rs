use serde_json::{Value, json};
use test_case::test_case;

use super::resource;
use crate::schema::{ENTERPRISE_SCHEMA, ROLLCALL_SCHEMA, USER, USER_SCHEMA};
use crate::{ScimError, ScimType};

fn read(mut attributes: Value) -> Result<Value, ScimError> {
    attributes["schemas"] = json!([USER_SCHEMA]);
    resource(&USER, attributes).map(Value::Object)
}

#[test]
fn names_get_their_canonical_spelling_and_read_only_attributes_are_left_out() {
    let user = read(json!({
        "USERNAME": "ada", "Id": "mine", "meta": {"version": "1"}, "groups": [], "password": "secret", "shoeSize": 42,
        "name": {"GivenName": "Ada", "age": 3}, "ENTITLEMENTS": [], "nickName": null,
    }));
    assert_eq!(user.unwrap(), json!({"userName": "ada", "name": {"givenName": "Ada"}}));
}

#[test]
fn loosely_spelled_values_of_identity_providers_are_accepted() {
    let user = read(json!({
        "userName": "ada", "active": "False", "roles": ["admin"],
        "emails": {"value": "a@example.com", "primary": "True"},
        ENTERPRISE_SCHEMA: {"manager": "26118915"},
    }));
    assert_eq!(
        user.unwrap(),
        json!({
            "userName": "ada", "active": false, "roles": [{"value": "admin"}],
            "emails": [{"value": "a@example.com", "primary": true}],
            ENTERPRISE_SCHEMA: {"manager": {"value": "26118915"}},
        })
    );
}

#[test_case(json!({}), "userName is missing"; "no userName")]
#[test_case(json!({"userName": null}), "userName is missing"; "null userName")]
#[test_case(json!({"userName": "  "}), "userName is empty"; "blank userName")]
#[test_case(json!({"userName": 7}), "userName is not a string"; "wrong type")]
#[test_case(json!({"userName": "x".repeat(257)}), "userName is longer than 256 characters"; "absurd length")]
#[test_case(
    json!({"userName": "a", "nickName": "x".repeat(4097)}), "nickName is longer than 4096 characters"; "long text"
)]
#[test_case(json!({"userName": "a", "active": "maybe"}), "active is not true or false"; "not a boolean")]
#[test_case(json!({"userName": "a", "name": "Ada"}), "name is not an object"; "not an object")]
#[test_case(json!({"userName": "a", "emails": [{"value": 1}]}), "emails.value is not a string"; "inside a list")]
#[test_case(
    json!({"userName": "a", "emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}),
    "emails has more than one primary value"; "two primaries"
)]
#[test_case(json!({"userName": "a", "roles": vec!["r"; 1001]}), "roles has more than 1000 values"; "too many values")]
#[test_case(
    json!({"userName": "a", "x509Certificates": [{"value": "%%"}]}),
    "x509Certificates.value is not base64 of acceptable length"; "not base64"
)]
#[test_case(
    json!({"userName": "a", ROLLCALL_SCHEMA: {"workspaces": [{"permissions": ["x"]}]}}),
    "urn:ietf:params:scim:schemas:extension:rollcall:2.0:User:workspaces.value is missing";
    "missing inside an extension"
)]
#[test_case(
    json!({
        "userName": "a",
        ROLLCALL_SCHEMA: {"workspaces": [{"value": "w", "teams": [{"value": "t", "permissions": [1]}]}]}
    }),
    "urn:ietf:params:scim:schemas:extension:rollcall:2.0:User:workspaces.teams.permissions is not a string";
    "deep inside an extension"
)]
#[test_case(
    json!({"userName": "a", ENTERPRISE_SCHEMA: {"manager": {"value": 1}}}),
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value is not a string";
    "a part inside an extension"
)]
#[test_case(
    json!({"userName": "a", "emails": [{"value": "{\"value\": \"a@x\"}"}]}),
    "emails.value is a text that seems to hold JSON, and cannot be read"; "JSON as an address"
)]
#[test_case(
    json!({"userName": "a", "emails": [{"VALUE": "{\"value\": \"a@x\""}]}),
    "emails.value is a text that seems to hold JSON, and cannot be read"; "broken JSON as an address"
)]
#[test_case(
    json!({"userName": "a", "phoneNumbers": [{"value": ["[\"1\"]"]}]}),
    "phoneNumbers.value is a text that seems to hold JSON, and cannot be read"; "a list in a text as a number"
)]
#[test_case(
    json!({"userName": "a", ENTERPRISE_SCHEMA: {"manager": {"value": "{\"value\": \"7\"}"}}}),
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value is a text that seems to hold JSON, and \
    cannot be read";
    "JSON as a reference"
)]
fn an_unfit_value_is_named(attributes: Value, why: &str) {
    let error = read(attributes).unwrap_err();
    assert_eq!((error.scim_type, error.detail.as_str()), (Some(ScimType::InvalidValue), why));
}

#[test_case(json!([]), "the body is not a JSON object"; "not an object")]
#[test_case(
    json!({"userName": "a"}),
    "schemas is missing or not a list; it must hold urn:ietf:params:scim:schemas:core:2.0:User"; "no schemas"
)]
#[test_case(
    json!({"userName": "a", "schemas": []}), "schemas does not hold urn:ietf:params:scim:schemas:core:2.0:User";
    "empty schemas"
)]
#[test_case(
    json!({"userName": "a", "schemas": [USER_SCHEMA, "urn:x"]}), "the schema urn:x is not one of a User";
    "unknown schema"
)]
#[test_case(
    json!({"userName": "a", "schemas": [USER_SCHEMA], "urn:y": {}}), "the schema urn:y is not one of a User";
    "unknown extension"
)]
#[test_case(
    json!({"userName": "a", "USERNAME": "b", "schemas": [USER_SCHEMA]}), "userName is given twice"; "two spellings"
)]
#[test_case(
    json!({"userName": "a", "emails": [{"value": "a@x", "VALUE": null}], "schemas": [USER_SCHEMA]}),
    "emails.value is given twice"; "two spellings in a list"
)]
fn a_wrong_shape_is_named(body: Value, why: &str) {
    let error = resource(&USER, body).unwrap_err();
    assert_eq!((error.scim_type, error.detail.as_str()), (Some(ScimType::InvalidSyntax), why));
}
