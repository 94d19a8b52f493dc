//! A resource as it is kept: attributes in canonical spelling, `schemas`, `id` and `meta` made by the server.

use serde_json::{Map, Value, json};

use crate::schema::ResourceType;
use crate::validate::schemas_of;

/// The attributes of a resource by their canonical names; an extension's stand under its URN.
pub type Attributes = Map<String, Value>;

/// The server's part of `meta` (RFC 7643 section 3.1), the location apart: that depends on where the resource is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta<'a> {
    /// When the resource was created, as a dateTime.
    pub created: &'a str,
    /// When it was last changed, as a dateTime.
    pub last_modified: &'a str,
    /// How many states it has had, this one included.
    pub version: u64,
}

/// Puts `schemas`, `id` and `meta` to a caller's attributes.
pub fn stamp(resource_type: &ResourceType, mut attributes: Attributes, id: &str, meta: Meta<'_>) -> Attributes {
    attributes.insert("schemas".to_owned(), schemas_of(resource_type, &attributes));
    attributes.insert("id".to_owned(), Value::from(id));
    attributes.insert(
        "meta".to_owned(),
        json!({
            "resourceType": resource_type.name,
            "created": meta.created,
            "lastModified": meta.last_modified,
            "version": etag(meta.version),
        }),
    );
    attributes
}

/// The weak entity tag of a version (RFC 7644 section 3.14).
pub fn etag(version: u64) -> String {
    format!("W/\"{version}\"")
}

/// The caller's part of a kept resource.
pub fn without_stamp(mut resource: Attributes) -> Attributes {
    for name in ["schemas", "id", "meta"] {
        resource.remove(name);
    }
    resource
}

/// A single-valued text attribute.
pub fn text<'a>(resource: &'a Attributes, name: &str) -> Option<&'a str> {
    resource.get(name).and_then(Value::as_str)
}

/// The attributes in which two states of a resource differ, in order of their names; those of an extension as `urn:name`.
pub fn changed_paths(before: &Attributes, after: &Attributes) -> Vec<String> {
    let mut changed = Vec::new();
    for name in names(before, after) {
        match (before.get(name), after.get(name)) {
            (one, other) if one == other => {}
            (one, other) if name.contains(':') => {
                let empty = Attributes::new();
                let inside = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_else(|| empty.clone());
                changed.extend(changed_paths(&inside(one), &inside(other)).into_iter().map(|part| format!("{name}:{part}")));
            }
            _ => changed.push(name.clone()),
        }
    }
    changed
}

fn names<'a>(before: &'a Attributes, after: &'a Attributes) -> std::collections::BTreeSet<&'a String> {
    before.keys().chain(after.keys()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ENTERPRISE_SCHEMA, USER, USER_SCHEMA};

    fn object(value: Value) -> Attributes {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn the_stamp_lists_the_schemas_in_use_and_comes_off_again() {
        let attributes = object(json!({"userName": "ada", ENTERPRISE_SCHEMA: {"department": "Engines"}}));
        let meta = Meta { created: "2026-01-01T00:00:00.000000Z", last_modified: "2026-01-02T00:00:00.000000Z", version: 2 };
        let stamped = stamp(&USER, attributes.clone(), "7", meta);
        assert_eq!(stamped["schemas"], json!([USER_SCHEMA, ENTERPRISE_SCHEMA]));
        assert_eq!(stamped["meta"]["version"], "W/\"2\"");
        assert_eq!(without_stamp(stamped), attributes);
    }

    #[test]
    fn changes_are_named_by_attribute() {
        let before = object(json!({"active": true, "title": "x", ENTERPRISE_SCHEMA: {"department": "A", "division": "D"}}));
        let after =
            object(json!({"active": false, "nickName": "y", "title": "x", ENTERPRISE_SCHEMA: {"department": "B", "division": "D"}}));
        assert_eq!(changed_paths(&before, &after), ["active", "nickName", &format!("{ENTERPRISE_SCHEMA}:department")]);
    }
}
