use serde_json::{Value, json};
use test_case::test_case;

use super::{knows, resource};
use crate::patch::{PATCH_SCHEMA, apply, parse};
use crate::reserved::nothing;
use crate::schema::{ENTERPRISE_SCHEMA, ROLLCALL_SCHEMA, USER, USER_SCHEMA};
use crate::work::Budget;
use crate::{ScimError, validate};

fn unfolded(body: Value) -> Result<Value, ScimError> {
    resource(&USER, nothing, body.as_object().cloned().unwrap()).map(Value::Object)
}

/// The user that a POST makes.
fn posted(mut body: Value) -> Result<Value, ScimError> {
    body["schemas"] = json!([USER_SCHEMA]);
    if body.get("userName").is_none() {
        body["userName"] = json!("ada");
    }
    validate::resource(&USER, body).map(Value::Object)
}

/// The user that a PATCH without a path makes of one that has a name only.
fn patched(body: &Value) -> Result<Value, ScimError> {
    let operations = parse(&USER, json!({"schemas": [PATCH_SCHEMA], "Operations": [{"op": "add", "value": body}]}))?;
    let mut user = json!({"userName": "ada"}).as_object().cloned().unwrap();
    apply(&USER, &mut user, &operations, &mut Budget::default())?;
    Ok(Value::Object(user))
}

fn urn(schema: &str, rest: &str) -> String {
    format!("{schema}{rest}")
}

#[test_case(json!({"name.givenName": "Ada"}) => json!({"name": {"givenName": "Ada"}}); "a part")]
#[test_case(
    json!({"name.givenName": "Ada", "Name": {"familyName": "King"}})
    => json!({"name": {"familyName": "King", "givenName": "Ada"}}); "beside the attribute"
)]
#[test_case(
    json!({urn(ENTERPRISE_SCHEMA, ":department"): "E"}) => json!({ENTERPRISE_SCHEMA: {"department": "E"}});
    "in an extension"
)]
#[test_case(
    json!({urn(ENTERPRISE_SCHEMA, ".manager.value"): "7"}) => json!({ENTERPRISE_SCHEMA: {"manager": {"value": "7"}}});
    "with dots"
)]
#[test_case(json!({urn(USER_SCHEMA, ":title"): "t"}) => json!({"title": "t"}); "qualified")]
#[test_case(
    json!({USER_SCHEMA: {"title": "t", "name.givenName": "Ada"}})
    => json!({"title": "t", "name": {"givenName": "Ada"}}); "the core schema"
)]
#[test_case(
    json!({USER_SCHEMA: {USER_SCHEMA.to_uppercase(): {"title": "t"}, "nickName": "n"}})
    => json!({"title": "t", "nickName": "n"}); "the core schema in itself"
)]
#[test_case(
    json!({USER_SCHEMA: {ENTERPRISE_SCHEMA: {"department": "E", "manager.value": "7"}}})
    => json!({ENTERPRISE_SCHEMA: {"department": "E", "manager": {"value": "7"}}}); "an extension in the core schema"
)]
#[test_case(
    json!({ENTERPRISE_SCHEMA: {"manager.value": "7", "costCenter": "c"}})
    => json!({ENTERPRISE_SCHEMA: {"costCenter": "c", "manager": {"value": "7"}}}); "inside an extension"
)]
#[test_case(
    json!({ENTERPRISE_SCHEMA: {urn(ENTERPRISE_SCHEMA, ":department"): "E"}})
    => json!({ENTERPRISE_SCHEMA: {"department": "E"}}); "qualified inside an extension"
)]
#[test_case(
    json!({ENTERPRISE_SCHEMA: {"manager": {"displayName": "Q"}, "manager.value": "7"}})
    => json!({ENTERPRISE_SCHEMA: {"manager": {"value": "7"}}}); "beside a part that is read-only"
)]
#[test_case(
    json!({
        "shoe.size": 7, "foo:bar": {}, urn(ENTERPRISE_SCHEMA, ":shoeSize"): 7, urn(USER_SCHEMA, ":id"): "x",
        "title": "t"
    })
    => json!({"title": "t"}); "unknown and read-only"
)]
#[test_case(json!({ENTERPRISE_SCHEMA: null, "title": "t"}) => json!({"title": "t"}); "no extension")]
fn a_key_means_the_same_in_a_post_and_a_patch(body: Value) -> Value {
    let mut posted = posted(body.clone()).unwrap();
    assert_eq!(patched(&body).unwrap(), posted);
    posted.as_object_mut().unwrap().remove("userName");
    posted
}

#[test_case(json!({"name.givenName": "Ada", "name": {"givenName": "Kim"}}), "name.givenName is given twice"; "twice")]
#[test_case(json!({"name.givenName": "Ada", "NAME.givenname": "Kim"}), "is given twice"; "in two cases")]
#[test_case(json!({"name.givenName": "Ada", "name": "Kim"}), "is given twice"; "into a text")]
#[test_case(json!({"name.givenName": "Ada", "name": null}), "is given twice"; "into nothing")]
#[test_case(
    json!({"name": {"givenName": "Ada", "GIVENNAME": null}}), "name.givenName is given twice"; "inside an attribute"
)]
#[test_case(json!({USER_SCHEMA: {"title": "a"}, "title": "b"}), "title is given twice"; "under the core schema too")]
#[test_case(json!({"title": "a", urn(USER_SCHEMA, ":title"): "b"}), "title is given twice"; "qualified too")]
#[test_case(
    json!({ENTERPRISE_SCHEMA: {"department": "a", "Department": "b"}}), "User:department is given twice";
    "inside an extension"
)]
#[test_case(
    json!({ENTERPRISE_SCHEMA: {"manager.value": "a", "manager": {"value": "b"}}}), "User:manager.value is given twice";
    "a part inside an extension"
)]
#[test_case(
    json!({ENTERPRISE_SCHEMA: null, urn(ENTERPRISE_SCHEMA, ":department"): "b"}), "is given twice";
    "an extension that is null"
)]
#[test_case(
    json!({USER_SCHEMA: {ENTERPRISE_SCHEMA: {"department": "a"}}, ENTERPRISE_SCHEMA: {"department": "b"}}),
    "User:department is given twice"; "two extensions"
)]
#[test_case(
    json!({ENTERPRISE_SCHEMA: {urn(USER_SCHEMA, ":title"): "t", "costCenter": "c"}}),
    "User:title is not an attribute of"; "the core schema inside an extension"
)]
#[test_case(
    json!({ENTERPRISE_SCHEMA: {urn(ROLLCALL_SCHEMA, ":companyPermissions"): ["a"], "costCenter": "c"}}),
    "companyPermissions is not an attribute of"; "another extension inside an extension"
)]
#[test_case(
    json!({ENTERPRISE_SCHEMA: {"urn:x:y:z": "t", "costCenter": "c"}}), "urn:x:y:z is not an attribute of";
    "an unknown schema inside an extension"
)]
#[test_case(
    json!({ENTERPRISE_SCHEMA: {ENTERPRISE_SCHEMA: {"department": "d"}, "costCenter": "c"}}), "is not an attribute of";
    "an extension inside itself"
)]
#[test_case(
    json!({ENTERPRISE_SCHEMA: {USER_SCHEMA: {"title": "d"}, "costCenter": "c"}}), "is not an attribute of";
    "the core schema as a key inside an extension"
)]
#[test_case(json!({"urn:x:y": {}, "title": "t"}), "the schema urn:x:y is not one of a User"; "an unknown schema")]
#[test_case(
    json!({"urn:x:y:z": 7, "title": "t"}), "the schema urn:x:y:z is not one of a User";
    "an attribute of an unknown schema"
)]
#[test_case(
    json!({urn(USER_SCHEMA, &urn(":", ENTERPRISE_SCHEMA)): {}, "title": "t"}), "is not one of a User"; "two schemas"
)]
#[test_case(
    json!({urn(ROLLCALL_SCHEMA, "::companyPermissions"): [], "title": "t"}), "is not one of a User"; "two colons"
)]
#[test_case(json!({"emails[size eq 1].value": "a@x"}), "size is not a known attribute"; "a choice by an unknown part")]
#[test_case(json!({"emails[0].value": "a@x"}), "the path is wrong"; "a choice by a number")]
#[test_case(
    json!({urn(ENTERPRISE_SCHEMA, ":department[value pr]"): "d"}), "no values to choose from"; "a choice of a text"
)]
fn refused_in_a_post_and_a_patch_alike(body: Value, why: &str) {
    let (posted, patched) = (posted(body.clone()).unwrap_err(), patched(&body).unwrap_err());
    assert_eq!(patched.detail, format!("Operations[0]: {}", posted.detail));
    assert_eq!((posted.status, posted.scim_type), (patched.status, patched.scim_type));
    assert!(posted.detail.contains(why), "{}", posted.detail);
}

#[test_case(json!({}), "has none of its attributes"; "an empty object")]
#[test_case(json!({"shoeSize": 7}), "has none of its attributes"; "unknown attributes")]
#[test_case(json!(null), "is not an object"; "null")]
#[test_case(json!("ada"), "is not an object"; "a text")]
fn the_core_schema_must_hold_attributes(value: Value, why: &str) {
    let of_path =
        json!({"schemas": [PATCH_SCHEMA], "Operations": [{"op": "add", "path": USER_SCHEMA, "value": value}]});
    let body = json!({USER_SCHEMA: value});
    for error in [posted(body.clone()).unwrap_err(), patched(&body).unwrap_err(), parse(&USER, of_path).unwrap_err()] {
        assert!(
            error.detail.contains(why) && error.scim_type == Some(crate::ScimType::InvalidValue),
            "{}",
            error.detail
        );
    }
}

#[test_case(json!({"emails.value": "a@x"}), "emails.value"; "into several values")]
#[test_case(json!({"emails[type eq \"work\"].value": "a@x"}), "emails"; "with a filter")]
#[test_case(json!({"emails[type eq \"work\"]": {"value": "a@x"}}), "emails"; "whole values with a filter")]
#[test_case(json!({"phoneNumbers[primary eq \"True\"]": null}), "phoneNumbers"; "whole values without a value")]
#[test_case(
    json!({ENTERPRISE_SCHEMA: {"manager[value eq \"a:b\"]": {"value": "7"}}}), "manager"; "inside an extension"
)]
#[test_case(json!({urn(ROLLCALL_SCHEMA, ":workspaces[value eq \"w\"].teams"): []}), "workspaces"; "of an extension")]
fn a_post_cannot_name_a_sub_attribute_of_an_unspecified_value(body: Value, name: &str) {
    let error = unfolded(body).unwrap_err();
    assert!(
        error.detail.contains(&format!("does not say which value of {}", name.split('.').next().unwrap())),
        "{}",
        error.detail
    );
}

#[test_case(json!({"emails": [], "emails[type eq \"work\"].value": "a@x"}); "a list and one of its values")]
#[test_case(
    json!({"emails[type eq \"work\"].value": "a@x", "EMAILS[TYPE eq \"work\"].VALUE": "b@x"}); "one value in two cases"
)]
#[test_case(
    json!({"emails[type eq \"work\"].value": "a@x", "emails[type eq \"work\"]": {"value": "b@x"}});
    "a part of a chosen value"
)]
#[test_case(json!({"emails[type eq \"work\"].value": "a@x", "emails.value": "b@x"}); "a part of all values")]
fn a_patch_cannot_give_an_attribute_twice(body: Value) {
    let error = patched(&body).unwrap_err();
    assert!(error.detail.contains("is given twice"), "{}", error.detail);
}

#[test]
fn a_patch_can_select_several_values_by_filters() {
    // Members are applied in the order of the map. These are sorted, so the order is that of their insertion
    // as well.
    let body = json!({
        "emails[type eq \"home\"].primary": true, "emails[type eq \"home\"].value": "b@x",
        "emails[type eq \"work\"].value": "a@x"
    });
    let emails = json!([{"type": "home", "primary": true, "value": "b@x"}, {"type": "work", "value": "a@x"}]);
    assert_eq!(patched(&body).unwrap()["emails"], emails);
}

#[test]
fn knows_attributes_and_schemas_in_any_spelling() {
    for key in [
        "TITLE",
        "name.givenName",
        USER_SCHEMA,
        ENTERPRISE_SCHEMA,
        &urn(ENTERPRISE_SCHEMA, ".department"),
        "emails[type pr].value",
    ] {
        assert!(knows(&USER, key), "{key}");
    }
    for key in ["shoeSize", "name.age", "urn:x:y", "emails[", ""] {
        assert!(!knows(&USER, key), "{key}");
    }
}
