//! Parsers of arguments that have no type of their own.

use rollcall_events::WorkspaceId;
use rollcall_events::name::{InvalidText, Permission};
use std::collections::BTreeSet;

/// Parses a workspace and the permissions in it: `ID` or `ID=permission,permission`.
pub(super) fn mapping(text: &str) -> Result<(WorkspaceId, BTreeSet<Permission>), String> {
    let (id, permissions) = text.split_once('=').unwrap_or((text, ""));
    let id = id.trim().parse().map_err(|_| format!("{id} is not the id of a workspace"))?;
    let permissions = permissions.split(',').filter(|permission| !permission.trim().is_empty()).map(str::parse);
    Ok((id, permissions.collect::<Result<_, _>>().map_err(|error: InvalidText| error.to_string())?))
}
