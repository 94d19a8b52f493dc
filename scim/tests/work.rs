//! No request costs more than its budget: what it does is counted in steps, and refused where they are too
//! many.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test, what goes wrong is to be seen at once")]

use rollcall_scim::patch::{MAX_OPERATIONS, PATCH_SCHEMA, apply, parse};
use rollcall_scim::resource::{Attributes, SizeLimit};
use rollcall_scim::schema::{ENTERPRISE_SCHEMA, ROLLCALL_SCHEMA, USER};
use rollcall_scim::work::{Budget, MAX_STEPS};
use rollcall_scim::{ScimError, ScimType};
use serde_json::{Value, json};

/// The changed user, and the number of steps that the change took.
fn patched(user: &Value, operations: &[Value]) -> (Result<Attributes, ScimError>, usize) {
    let operations = parse(&USER, json!({"schemas": [PATCH_SCHEMA], "Operations": operations})).unwrap();
    let (mut user, mut budget) = (user.as_object().cloned().unwrap(), Budget::default());
    let applied = apply(&USER, &mut user, &operations, &mut budget);
    (applied.map(|()| user), budget.spent())
}

#[track_caller]
fn assert_too_much(user: &Value, operations: &[Value], cause: &str) {
    let error = patched(user, operations).0.unwrap_err();
    assert_eq!((error.status, error.scim_type), (400, Some(ScimType::TooMany)), "{}", error.detail);
    assert!(error.detail.contains(cause), "{}", error.detail);
}

fn emails(count: usize, bytes: usize) -> Value {
    (0..count).map(|n| json!({"value": format!("{n:0>bytes$}@x")})).collect()
}

fn ada() -> Value {
    json!({"userName": "ada", "active": true})
}

#[test]
fn adding_the_same_thousand_addresses_again_and_again_is_linear() {
    let add = json!({"op": "add", "path": "emails", "value": emails(1000, 4)});
    let (once, steps_of_one) = patched(&ada(), std::slice::from_ref(&add));
    let (often, steps) = patched(&ada(), &vec![add; 12]);
    assert_eq!(once.unwrap(), often.unwrap());
    assert!(steps < 12 * 3 * steps_of_one && steps < MAX_STEPS, "{steps} steps, and {steps_of_one} for one");
}

#[test]
fn too_many_values_are_refused_before_the_later_operations_run() {
    let add = |from: usize| {
        let values: Value = (from..from + 1000).map(|n| json!({"value": format!("{n}@x")})).collect();
        json!({"op": "add", "path": "emails", "value": values})
    };
    let operations: Vec<_> = (0..12).map(|n| add(1000 * n)).collect();
    let (refused, steps) = patched(&ada(), &operations);
    let error = refused.unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::InvalidValue), "{}", error.detail);
    assert!(error.detail.contains("emails has more than 1000 values"), "{}", error.detail);
    assert!(steps < 100_000, "{steps} steps");
}

#[test]
fn many_terms_on_long_addresses_fold_each_address_once() {
    // Not ASCII: to fold such a text costs the most.
    let long: Value = (0..50).map(|n| json!({"value": format!("{n}{}", "É".repeat(2000))})).collect();
    let user = json!({"userName": "ada", "emails": long});
    let path = format!("emails[{}]", vec!["value co \"zz\""; 63].join(" or "));
    let remove = json!({"op": "remove", "path": path});
    let (left, steps) = patched(&user, std::slice::from_ref(&remove));
    assert_eq!(left.unwrap()["emails"].as_array().unwrap().len(), 50);
    assert!(steps < MAX_STEPS, "{steps} steps");
    assert_too_much(&user, &vec![remove; 50], "emails[value co");
}

#[test]
fn a_thousand_operations_on_a_usual_user_are_within_the_budget() {
    let operations: Vec<_> =
        (0..MAX_OPERATIONS).map(|n| json!({"op": "replace", "path": "title", "value": n.to_string()})).collect();
    let (left, steps) = patched(&ada(), &operations);
    assert_eq!(left.unwrap()["title"], "999");
    assert!(steps < MAX_STEPS / 20, "{steps} steps");
    let operations: Vec<_> = (0..MAX_OPERATIONS)
        .map(|n| json!({"op": "add", "path": "roles", "value": [{"value": n.to_string()}]}))
        .collect();
    let (left, steps) = patched(&json!({"userName": "ada", "roles": emails(20, 10)}), &operations[..980]);
    assert_eq!(left.unwrap()["roles"].as_array().unwrap().len(), 1000);
    assert!(steps < MAX_STEPS, "{steps} steps");
}

#[test]
fn a_sub_attribute_cannot_be_multiplied_into_megabytes() {
    let permissions: Value = (0..1000).map(|n| json!(format!("{n:0>200}"))).collect();
    let workspaces: Value = (0..1000).map(|n| json!({"value": n.to_string()})).collect();
    let user = json!({"userName": "ada", ROLLCALL_SCHEMA: {"workspaces": workspaces}});
    let add = json!({"op": "add", "path": format!("{ROLLCALL_SCHEMA}:workspaces.permissions"), "value": permissions});
    assert_too_much(&user, &[add], "workspaces.permissions");
    // Long texts copied to many values: more than is kept, but not more than can be held for a moment.
    let user = json!({"userName": "ada", "emails": emails(1000, 4)});
    let name = |sub: &str| json!({"op": "replace", "path": format!("emails.{sub}"), "value": "x".repeat(4096)});
    let (left, _) = patched(&user, &[name("display"), name("type")]);
    assert!(left.is_err() || SizeLimit::default().check(&left.unwrap()).is_err());
}

#[test]
fn removing_listed_values_is_linear() {
    let user = json!({"userName": "ada", "emails": emails(1000, 200)});
    let remove = json!({"op": "remove", "path": "emails", "value": emails(1000, 200)});
    let (left, steps) = patched(&user, std::slice::from_ref(&remove));
    assert_eq!(left.unwrap(), *json!({"userName": "ada"}).as_object().unwrap());
    assert!(steps < 200_000, "{steps} steps");
}

#[test]
fn setting_and_searching_a_long_list_in_turns_exceeds_the_budget() {
    let user = json!({"userName": "ada", "phoneNumbers": emails(1000, 100)});
    let part =
        json!({"op": "replace", "path": "phoneNumbers[value ew \"9@x\" or type eq \"work\"].type", "value": "home"});
    assert_too_much(&user, &vec![part; 500], "phoneNumbers[value ew");
}

#[test]
fn terms_without_a_value_to_compare_cost_steps_too() {
    let user = json!({"userName": "ada", "emails": emails(1000, 4)});
    let path = format!("emails[{}]", vec!["primary eq true"; 60].join(" or "));
    assert_too_much(&user, &vec![json!({"op": "remove", "path": path}); 250], "emails[primary eq true");
}

#[test]
fn a_thousand_changes_of_an_extension_are_within_the_budget() {
    let path = format!("{ENTERPRISE_SCHEMA}:manager.value");
    let operations: Vec<_> =
        (0..MAX_OPERATIONS).map(|n| json!({"op": "replace", "path": path, "value": n.to_string()})).collect();
    let (left, steps) = patched(&ada(), &operations);
    assert_eq!(left.unwrap()[ENTERPRISE_SCHEMA]["manager"]["value"], "999");
    assert!(steps < MAX_STEPS / 20, "{steps} steps");
}

#[test]
fn a_value_without_a_path_has_a_bounded_number_of_changes() {
    let members: Value = (0..=MAX_OPERATIONS).map(|n| (format!("emails[type eq \"{n}\"].value"), json!("x"))).collect();
    let error =
        parse(&USER, json!({"schemas": [PATCH_SCHEMA], "Operations": [{"op": "add", "value": members}]})).unwrap_err();
    assert!(error.detail.contains("more than 1000 changes"), "{}", error.detail);
}
