//! Resolves the values that a user is assigned: roles, entitlements and workspaces, by id or by name.
//!
//! A request may name a role, an entitlement or a workspace. The resource stores its id, with the name as
//! `display`. An undefined text stays as it is, because RFC 7643 section 4.1.2 leaves these values to the
//! service provider. An unknown workspace is refused. An entitlement of the type `Workspace` is a membership
//! (see `rollcall_events::membership`).

use rollcall_events::OrganizationId;
use rollcall_events::membership::{WORKSPACES, is_workspace, merge_by, unknown_workspace};
use rollcall_events::request::{EntitlementKind, WORKSPACE_TYPE};
use rollcall_scim::ScimError;
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::ROLLCALL_SCHEMA;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::pipeline::decision::Interrupt;
use crate::pipeline::state::{
    Entitlement, Key, Lookup, NotLoaded, State, Workspace, assigned_key, assigned_text, list, look_up_all,
    workspace_key, workspaces,
};

/// The role, entitlement or workspace that a value names.
pub(super) struct Assignable {
    pub(super) id: String,
    name: String,
    /// The attribute that it can be a value of. `None` for a workspace, which two attributes can name.
    pub(super) kind: Option<EntitlementKind>,
    /// The `type` to set. `None` keeps the caller's type.
    type_name: Option<String>,
}

impl From<&Workspace> for Assignable {
    fn from(workspace: &Workspace) -> Self {
        let type_name = Some(WORKSPACE_TYPE.to_owned());
        Self { id: workspace.id.to_string(), name: workspace.name.clone(), kind: None, type_name }
    }
}

impl From<&Entitlement> for Assignable {
    fn from(entitlement: &Entitlement) -> Self {
        let settings = &entitlement.settings;
        let type_name = (settings.kind == EntitlementKind::Entitlement).then(|| settings.type_name.to_string());
        Self { id: entitlement.id.to_string(), name: settings.name.to_string(), kind: Some(settings.kind), type_name }
    }
}

/// The looked-up keys with their results.
pub(super) type Found = BTreeMap<Key, Option<Assignable>>;

/// The user before the change, and the names in the request.
pub(super) struct Before<'a> {
    /// The user's resource.
    pub(super) resource: &'a Attributes,
    /// The keys of the names. A value that the user has as plain text is looked up if its key is in this set,
    /// because the name may have been defined since.
    pub(super) asked: BTreeSet<Key>,
}

/// The values of one attribute that a change keeps.
struct Kept<'a> {
    held: HashSet<&'a Value>,
    asked: Option<&'a BTreeSet<Key>>,
}

impl<'a> Kept<'a> {
    fn of(before: Option<&'a Before<'a>>, list: impl Fn(&Attributes) -> &[Value]) -> Self {
        let held = before.into_iter().flat_map(|before| list(before.resource)).collect();
        Self { held, asked: before.map(|before| &before.asked) }
    }

    fn contains(&self, value: &Value, key: Option<&Key>) -> bool {
        self.held.contains(value) && !key.is_some_and(|key| self.asked.is_some_and(|asked| asked.contains(key)))
    }
}

/// Replaces names by ids in the changed attributes. Values that `before` already has are not looked up.
///
/// # Errors
/// 400 `invalidValue` for a workspace that the organization does not have.
pub(super) fn resolve(
    state: &State,
    organization: OrganizationId,
    before: Option<&Before<'_>>,
    attributes: &mut Attributes,
) -> Result<(), Interrupt> {
    let of_kinds = EntitlementKind::ALL.map(|kind| (kind, Kept::of(before, |user| list(user, kind.attribute()))));
    let kept_workspaces = Kept::of(before, workspaces);
    let mut keys = BTreeSet::new();
    for (kind, kept) in &of_kinds {
        let all =
            list(attributes, kind.attribute()).iter().map(|value| (value, assigned_key(organization, *kind, value)));
        keys.extend(all.filter(|(value, key)| !kept.contains(value, key.as_ref())).filter_map(|(_, key)| key));
    }
    // Look up names only. The existence of a workspace given by id is checked when the user joins it.
    let names = workspaces(attributes).iter().filter(|value| !kept_workspaces.contains(value, None));
    keys.extend(names.filter_map(|value| workspace_key(organization, value)).filter(is_name));
    let found = look_up(state, keys)?;
    for (kind, kept) in &of_kinds {
        let Some(values) = attributes.get_mut(kind.attribute()).and_then(Value::as_array_mut) else { continue };
        for value in values.iter_mut() {
            let key = assigned_key(organization, *kind, value);
            if !kept.contains(value, key.as_ref()) {
                assign(value, *kind, key.as_ref(), &found)?;
            }
        }
        merge_by(values, identity);
    }
    for value in workspaces_mut(attributes).into_iter().flatten().filter(|value| !kept_workspaces.contains(value, None))
    {
        assign_workspace(value, workspace_key(organization, value).as_ref(), &found)?;
    }
    Ok(())
}

/// Whether a key is a name, not an id.
pub(super) fn is_name(key: &Key) -> bool {
    matches!(key, Key::WorkspaceName(..) | Key::EntitlementName(..))
}

/// Writes the id, the name and the type into a value of `roles` or `entitlements`.
pub(super) fn assign(
    value: &mut Value,
    kind: EntitlementKind,
    key: Option<&Key>,
    found: &Found,
) -> Result<(), ScimError> {
    let named = key.and_then(|key| found.get(key)).and_then(Option::as_ref);
    match named.filter(|named| named.kind.is_none_or(|of| of == kind)) {
        Some(named) => {
            value["value"] = Value::from(named.id.as_str());
            value["display"] = Value::from(named.name.as_str());
            named.type_name.iter().for_each(|type_name| value["type"] = Value::from(type_name.as_str()));
            Ok(())
        }
        None if matches!(key, Some(Key::Workspace(..) | Key::WorkspaceName(..))) => {
            Err(unknown_workspace(kind.attribute(), assigned_text(value).unwrap_or_default()))
        }
        None if kind == EntitlementKind::Entitlement && is_workspace(value) => Err(ScimError::invalid_value(
            "entitlements: an entitlement of the type Workspace needs the workspace's id or name as its value",
        )),
        None => Ok(()),
    }
}

/// Writes the id into a value of `workspaces`, in canonical form. Removes the name, which is not stored but
/// looked up for each response.
pub(super) fn assign_workspace(value: &mut Value, key: Option<&Key>, found: &Found) -> Result<(), ScimError> {
    match key {
        Some(Key::Workspace(_, id)) => value["value"] = Value::from(id.to_string()),
        Some(key) => match found.get(key).and_then(Option::as_ref) {
            Some(named) => value["value"] = Value::from(named.id.as_str()),
            None => return Err(unknown_workspace(WORKSPACES, assigned_text(value).unwrap_or_default())),
        },
        None => {}
    }
    if let Value::Object(value) = value {
        value.remove("display");
    }
    Ok(())
}

/// The identity of a value: values with the same `value` and `type` are the same (RFC 7643 section 2.4).
fn identity(value: &Value) -> Option<(String, Option<String>)> {
    Some((value["value"].as_str()?.to_owned(), value["type"].as_str().map(str::to_lowercase)))
}

/// Looks up several keys at once.
pub(super) fn look_up(state: &State, keys: BTreeSet<Key>) -> Result<Found, NotLoaded> {
    Ok(look_up_all(keys, |key| named(state, key))?.into_iter().collect())
}

fn named(state: &State, key: &Key) -> Lookup<Assignable> {
    Ok(match key {
        Key::Workspace(of, id) => state.workspace(*of, *id)?.map(Assignable::from),
        Key::WorkspaceName(of, name) => match state.workspace_named(*of, name.clone())? {
            Some(id) => state.workspace(*of, id)?.map(Assignable::from),
            None => None,
        },
        Key::Entitlement(of, id) => state.entitlement(*of, *id)?.map(Assignable::from),
        Key::EntitlementName(of, kind, name) => {
            state.entitlement_named(*of, *kind, name.clone())?.map(Assignable::from)
        }
        _ => None,
    })
}

fn workspaces_mut(attributes: &mut Attributes) -> Option<&mut Vec<Value>> {
    attributes.get_mut(ROLLCALL_SCHEMA)?.get_mut("workspaces")?.as_array_mut()
}
