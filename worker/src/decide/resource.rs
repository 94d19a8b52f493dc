//! What users and groups have in common: versions.

use rollcall_events::Timestamp;
use rollcall_events::request::IfMatch;
use rollcall_scim::ScimError;
use rollcall_scim::resource::{Attributes, Meta, stamp};
use rollcall_scim::schema::ResourceType;
use std::fmt::Display;

use super::entity::Kept;

/// Checks that a call means the state that it meets.
pub(super) fn check_version(etag: &str, if_match: Option<&IfMatch>, what: &str) -> Result<(), ScimError> {
    // Our tags are weak; what they promise is what If-Match asks for here (RFC 7644 section 3.14).
    let strong = |tag: &str| tag.trim_start_matches("W/").to_owned();
    match if_match {
        None | Some(IfMatch::Any) => Ok(()),
        Some(IfMatch::Tags(tags)) if tags.iter().any(|tag| strong(tag) == strong(etag)) => Ok(()),
        Some(IfMatch::Tags(_)) => Err(ScimError::new(412, format!("{what} has changed: its version is not the one in If-Match"))),
    }
}

/// A new resource.
pub(super) fn first_state(resource_type: &ResourceType, attributes: Attributes, id: &str, at: Timestamp) -> Attributes {
    let now = at.to_string();
    stamp(resource_type, attributes, id, Meta { created: &now, last_modified: &now, version: 1 })
}

/// A changed resource.
pub(super) fn next_state<Id: Display>(
    resource_type: &ResourceType,
    attributes: Attributes,
    before: &Kept<Id>,
    at: Timestamp,
) -> Attributes {
    let now = at.to_string();
    let meta = Meta { created: before.created(), last_modified: &now, version: before.version() + 1 };
    stamp(resource_type, attributes, &before.id.to_string(), meta)
}
