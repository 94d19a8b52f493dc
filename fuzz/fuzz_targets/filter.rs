//! Filters: a parsed filter prints to a text that parses to the same filter. Checking and evaluating it never
//! panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rollcall_scim::filter::{Scope, check, fit, matches, parse};
use rollcall_scim::schema::{GROUP, USER};
use serde_json::{Value, json};
use std::sync::LazyLock;

static SUBJECT: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "id": "7", "userName": "Ada", "active": true, "title": "", "displayName": "Straße",
        "meta": {"resourceType": "User", "created": "2026-01-01T00:00:00Z"},
        "emails": [{"value": "a@x", "type": "work", "primary": true}, {"value": "b@x"}],
        "members": [{"value": "7"}],
    })
});

fuzz_target!(|text: &str| {
    let Ok(filter) = parse(text) else { return };
    let printed = filter.to_string();
    // Printing adds parts that the text omitted. The longest filters therefore print to a text that is too
    // long to parse.
    if let Ok(again) = parse(&printed) {
        assert_eq!(again, filter, "{printed}");
    } else {
        assert!(printed.len() > text.len(), "{printed}");
    }
    for resource_type in [&*USER, &*GROUP] {
        let scope = Scope::Resource(resource_type);
        // Also with booleans and numbers that were sent as strings, as the api accepts them.
        for filter in [filter.clone(), fit(filter.clone(), scope)] {
            if check(&filter, scope).is_ok() {
                matches(&filter, scope, &SUBJECT);
            }
        }
    }
});
