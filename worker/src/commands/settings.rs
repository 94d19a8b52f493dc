//! What an operator types, read into what is requested.

use rollcall_events::request::{Dialect, TokenSettings};

use super::IssueToken;

/// The most characters of a name.
const MAX_NAME_CHARS: usize = 200;

/// Reads a name for people.
pub(super) fn name(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(format!("a name has 1 to {MAX_NAME_CHARS} characters and no control characters"));
    }
    Ok(name.to_owned())
}

/// Reads a dialect.
pub(super) fn dialect(text: &str) -> Result<Dialect, String> {
    match text {
        "standard" => Ok(Dialect::Standard),
        _ => Err("the dialect is standard".to_owned()),
    }
}

impl From<IssueToken> for TokenSettings {
    fn from(issue: IssueToken) -> Self {
        Self {
            label: issue.label,
            default_workspace: issue.default_workspace,
            service_origin: issue.service_origin,
            origin_required: !issue.origin_not_required,
            allow_list: issue.allow,
            dialect: issue.dialect,
            expires_at: issue.expires,
        }
    }
}
