//! PATCH paths: what parses prints to what parses to the same, and looking it up never panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rollcall_scim::path::Path;
use rollcall_scim::schema::{GROUP, USER};

fuzz_target!(|text: &str| {
    let Ok(path) = text.parse::<Path>() else { return };
    let printed = path.to_string();
    match printed.parse::<Path>() {
        Ok(again) => assert_eq!(again, path, "{printed}"),
        // Printing writes what was left out, so that the longest paths print to what is too long.
        Err(_) => assert!(printed.len() > text.len(), "{printed}"),
    }
    let _ = path.target(&USER);
    let _ = path.target(&GROUP);
});
