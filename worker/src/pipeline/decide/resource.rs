//! Versions of users and groups.

use rollcall_events::Timestamp;
use rollcall_events::request::IfMatch;
use rollcall_scim::ScimError;
use rollcall_scim::resource::{Attributes, Meta, stamp};
use rollcall_scim::schema::ResourceType;
use std::fmt::Display;

use crate::pipeline::state::Stored;

/// Checks the `If-Match` condition of a call (RFC 9110 section 13.1.1).
pub(super) fn check_version(etag: &str, if_match: Option<&IfMatch>, what: &str) -> Result<(), ScimError> {
    match if_match {
        None | Some(IfMatch::Any) => Ok(()),
        Some(IfMatch::Tags(tags)) if tags.iter().any(|tag| version(tag) == version(etag)) => Ok(()),
        Some(IfMatch::Tags(_)) => {
            Err(ScimError::new(412, format!("{what} has changed: its version is not the one in If-Match")))
        }
    }
}

/// The version in an entity tag: `W/"<version>"`, or `W/"<version>-<hash of what was shown with it>"`. Our
/// tags are weak, and `If-Match` accepts them here (RFC 7644 section 3.14). Data that is only joined to a
/// resource in an answer is not part of the state, so its hash is ignored.
fn version(tag: &str) -> &str {
    let opaque = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
    opaque.split_once('-').map_or(opaque, |(version, _)| version)
}

/// The first version of a resource.
pub(super) fn first_state(resource_type: &ResourceType, attributes: Attributes, id: &str, at: Timestamp) -> Attributes {
    let now = at.to_string();
    stamp(resource_type, attributes, id, Meta { created: &now, last_modified: &now, version: 1 })
}

/// The next version of a resource.
pub(super) fn next_state<Id: Display>(
    resource_type: &ResourceType,
    attributes: Attributes,
    before: &Stored<Id>,
    at: Timestamp,
) -> Attributes {
    let now = at.to_string();
    let meta = Meta { created: before.created(), last_modified: &now, version: before.version() + 1 };
    stamp(resource_type, attributes, &before.id.to_string(), meta)
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case(r#"W/"2""# => true; "the version")]
    #[test_case(r#""2""# => true; "as a strong tag")]
    #[test_case(r#"W/"2-0123456789abcdef""# => true; "with what was shown")]
    #[test_case(r#"W/"2-fedcba9876543210""# => true; "with something else that was shown")]
    #[test_case(r#"W/"1-0123456789abcdef""# => false; "another version")]
    #[test_case(r#"W/"22""# => false; "a longer version")]
    #[test_case(r#"W/"""# => false; "nothing")]
    #[test_case(r#"W/"-2""# => false; "a hash alone")]
    fn a_tag_means_a_version(tag: &str) -> bool {
        check_version("W/\"2\"", Some(&IfMatch::Tags(vec![tag.to_owned()])), "the user").is_ok()
    }
}
