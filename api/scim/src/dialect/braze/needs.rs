//! Finds in a body what its translation needs from the database. It is a guess before the body is read: too
//! much does no harm.

use rollcall_api_core::read::UserSummary;
use rollcall_scim::casefold::casefold;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

use super::keys::local;
use super::paths::names_in_path;
use super::spelling::beside_the_core;

/// Collects the keys of the names of workspaces that a body may contain: in its values, and in the filters of
/// a PATCH.
pub(super) fn workspace_names(body: &Value, names: &mut BTreeSet<String>) {
    match body {
        Value::Array(values) => values.iter().for_each(|value| workspace_names(value, names)),
        Value::Object(members) => {
            for (member, value) in members {
                names.extend(names_in_path(member));
                match value.as_str() {
                    Some(name) if member.eq_ignore_ascii_case("appGroupName") => names.extend([casefold(name)]),
                    Some(path) if member.eq_ignore_ascii_case("path") => names.extend(names_in_path(path)),
                    _ => workspace_names(value, names),
                }
            }
        }
        _ => {}
    }
}

/// Whether a PATCH may set `userName`, by a path or by a key.
pub(super) fn may_set_user_name(body: &Value) -> bool {
    let leads_there = |path: &str| path.to_ascii_lowercase().contains("username");
    match body {
        Value::Array(values) => values.iter().any(may_set_user_name),
        Value::Object(members) => members.iter().any(|(member, value)| {
            let is_path = member.eq_ignore_ascii_case("path") && value.as_str().is_some_and(leads_there);
            is_path || leads_there(member) || may_set_user_name(value)
        }),
        _ => false,
    }
}

/// The user that the body of a POST creates; `None` if it has no name.
pub(super) fn created_user(body: &Value) -> Option<UserSummary> {
    let members: Map<_, _> = beside_the_core(body.as_object()?.clone()).into_iter().collect();
    let part =
        |name: &str| members.iter().find(|(key, _)| local(key).eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let user_name = part("userName")?.as_str()?.to_owned();
    Some(UserSummary { user_name, entitlements: part("entitlements").cloned() })
}
