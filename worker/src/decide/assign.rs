//! What a user is assigned: roles, entitlements and workspaces, each by its id or by its name.
//!
//! A request may name a role, an entitlement or a workspace; the resource holds its id, with the name as `display`. A text in `roles` or `entitlements` that nobody
//! has defined stays as it is, as RFC 7643 section 4.1.2 leaves these values to the service provider; an unknown workspace is refused.
//!
//! An entitlement of the type `Workspace` is a membership of that workspace. Both are kept, so that a caller reads back what it wrote, and they go together:
//! to be entitled is to join, and to lose either is to lose both.

use rollcall_events::membership::{join, leave, unknown_workspace, workspace_ids};
use rollcall_events::request::{EntitlementKind, WORKSPACE_TYPE};
use rollcall_events::{EntitlementId, OrganizationId, WorkspaceId};
use rollcall_scim::ScimError;
use rollcall_scim::fold::fold as fold_case;
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::ROLLCALL_SCHEMA;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Interrupt;
use super::entity::{Entitlement, Workspace};
use super::keys::{Key, Lookup, look_up_all};
use super::state::State;

/// What a value names.
struct Named {
    id: String,
    name: String,
    /// The `type` that the value has; `None` where the caller's counts.
    type_name: Option<String>,
}

impl From<&Workspace> for Named {
    fn from(workspace: &Workspace) -> Self {
        Self { id: workspace.id.to_string(), name: workspace.name.clone(), type_name: Some(WORKSPACE_TYPE.to_owned()) }
    }
}

impl From<&Entitlement> for Named {
    fn from(entitlement: &Entitlement) -> Self {
        let settings = &entitlement.settings;
        let type_name = (settings.kind == EntitlementKind::Entitlement).then(|| settings.type_name.clone());
        Self { id: entitlement.id.to_string(), name: settings.name.clone(), type_name }
    }
}

/// The keys by which the values of a user's `roles`, `entitlements` and `workspaces` are looked up, as far as they name anything.
pub(crate) fn keys(organization: OrganizationId, attributes: &Attributes) -> impl Iterator<Item = Key> {
    let kinds = EntitlementKind::ALL.into_iter();
    let of_kinds =
        kinds.flat_map(move |kind| list(attributes, kind.attribute()).iter().filter_map(move |value| key(organization, kind, value)));
    of_kinds.chain(workspaces(attributes).iter().filter_map(move |value| workspace_key(organization, value)))
}

/// Puts ids for names, and has workspaces and entitlements go together. `before` is the user that a change meets.
///
/// # Errors
/// 400 `invalidValue` for a workspace that the organization does not have.
pub(super) fn resolve(
    state: &State,
    organization: OrganizationId,
    before: Option<&Attributes>,
    attributes: &mut Attributes,
) -> Result<(), Interrupt> {
    let is_kept = |name: &str| before.is_some_and(|before| before.get(name) == attributes.get(name));
    let changed: Vec<_> = EntitlementKind::ALL.into_iter().filter(|kind| !is_kept(kind.attribute())).collect();
    let is_moved = !is_kept(ROLLCALL_SCHEMA);
    let of_lists =
        changed.iter().flat_map(|kind| list(attributes, kind.attribute()).iter().filter_map(|value| key(organization, *kind, value)));
    let of_workspaces = workspaces(attributes).iter().filter(|_| is_moved).filter_map(|value| workspace_key(organization, value));
    let keys: BTreeSet<_> = of_lists.chain(of_workspaces).collect();
    let named: BTreeMap<_, _> = look_up_all(keys, |key| look_up(state, key))?.into_iter().collect();
    for kind in changed {
        let values = attributes.get_mut(kind.attribute()).and_then(Value::as_array_mut);
        values.map_or(Ok(()), |values| put_ids(values, |value| key(organization, kind, value), &named, true))?;
    }
    if is_moved && let Some(values) = workspaces_mut(attributes) {
        put_ids(values, |value| workspace_key(organization, value), &named, false)?;
    }
    go_together(before, attributes);
    Ok(())
}

/// Writes the id, and where it is shown the name and the type, into each value that names something. Values that have become the same are one.
fn put_ids(
    values: &mut Vec<Value>,
    key: impl Fn(&Value) -> Option<Key>,
    named: &BTreeMap<Key, Option<Named>>,
    is_shown: bool,
) -> Result<(), ScimError> {
    for value in values.iter_mut() {
        let Some(key) = key(value) else { continue };
        match named.get(&key) {
            Some(Some(named)) => {
                value["value"] = Value::from(named.id.as_str());
                if is_shown {
                    value["display"] = Value::from(named.name.as_str());
                    named.type_name.iter().for_each(|type_name| value["type"] = Value::from(type_name.as_str()));
                }
            }
            _ if matches!(key, Key::Workspace(..) | Key::WorkspaceName(..)) => {
                return Err(unknown_workspace(text(value).unwrap_or_default()));
            }
            _ => {}
        }
    }
    let mut seen = HashSet::new();
    if is_shown {
        values.retain(|value| seen.insert(value.to_string()));
    }
    Ok(())
}

fn look_up(state: &State, key: &Key) -> Lookup<Named> {
    Ok(match key {
        Key::Workspace(of, id) => state.workspace(*of, *id)?.map(Named::from),
        Key::WorkspaceName(of, name) => match state.workspace_named(*of, name.clone())? {
            Some(id) => state.workspace(*of, id)?.map(Named::from),
            None => None,
        },
        Key::Entitlement(of, id) => state.entitlement(*of, *id)?.map(Named::from),
        Key::EntitlementName(of, kind, name) => state.entitlement_named(*of, *kind, name.clone())?.map(Named::from),
        _ => None,
    })
}

/// The key of what a value of `roles` or `entitlements` names.
fn key(organization: OrganizationId, kind: EntitlementKind, value: &Value) -> Option<Key> {
    let text = text(value)?;
    if kind == EntitlementKind::Entitlement && is_workspace(value) {
        return Some(match text.parse() {
            Ok(id) => Key::Workspace(organization, id),
            Err(_) => Key::WorkspaceName(organization, fold_case(text)),
        });
    }
    Some(match text.parse::<EntitlementId>() {
        Ok(id) => Key::Entitlement(organization, id),
        Err(_) => Key::EntitlementName(organization, kind, fold_case(text)),
    })
}

/// The key of a workspace that is given by its name. One that is given by its id needs no translation.
fn workspace_key(organization: OrganizationId, value: &Value) -> Option<Key> {
    let text = text(value).filter(|text| text.parse::<WorkspaceId>().is_err())?;
    Some(Key::WorkspaceName(organization, fold_case(text)))
}

/// What a value says: its `value`, or, without one, its `display`.
fn text(value: &Value) -> Option<&str> {
    let part = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    part("value").or_else(|| part("display"))
}

fn is_workspace(entitlement: &Value) -> bool {
    entitlement["type"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(WORKSPACE_TYPE))
}

fn list<'a>(attributes: &'a Attributes, name: &str) -> &'a [Value] {
    attributes.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn workspaces(attributes: &Attributes) -> &[Value] {
    let listed = attributes.get(ROLLCALL_SCHEMA).and_then(|extension| extension.get("workspaces"));
    listed.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn workspaces_mut(attributes: &mut Attributes) -> Option<&mut Vec<Value>> {
    attributes.get_mut(ROLLCALL_SCHEMA)?.get_mut("workspaces")?.as_array_mut()
}

/// The workspaces that a user is entitled to.
fn entitled(attributes: &Attributes) -> BTreeSet<WorkspaceId> {
    let values = list(attributes, EntitlementKind::Entitlement.attribute()).iter().filter(|value| is_workspace(value));
    values.filter_map(|value| text(value)?.parse().ok()).collect()
}

/// Who is newly entitled to a workspace joins it. Who is no longer entitled leaves it, unless the request puts them there. Who has left is no longer entitled.
fn go_together(before: Option<&Attributes>, attributes: &mut Attributes) {
    let entitled_now = entitled(attributes);
    let (was_entitled, was_in) = before.map(|before| (entitled(before), workspace_ids(before))).unwrap_or_default();
    if entitled_now.is_empty() && was_entitled.is_empty() {
        return;
    }
    let is_in = workspace_ids(attributes);
    let (kept, added): (BTreeSet<_>, BTreeSet<_>) = entitled_now.difference(&is_in).copied().partition(|id| was_entitled.contains(id));
    let left: BTreeSet<_> = kept.intersection(&was_in).copied().collect();
    let leaving = was_entitled.difference(&entitled_now).filter(|id| was_in.contains(id)).copied().collect();
    join(attributes, &added);
    leave(attributes, &leaving);
    if !left.is_empty()
        && let Some(values) = attributes.get_mut(EntitlementKind::Entitlement.attribute()).and_then(Value::as_array_mut)
    {
        values
            .retain(|value| !(is_workspace(value) && text(value).and_then(|text| text.parse().ok()).is_some_and(|id| left.contains(&id))));
        if values.is_empty() {
            attributes.remove(EntitlementKind::Entitlement.attribute());
        }
    }
}
