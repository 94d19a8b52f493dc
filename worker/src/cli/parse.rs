//! Parsers of arguments.

use rollcall_events::WorkspaceId;
use rollcall_events::request::MAX_CALLS_PER_SECOND;
use std::collections::BTreeSet;
use std::num::NonZeroU32;

/// Maximum length of a name in characters.
const MAX_NAME_CHARS: usize = 200;

/// Parses a display name.
pub(super) fn name(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(format!("a name has 1 to {MAX_NAME_CHARS} characters and no control characters"));
    }
    rollcall_scim::visible::check(name, "the name").map_err(|error| error.detail)?;
    Ok(name.to_owned())
}

/// Maximum length of a description in characters.
const MAX_DESCRIPTION_CHARS: usize = 1000;

/// Parses a description.
pub(super) fn description(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_DESCRIPTION_CHARS || text.chars().any(char::is_control) {
        return Err(format!("a description has 1 to {MAX_DESCRIPTION_CHARS} characters and no control characters"));
    }
    Ok(text.to_owned())
}

/// Parses the number of calls per second that a token allows.
pub(super) fn rate(text: &str) -> Result<NonZeroU32, String> {
    let rate = text.parse().ok().filter(|rate: &NonZeroU32| rate.get() <= MAX_CALLS_PER_SECOND);
    rate.ok_or_else(|| format!("a rate is a whole number from 1 to {MAX_CALLS_PER_SECOND}"))
}

/// Parses a workspace and the permissions in it: `ID` or `ID=permission,permission`.
pub(super) fn mapping(text: &str) -> Result<(WorkspaceId, BTreeSet<String>), String> {
    let (id, permissions) = text.split_once('=').unwrap_or((text, ""));
    let id = id.trim().parse().map_err(|_| format!("{id} is not the id of a workspace"))?;
    let permissions = permissions.split(',').filter(|permission| !permission.trim().is_empty()).map(name);
    Ok((id, permissions.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("25" => Some(25))]
    #[test_case("1000000" => Some(1_000_000))]
    #[test_case("0" => None)]
    #[test_case("1000001" => None; "more than the maximum")]
    #[test_case("a" => None)]
    fn a_rate(text: &str) -> Option<u32> {
        rate(text).ok().map(NonZeroU32::get)
    }
}
