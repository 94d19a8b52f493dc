//! Attributes that a dialect has its own words for. Callers of the dialect may not use the names in the
//! schemas: the values would not be checked against the dialect's vocabulary. Names are refused when they are
//! looked up in the schemas, so no other spelling gets past.

use crate::ScimError;
use crate::path::Target;

/// The dialect's word for a target in the schemas; `None` if callers may use the name in the schemas.
pub type Reserved = for<'a> fn(&Target<'a>) -> Option<&'static str>;

/// The reservation of SCIM itself: nothing.
pub fn nothing(_: &Target<'_>) -> Option<&'static str> {
    None
}

/// Refuses a reserved target that a path names.
pub(crate) fn check_path(reserved: Reserved, target: &Target<'_>, path: &str) -> Result<(), ScimError> {
    reserved(target).map_or(Ok(()), |word| Err(ScimError::invalid_path(use_instead(path, word))))
}

/// Refuses a reserved target that a key names.
pub(crate) fn check_key(reserved: Reserved, target: &Target<'_>, key: &str) -> Result<(), ScimError> {
    reserved(target).map_or(Ok(()), |word| Err(ScimError::invalid_value(use_instead(key, word))))
}

fn use_instead(name: &str, word: &str) -> String {
    let shown: String = name.chars().take(128).collect();
    format!("{shown} is not used in this dialect: use {word} instead")
}
