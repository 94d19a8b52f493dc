//! The common attributes (RFC 7643 section 3.1). Every resource has them, and no schema lists them.

use std::sync::LazyLock;

use super::{Attribute, Kind, Mutability, Returned, Uniqueness};

/// `schemas`, `id`, `externalId` and `meta`.
pub static COMMON: LazyLock<Vec<Attribute>> = LazyLock::new(|| {
    let meta = Attribute {
        kind: Kind::Complex,
        sub_attributes: vec![
            server_made("resourceType", Kind::String),
            server_made("created", Kind::DateTime),
            server_made("lastModified", Kind::DateTime),
            server_made("location", Kind::Reference),
            server_made("version", Kind::String),
        ],
        ..server_made("meta", Kind::Complex)
    };
    vec![
        Attribute { multi_valued: true, returned: Returned::Always, ..server_made("schemas", Kind::Reference) },
        Attribute { returned: Returned::Always, uniqueness: Uniqueness::Server, ..server_made("id", Kind::String) },
        Attribute {
            mutability: Mutability::ReadWrite,
            max_chars: Some(256),
            ..server_made("externalId", Kind::String)
        },
        meta,
    ]
});

fn server_made(name: &str, kind: Kind) -> Attribute {
    Attribute {
        name: name.to_owned(),
        kind,
        multi_valued: false,
        description: String::new(),
        required: false,
        canonical_values: Vec::new(),
        case_exact: true,
        mutability: Mutability::ReadOnly,
        returned: Returned::Default,
        uniqueness: Uniqueness::None,
        reference_types: Vec::new(),
        sub_attributes: Vec::new(),
        max_values: None,
        max_chars: None,
        default: None,
        kept_by_put: false,
        is_identifier: false,
    }
}
