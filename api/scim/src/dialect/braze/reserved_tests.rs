//! No spelling of a name of the model sets an attribute that has a name of its own in the dialect.

use proptest::prelude::*;
use rollcall_scim::ScimError;
use rollcall_scim::ScimType::{self, InvalidPath, InvalidSyntax, InvalidValue};
use rollcall_scim::patch::Operation;
use rollcall_scim::schema::{ENTERPRISE_SCHEMA, ROLLCALL_SCHEMA, USER, USER_SCHEMA};
use rollcall_scim::validate;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use test_case::test_case;

use super::changes::operations;
use super::parts::Vocabulary;
use super::shape::to_standard;
use super::vocabulary::BrazeVocabulary;

fn patch(operation: Value) -> Result<Vec<Operation>, ScimError> {
    operations(Vocabulary { known: &BrazeVocabulary::read("").unwrap(), ids: &HashMap::new() }, json!([operation]))
}

fn post(mut body: Value) -> Result<Value, ScimError> {
    body.as_object_mut().unwrap().entry("userName").or_insert_with(|| json!("ada"));
    let standard =
        to_standard(Vocabulary { known: &BrazeVocabulary::read("").unwrap(), ids: &HashMap::new() }, body, None)?;
    validate::resource(&USER, standard).map(Value::Object)
}

fn urn(schema: &str, rest: &str) -> String {
    format!("{schema}{rest}")
}

#[test_case(
    json!({ROLLCALL_SCHEMA: {"companyPermissions": ["evil"]}}), InvalidValue, "use permissions"; "the extension"
)]
#[test_case(
    json!({ROLLCALL_SCHEMA.to_uppercase(): null}), InvalidValue, "use permissions"; "the extension in another case"
)]
#[test_case(json!({urn(ROLLCALL_SCHEMA, ":workspaces"): []}), InvalidValue, "use permissions"; "an attribute of it")]
#[test_case(
    json!({urn(ROLLCALL_SCHEMA, ".companyPermissions"): null}), InvalidValue, "use permissions";
    "an attribute after a dot"
)]
#[test_case(
    json!({urn(ROLLCALL_SCHEMA, ":workspaces[value eq \"w\"].permissions"): []}), InvalidValue, "use permissions";
    "a choice of workspaces"
)]
#[test_case(
    json!({ENTERPRISE_SCHEMA: {"manager": "m", "Department": "evil"}}), InvalidValue, "use department"; "a department"
)]
#[test_case(
    json!({ENTERPRISE_SCHEMA.to_uppercase(): {"department": "bi"}}), InvalidValue, "use department";
    "a department in another case"
)]
#[test_case(
    json!({urn(ENTERPRISE_SCHEMA, ":department"): "bi"}), InvalidValue, "use department"; "a department after a colon"
)]
#[test_case(
    json!({urn(ENTERPRISE_SCHEMA, ".DEPARTMENT"): "bi"}), InvalidValue, "use department"; "a department after a dot"
)]
#[test_case(
    json!({ENTERPRISE_SCHEMA: {urn(ENTERPRISE_SCHEMA, ":department"): "evil"}}), InvalidValue, "use department";
    "a department in its own extension"
)]
#[test_case(
    json!({ENTERPRISE_SCHEMA: {urn(ROLLCALL_SCHEMA, ":companyPermissions"): ["evil"], "costCenter": "1"}}),
    InvalidSyntax, "is not an attribute of"; "permissions in another extension"
)]
#[test_case(
    json!({ENTERPRISE_SCHEMA: {urn(USER_SCHEMA, ":title"): "t", "costCenter": "1"}}), InvalidSyntax,
    "is not an attribute of"; "an attribute of the core in an extension"
)]
fn refused_as_a_key_at_any_level(body: Value, scim_type: ScimType, why: &str) {
    let below_core = json!({USER_SCHEMA: body});
    let twice_below_core = json!({USER_SCHEMA.to_uppercase(): {USER_SCHEMA: body}, "title": "t"});
    let errors = [
        post(body.clone()).unwrap_err(),
        post(below_core.clone()).unwrap_err(),
        post(twice_below_core.clone()).unwrap_err(),
        patch(json!({"op": "add", "Value": body})).unwrap_err(),
        patch(json!({"op": "replace", "value": below_core})).unwrap_err(),
        patch(json!({"op": "add", "value": twice_below_core})).unwrap_err(),
        patch(json!({"op": "Add", "PATH": USER_SCHEMA, "value": body})).unwrap_err(),
        patch(json!({"op": "replace", "path": USER_SCHEMA.to_uppercase(), "value": below_core})).unwrap_err(),
    ];
    for error in errors {
        assert!(
            error.detail.contains(why) && error.scim_type == Some(scim_type),
            "{:?} {}",
            error.scim_type,
            error.detail
        );
    }
}

#[test_case(ROLLCALL_SCHEMA, ""; "the extension")]
#[test_case(ROLLCALL_SCHEMA, ":workspaces[value eq \"w\"].permissions"; "a part of a workspace")]
#[test_case(ROLLCALL_SCHEMA, ".companyPermissions"; "an attribute after a dot")]
#[test_case(ENTERPRISE_SCHEMA, ":department"; "a department")]
#[test_case(ENTERPRISE_SCHEMA, ".Department"; "a department after a dot")]
fn refused_as_a_path(schema: &str, rest: &str) {
    for path in [urn(schema, rest), urn(&schema.to_uppercase(), rest)] {
        for operation in [
            json!({"op": "replace", "PATH": path, "value": "x"}),
            json!({"op": "remove", "path": path}),
            json!({"op": "add", "path": path}),
        ] {
            let error = patch(operation).unwrap_err();
            assert!(
                error.scim_type == Some(InvalidPath) && error.detail.contains("is not used in this dialect"),
                "{}",
                error.detail
            );
        }
    }
}

#[test]
fn refused_in_the_value_of_an_extension() {
    let refused = |value: Value| patch(json!({"op": "add", "path": ENTERPRISE_SCHEMA, "value": value})).unwrap_err();
    let error = refused(json!({"costCenter": "7", "department": "evil"}));
    assert!(error.scim_type == Some(InvalidValue) && error.detail.contains("use department"), "{}", error.detail);
    let error = refused(json!({"costCenter": "7", urn(ROLLCALL_SCHEMA, ":companyPermissions"): ["evil"]}));
    assert!(
        error.scim_type == Some(InvalidSyntax) && error.detail.contains("companyPermissions is not an attribute of"),
        "{}",
        error.detail
    );
}

#[test_case(
    json!({ENTERPRISE_SCHEMA: {"manager": {"value": "m"}, "costCenter": "7"}, "department": "bi"}),
    json!({"manager": {"value": "m"}, "costCenter": "7", "department": "bi"}); "other attributes"
)]
#[test_case(json!({ENTERPRISE_SCHEMA: null, "department": "bi"}), json!({"department": "bi"}); "nothing else")]
#[test_case(
    json!({USER_SCHEMA: {ENTERPRISE_SCHEMA: {"manager.value": "m"}, "department": "bi"}}),
    json!({"manager": {"value": "m"}, "department": "bi"}); "below the core schema"
)]
#[test_case(
    json!({
        urn(ENTERPRISE_SCHEMA, ":costCenter"): "7", urn(ENTERPRISE_SCHEMA, ":departmentCode"): "x",
        urn(USER_SCHEMA, ":department"): "bi"
    }),
    json!({"costCenter": "7", "department": "bi"}); "as paths"
)]
fn the_department_is_shown_with_the_rest_of_the_extension(body: Value, expected: Value) {
    assert_eq!(post(body.clone()).unwrap()[ENTERPRISE_SCHEMA], expected);
    let mut user = json!({"userName": "ada", ENTERPRISE_SCHEMA: {"department": "pm"}}).as_object().cloned().unwrap();
    let changes = patch(json!({"op": "replace", "value": body})).unwrap();
    rollcall_scim::patch::apply(&USER, &mut user, &changes, &mut rollcall_scim::work::Budget::default()).unwrap();
    assert_eq!(user[ENTERPRISE_SCHEMA], expected);
}

/// Generates objects with the value `evil`, under keys that may name a reserved attribute.
fn hostile_value() -> impl Strategy<Value = Value> {
    let (u, e, r) = (USER_SCHEMA, ENTERPRISE_SCHEMA, ROLLCALL_SCHEMA);
    let mut keys: Vec<_> = [
        "department",
        "permissions",
        "companyPermissions",
        "workspaces",
        "value",
        "manager",
        "permissions.companyPermissions",
    ]
    .map(str::to_owned)
    .into();
    let before = [
        u.to_owned(),
        e.to_owned(),
        r.to_owned(),
        format!("{u}:{e}"),
        format!("{u}:{r}"),
        format!("{e}:{r}"),
        format!("{e}:{e}"),
        format!(" {r}"),
    ];
    let after = [
        "",
        ":department",
        ".Department",
        ":companyPermissions",
        ".companyPermissions",
        "::companyPermissions",
        ":workspaces",
        ":permissions",
        ":department[value pr]",
    ];
    keys.extend(before.iter().flat_map(|before| after.map(|after| format!("{before}{after}"))));
    let key = (prop::sample::select(keys), any::<bool>())
        .prop_map(|(key, is_upper)| if is_upper { key.to_uppercase() } else { key });
    let leaf = prop_oneof![
        Just(json!("evil")),
        Just(json!(["evil"])),
        Just(json!([{"value": "w", "permissions": ["evil"]}])),
        Just(Value::Null),
        Just(json!(json!({ROLLCALL_SCHEMA: {"companyPermissions": ["evil"]}}).to_string())),
    ];
    leaf.prop_recursive(4, 16, 3, move |inner| {
        prop::collection::btree_map(key.clone(), inner, 1..4).prop_map(|members| Value::from(Map::from_iter(members)))
    })
}

proptest! {
    #[test]
    fn a_hostile_value_is_never_set(
        value in hostile_value(), op in "add|replace|remove",
        path in prop::option::of(prop::sample::select(vec![USER_SCHEMA, ENTERPRISE_SCHEMA]))
    ) {
        if let Ok(changes) = patch(json!({"op": op, "path": path, "value": value})) {
            for change in changes {
                let reserved = change.path.target(&USER).ok().and_then(|target| super::reserved::member_for(&target));
                prop_assert!(reserved.is_none() || !json!(change.value).to_string().contains("evil"), "{change:?}");
            }
        }
        if let Value::Object(body) = &value && let Ok(user) = post(Value::Object(body.clone())) {
            prop_assert!(
                !json!([user.get(ROLLCALL_SCHEMA), user[ENTERPRISE_SCHEMA]["department"]]).to_string().contains("evil"),
                "{user}"
            );
        }
    }
}
