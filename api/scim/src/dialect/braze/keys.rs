//! Keys and paths as texts: which attribute of a user each begins with.

use rollcall_scim::schema::USER_SCHEMA;

/// The path without the URN of the core schema, which some write before every attribute.
pub(super) fn local(path: &str) -> &str {
    let below =
        path.get(..USER_SCHEMA.len()).filter(|urn| urn.eq_ignore_ascii_case(USER_SCHEMA)).map(|urn| &path[urn.len()..]);
    below.and_then(|rest| rest.strip_prefix([':', '.'])).unwrap_or(path)
}

/// The rest of a path after `permissions`, with the dot or the bracket before it; `None` for another path.
pub(super) fn after_permissions(path: &str) -> Option<&str> {
    after("permissions", path)
}

/// The rest of a path after an attribute, with the dot or the bracket before it; `None` for another path.
pub(super) fn after<'a>(attribute: &str, path: &'a str) -> Option<&'a str> {
    let (first, rest) = path.split_at_checked(attribute.len())?;
    (first.eq_ignore_ascii_case(attribute) && (rest.is_empty() || rest.starts_with(['.', '[']))).then_some(rest)
}
