//! The entity tag of a resource as it is returned (RFC 9110 section 8.8.3).
//!
//! A stored resource has a version, and its tag is `W/"<version>"`. Some parts are joined from other tables
//! when it is read: the groups of a user, the members of a group, the names of workspaces. These parts change
//! without a new version of the resource. If an answer contains any of them, the tag is `W/"<version>-<hash
//! of the joined parts>"`. `If-Match` compares the version alone, because a change of the resource does not
//! change the joined parts.

use rollcall_scim::resource::Attributes;
use serde::Serialize;
use serde_json::Value;

use super::ReadError;

/// The BLAKE3 context of the hash.
const CONTEXT: &str = "rollcall 2026 entity tag";
/// How many hexadecimal digits of the hash are in a tag.
const DIGITS: usize = 16;

/// The parts that are joined to a resource.
#[derive(Default)]
pub(super) struct JoinedParts(Option<blake3::Hasher>);

impl JoinedParts {
    /// Adds a part that is returned.
    pub(super) fn add(&mut self, name: &str, part: &impl Serialize) -> Result<(), ReadError> {
        let hasher = self.0.get_or_insert_with(|| blake3::Hasher::new_derive_key(CONTEXT));
        let write = serde_json::to_writer(hasher, &(name, part));
        write.map_err(|error| ReadError::Malformed(format!("{name} cannot be written: {error}")))
    }

    /// Adds the hash of all parts to `meta.version`. Without parts, the version stays as it is stored.
    pub(super) fn mark(self, resource: &mut Attributes) {
        let version = resource.get_mut("meta").and_then(|meta| meta.get_mut("version"));
        if let (Some(hasher), Some(Value::String(tag))) = (self.0, version)
            && let Some(opaque) = tag.strip_suffix('"')
        {
            *tag = format!("{opaque}-{}\"", &hasher.finalize().to_hex()[..DIGITS]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tag(parts: &[(&str, Value)]) -> String {
        let mut joined = JoinedParts::default();
        for (name, part) in parts {
            joined.add(name, part).unwrap();
        }
        let mut resource = json!({"id": "7", "meta": {"version": "W/\"3\""}}).as_object().cloned().unwrap();
        joined.mark(&mut resource);
        resource["meta"]["version"].as_str().unwrap().to_owned()
    }

    #[test]
    fn the_tag_of_a_stored_resource_alone_is_its_version() {
        assert_eq!(tag(&[]), "W/\"3\"");
    }

    #[test]
    fn every_joined_part_changes_the_tag() {
        let group = |name: &str| json!([{"value": "1", "display": name}]);
        let tags = [
            tag(&[("groups", group("a"))]),
            tag(&[("groups", group("b"))]),
            tag(&[("names", group("a"))]),
            tag(&[("groups", group("a")), ("names", group("a"))]),
            tag(&[]),
        ];
        let distinct: std::collections::BTreeSet<_> = tags.iter().collect();
        assert_eq!(distinct.len(), tags.len(), "{tags:?}");
        assert_eq!(tag(&[("groups", group("a"))]), tags[0]);
        assert!(
            tags[0].starts_with("W/\"3-") && tags[0].ends_with('"') && tags[0].len() == "W/\"3-\"".len() + DIGITS,
            "{}",
            tags[0]
        );
    }
}
