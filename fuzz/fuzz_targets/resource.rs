//! POST and PUT bodies: the attributes that are read are valid, and read again to the same attributes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rollcall_scim::schema::{GROUP, ResourceType, USER};
use rollcall_scim::{json, strict, validate};
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let Ok(body) = json::parse(body) else { return };
    for resource_type in [&*USER, &*GROUP] {
        read(resource_type, body.clone());
    }
});

fn read(resource_type: &ResourceType, body: Value) {
    let is_strict = strict::check_resource(resource_type, &body).is_ok();
    let Ok(attributes) = validate::resource(resource_type, body) else { return };
    let mut written = attributes.clone();
    written.insert("schemas".to_owned(), validate::schemas_of(resource_type, &attributes));
    let written = Value::Object(written);
    assert_eq!(validate::resource(resource_type, written.clone()).as_ref(), Ok(&attributes), "strict: {is_strict}");
    // The attributes contain nothing that the schemas do not define.
    assert_eq!(strict::check_resource(resource_type, &written), Ok(()));
}
