//! PATCH bodies: operations survive encoding and decoding, and the patched resource is valid.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rollcall_scim::reserved::nothing;
use rollcall_scim::schema::{GROUP, GROUP_SCHEMA, ResourceType, USER, USER_SCHEMA};
use rollcall_scim::work::Budget;
use rollcall_scim::{ScimError, json, patch, strict, validate};
use serde_json::{Value, json};

fuzz_target!(|body: &[u8]| {
    let Ok(body) = json::parse(body) else { return };
    let ada = json!({
        "schemas": [USER_SCHEMA], "userName": "ada", "active": true, "name": {"givenName": "Ada"},
        "emails": [{"value": "w@x", "type": "work", "primary": true}, {"value": "h@x", "type": "home"}],
    });
    let engines = json!({"schemas": [GROUP_SCHEMA], "displayName": "Engines"});
    for (resource_type, resource) in [(&*USER, ada), (&*GROUP, engines)] {
        patched(resource_type, resource.clone(), patch::parse(resource_type, body.clone()));
        let strictly = patch::parse_translated(resource_type, body.clone(), nothing, |operation| {
            strict::operation(resource_type, operation)
        });
        patched(resource_type, resource, strictly);
    }
});

fn patched(resource_type: &ResourceType, resource: Value, parsed: Result<Vec<patch::Operation>, ScimError>) {
    let Ok(operations) = parsed else { return };
    let written = serde_json::to_string(&operations).expect("operations are JSON");
    assert_eq!(
        serde_json::from_str::<Vec<patch::Operation>>(&written).expect("they are read as they are written"),
        operations
    );
    let mut attributes = validate::resource(resource_type, resource).expect("the resource is valid");
    let applied = patch::apply(resource_type, &mut attributes, &operations, &mut Budget::default());
    // The worker checks for required attributes, because it knows the resource. Here, a missing one is not a
    // fault.
    let is_whole = validate::check_required(&resource_type.core.attributes, &attributes, "").is_ok();
    if applied.is_err() || !is_whole {
        return;
    }
    let mut left = attributes.clone();
    left.insert("schemas".to_owned(), validate::schemas_of(resource_type, &attributes));
    let again = validate::resource(resource_type, Value::Object(left));
    assert_eq!(again.as_ref(), Ok(&attributes));
}
