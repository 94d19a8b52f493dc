//! The keys of what a user is assigned: roles, entitlements and workspaces, by id or by name.

use rollcall_events::membership::is_workspace;
use rollcall_events::request::EntitlementKind;
use rollcall_events::{EntitlementId, OrganizationId, WorkspaceId};
use rollcall_scim::casefold::casefold;
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::ROLLCALL_SCHEMA;
use serde_json::Value;

use super::keys::Key;

/// The keys to look up for a user's `roles`, `entitlements` and `workspaces`.
pub(crate) fn assigned_keys(organization: OrganizationId, attributes: &Attributes) -> impl Iterator<Item = Key> {
    let of_kind = move |kind: EntitlementKind| {
        list(attributes, kind.attribute()).iter().filter_map(move |value| assigned_key(organization, kind, value))
    };
    let of_workspaces = workspaces(attributes).iter().filter_map(move |value| workspace_key(organization, value));
    EntitlementKind::ALL.into_iter().flat_map(of_kind).chain(of_workspaces)
}

/// The key of a value of `roles` or `entitlements`.
pub(crate) fn assigned_key(organization: OrganizationId, kind: EntitlementKind, value: &Value) -> Option<Key> {
    let text = assigned_text(value)?;
    if kind == EntitlementKind::Entitlement && is_workspace(value) {
        return workspace_key(organization, value);
    }
    Some(match text.parse::<EntitlementId>() {
        Ok(id) => Key::Entitlement(organization, id),
        Err(_) => Key::EntitlementName(organization, kind, casefold(text)),
    })
}

/// The key of the workspace that a value names.
pub(crate) fn workspace_key(organization: OrganizationId, value: &Value) -> Option<Key> {
    let text = assigned_text(value)?;
    Some(match text.parse::<WorkspaceId>() {
        Ok(id) => Key::Workspace(organization, id),
        Err(_) => Key::WorkspaceName(organization, casefold(text)),
    })
}

/// The text of a value: its `value`, or `display` if it has no `value`.
pub(crate) fn assigned_text(value: &Value) -> Option<&str> {
    let part = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    part("value").or_else(|| part("display"))
}

/// The values of an attribute.
pub(crate) fn list<'a>(attributes: &'a Attributes, name: &str) -> &'a [Value] {
    attributes.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The values of the extension's `workspaces`.
pub(crate) fn workspaces(attributes: &Attributes) -> &[Value] {
    let listed = attributes.get(ROLLCALL_SCHEMA).and_then(|extension| extension.get("workspaces"));
    listed.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
