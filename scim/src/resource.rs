//! Resources as they are stored: attributes in canonical spelling; `schemas`, `id` and `meta` from the
//! server.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::ScimError;
use crate::schema::ResourceType;
use crate::validate::schemas_of;

/// The attributes of a resource by their canonical names. The attributes of an extension are under its URN.
pub type Attributes = Map<String, Value>;

/// The server's part of `meta` (RFC 7643 section 3.1) without the location, which depends on the public
/// address of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta<'a> {
    /// When the resource was created, as a dateTime.
    pub created: &'a str,
    /// When the resource was last changed, as a dateTime.
    pub last_modified: &'a str,
    /// The number of states of the resource, including this one.
    pub version: u64,
}

/// Adds `schemas`, `id` and `meta` to a caller's attributes.
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

/// The caller's part of a stored resource.
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

/// The attributes in which two states of a resource differ, in order of their names. An attribute of an
/// extension is given as `urn:name`.
pub fn changed_paths(before: &Attributes, after: &Attributes) -> Vec<String> {
    let empty = Attributes::new();
    let mut changed = Vec::new();
    for name in differing(before, after) {
        if name.contains(':') {
            let (before, after) = (before.get(name), after.get(name));
            let (before, after) = (
                before.and_then(Value::as_object).unwrap_or(&empty),
                after.and_then(Value::as_object).unwrap_or(&empty),
            );
            changed.extend(differing(before, after).into_iter().map(|part| format!("{name}:{part}")));
        } else {
            changed.push(name.clone());
        }
    }
    changed
}

fn differing<'a>(before: &'a Attributes, after: &'a Attributes) -> BTreeSet<&'a String> {
    before.keys().chain(after.keys()).filter(|name| before.get(*name) != after.get(*name)).collect()
}

/// The most bytes that a resource may have ([`size`]), not counting the attributes that [`stamp`] adds and
/// the members of a group. The log has every state of a resource as a whole, so each change costs as much as
/// the resource is large. The default is 256 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SizeLimit(pub u32);

impl Default for SizeLimit {
    fn default() -> Self {
        Self(256 * 1024)
    }
}

/// The bytes of a resource as compact JSON. `true` counts as many as `false`, so that a deactivation does not
/// make a user larger.
pub fn size(attributes: &Attributes) -> usize {
    let members = attributes.iter().map(|(name, value)| text_size(name) + 1 + value_size(value)).sum::<usize>();
    members + 2 + attributes.len().saturating_sub(1)
}

fn value_size(value: &Value) -> usize {
    match value {
        Value::Null => 4,
        Value::Bool(_) => 5,
        // A number takes at most 24 characters. It is measured, not printed.
        Value::Number(number) => {
            let mut counter = Counter(0);
            // Counting cannot fail.
            let _ = write!(counter, "{number}");
            counter.0
        }
        Value::String(text) => text_size(text),
        Value::Array(values) => values.iter().map(value_size).sum::<usize>() + 2 + values.len().saturating_sub(1),
        Value::Object(members) => size(members),
    }
}

/// The bytes of a text in quotes, with the escapes that JSON needs (RFC 8259 section 7).
fn text_size(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | 0x08 | 0x09 | 0x0a | 0x0c | 0x0d => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(escaped).sum::<usize>() + 2
}

/// A writer that counts bytes.
struct Counter(usize);

impl std::fmt::Write for Counter {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

impl SizeLimit {
    /// The limit in bytes.
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// Checks that a resource does not exceed the limit.
    ///
    /// # Errors
    /// 400 `invalidValue` that names the largest attribute. It is not `tooMany`: RFC 7644 table 9 has that
    /// for too much work. This is a value that the resource cannot hold, like a text that is too long.
    pub fn check(self, attributes: &Attributes) -> Result<(), ScimError> {
        let (bytes, limit) = (size(attributes), self.bytes());
        if bytes <= limit {
            return Ok(());
        }
        let largest = largest(attributes);
        Err(ScimError::invalid_value(format!(
            "the resource has {bytes} bytes, more than {limit}; its largest attribute is {largest}"
        )))
    }

    /// Checks the size of a changed resource. An older resource may have been too large before. It may not
    /// grow, but it can still shrink, be deactivated and be deleted.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_growth(self, before: &Attributes, after: &Attributes) -> Result<(), ScimError> {
        match self.check(after) {
            Err(_) if size(after) <= size(before) => Ok(()),
            checked => checked,
        }
    }
}

/// The name of the largest attribute. An attribute of an extension is given as `urn:name`.
fn largest(attributes: &Attributes) -> String {
    let Some((name, value)) = attributes.iter().max_by_key(|(_, value)| value_size(value)) else {
        return String::new();
    };
    match value {
        Value::Object(inside) if name.contains(':') => format!("{name}:{}", largest(inside)),
        _ => name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ScimType;
    use crate::schema::{ENTERPRISE_SCHEMA, USER, USER_SCHEMA};
    use test_case::test_case;

    fn object(value: Value) -> Attributes {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_stamp_lists_the_schemas_in_use_and_can_be_removed() {
        let attributes = object(json!({"userName": "ada", ENTERPRISE_SCHEMA: {"department": "Engines"}}));
        let meta =
            Meta { created: "2026-01-01T00:00:00.000000Z", last_modified: "2026-01-02T00:00:00.000000Z", version: 2 };
        let stamped = stamp(&USER, attributes.clone(), "7", meta);
        assert_eq!(stamped["schemas"], json!([USER_SCHEMA, ENTERPRISE_SCHEMA]));
        assert_eq!(stamped["meta"]["version"], "W/\"2\"");
        assert_eq!(without_stamp(stamped), attributes);
    }

    #[test]
    fn changes_are_named_by_attribute() {
        let before =
            object(json!({"active": true, "title": "x", ENTERPRISE_SCHEMA: {"department": "A", "division": "D"}}));
        let after = object(json!({
            "active": false, "nickName": "y", "title": "x", ENTERPRISE_SCHEMA: {"department": "B", "division": "D"}
        }));
        assert_eq!(changed_paths(&before, &after), ["active", "nickName", &format!("{ENTERPRISE_SCHEMA}:department")]);
    }

    #[test_case(json!({}); "nothing")]
    #[test_case(
        json!({
            "a": "x\"y\\\n\t\u{1}\u{7f}Straße", "b": [], "c": [1, -2.5, 1e300, null], "d": {"e": {"f": [false, {}]}}
        });
        "all kinds of values"
    )]
    fn the_size_is_that_of_compact_json(value: Value) {
        assert_eq!(size(&object(value.clone())), value.to_string().len());
    }

    #[test]
    fn a_resource_that_is_too_large_names_its_largest_attribute_and_may_shrink() {
        let user = |title: usize, active: bool| {
            object(json!({"active": active, "title": "x".repeat(title), ENTERPRISE_SCHEMA: {"department": "A"}}))
        };
        let (limit, bytes) = (SizeLimit(1000), 1000);
        let error = limit.check(&user(bytes, true)).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidValue));
        assert!(error.detail.contains("more than 1000; its largest attribute is title"), "{}", error.detail);
        let extension =
            object(json!({"title": "x", ENTERPRISE_SCHEMA: {"department": "x".repeat(bytes), "division": "y"}}));
        assert!(limit.check(&extension).unwrap_err().detail.contains(&format!("{ENTERPRISE_SCHEMA}:department")));
        let old = user(2 * bytes, true);
        assert_eq!(limit.check_growth(&old, &user(2 * bytes, false)), Ok(()), "it can be deactivated");
        assert_eq!(limit.check_growth(&old, &user(2 * bytes - 1, true)), Ok(()), "it can shrink");
        assert!(limit.check_growth(&old, &user(2 * bytes + 1, true)).is_err(), "it cannot grow");
        assert!(limit.check_growth(&user(1, true), &user(bytes, true)).is_err());
    }
}
