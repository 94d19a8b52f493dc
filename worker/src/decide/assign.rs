//! What a user is assigned: roles, entitlements and workspaces, each by its id or by its name.
//!
//! A request may name a role, an entitlement or a workspace. The resource holds its id, with the name as `display`. A text
//! that nobody has defined stays as it is, since RFC 7643 section 4.1.2 leaves these values to the service provider. An
//! unknown workspace is refused. An entitlement of the type `Workspace` is a membership (see `rollcall_events::membership`).

use rollcall_events::membership::{WORKSPACES, is_workspace, merge_by, unknown_workspace};
use rollcall_events::request::{EntitlementKind, WORKSPACE_TYPE};
use rollcall_events::{EntitlementId, OrganizationId, WorkspaceId};
use rollcall_scim::ScimError;
use rollcall_scim::casefold::casefold;
use rollcall_scim::patch::{Op, Operation};
use rollcall_scim::path::Target;
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::{ROLLCALL_SCHEMA, USER};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Interrupt;
use super::entity::{Entitlement, Workspace};
use super::keys::{Key, Lookup, NotLoaded, look_up_all};
use super::state::State;

/// What a value names.
struct Named {
    id: String,
    name: String,
    /// The attribute that it is a value of; `None` for a workspace, which two attributes can name.
    kind: Option<EntitlementKind>,
    /// The `type` that the value has; `None` where the caller's counts.
    type_name: Option<String>,
}

impl From<&Workspace> for Named {
    fn from(workspace: &Workspace) -> Self {
        let type_name = Some(WORKSPACE_TYPE.to_owned());
        Self { id: workspace.id.to_string(), name: workspace.name.clone(), kind: None, type_name }
    }
}

impl From<&Entitlement> for Named {
    fn from(entitlement: &Entitlement) -> Self {
        let settings = &entitlement.settings;
        let type_name = (settings.kind == EntitlementKind::Entitlement).then(|| settings.type_name.clone());
        Self { id: entitlement.id.to_string(), name: settings.name.clone(), kind: Some(settings.kind), type_name }
    }
}

/// What keys were looked up by, with what they led to.
type Found = BTreeMap<Key, Option<Named>>;

/// The keys by which the values of a user's `roles`, `entitlements` and `workspaces` are looked up.
pub(crate) fn keys(organization: OrganizationId, attributes: &Attributes) -> impl Iterator<Item = Key> {
    let of_kind =
        move |kind: EntitlementKind| list(attributes, kind.attribute()).iter().filter_map(move |value| key(organization, kind, value));
    let of_workspaces = workspaces(attributes).iter().filter_map(move |value| workspace_key(organization, value));
    EntitlementKind::ALL.into_iter().flat_map(of_kind).chain(of_workspaces)
}

/// Puts ids for names in what a request changes. `before` is the user that a change meets: values that it has already are not looked up.
///
/// # Errors
/// 400 `invalidValue` for a workspace that the organization does not have.
pub(super) fn resolve(
    state: &State,
    organization: OrganizationId,
    before: Option<&Attributes>,
    attributes: &mut Attributes,
) -> Result<(), Interrupt> {
    let had = |list: &dyn Fn(&Attributes) -> &[Value]| before.map(|before| list(before).iter().cloned().collect()).unwrap_or_default();
    let of_kinds = EntitlementKind::ALL.map(|kind| -> (_, HashSet<Value>) { (kind, had(&|user| list(user, kind.attribute()))) });
    let had_workspaces: HashSet<Value> = had(&|user| workspaces(user));
    let mut keys = BTreeSet::new();
    for (kind, had) in &of_kinds {
        let new = list(attributes, kind.attribute()).iter().filter(|value| !had.contains(value));
        keys.extend(new.filter_map(|value| key(organization, *kind, value)));
    }
    // An id needs no translation, and whether there is such a workspace is checked of each that is joined.
    let names = workspaces(attributes).iter().filter(|value| !had_workspaces.contains(value));
    keys.extend(names.filter_map(|value| workspace_key(organization, value)).filter(|key| matches!(key, Key::WorkspaceName(..))));
    let found = look_up(state, keys)?;
    for (kind, had) in &of_kinds {
        let Some(values) = attributes.get_mut(kind.attribute()).and_then(Value::as_array_mut) else { continue };
        for value in values.iter_mut().filter(|value| !had.contains(value)) {
            assign(value, *kind, key(organization, *kind, value).as_ref(), &found)?;
        }
        merge_by(values, identity);
    }
    for value in workspaces_mut(attributes).into_iter().flatten().filter(|value| !had_workspaces.contains(value)) {
        seq_column(value, workspace_key(organization, value).as_ref(), &found)?;
    }
    Ok(())
}

/// Writes the id, the name and the type into a value of `roles` or `entitlements` that names something.
fn assign(value: &mut Value, kind: EntitlementKind, key: Option<&Key>, found: &Found) -> Result<(), ScimError> {
    let named = key.and_then(|key| found.get(key)).and_then(Option::as_ref);
    match named.filter(|named| named.kind.is_none_or(|of| of == kind)) {
        Some(named) => {
            value["value"] = Value::from(named.id.as_str());
            value["display"] = Value::from(named.name.as_str());
            named.type_name.iter().for_each(|type_name| value["type"] = Value::from(type_name.as_str()));
            Ok(())
        }
        None if matches!(key, Some(Key::Workspace(..) | Key::WorkspaceName(..))) => {
            Err(unknown_workspace(kind.attribute(), text(value).unwrap_or_default()))
        }
        None if kind == EntitlementKind::Entitlement && is_workspace(value) => Err(ScimError::invalid_value(
            "entitlements: an entitlement of the type Workspace needs the workspace's id or name as its value",
        )),
        None => Ok(()),
    }
}

/// Writes the id into a value of `workspaces`, as ids are written.
fn seq_column(value: &mut Value, key: Option<&Key>, found: &Found) -> Result<(), ScimError> {
    match key {
        Some(Key::Workspace(_, id)) => value["value"] = Value::from(id.to_string()),
        Some(key) => match found.get(key).and_then(Option::as_ref) {
            Some(named) => value["value"] = Value::from(named.id.as_str()),
            None => return Err(unknown_workspace(WORKSPACES, text(value).unwrap_or_default())),
        },
        None => {}
    }
    Ok(())
}

/// Two values are the same if they have the same `value` and `type` (RFC 7643 section 2.4).
fn identity(value: &Value) -> Option<(String, Option<String>)> {
    Some((value["value"].as_str()?.to_owned(), value["type"].as_str().map(str::to_lowercase)))
}

/// The operations of a PATCH on the user `before`, where those that choose or remove values by name do so by id. A value that the user
/// holds as a plain text is chosen by that text as well.
pub(super) fn by_id(
    state: &State,
    organization: OrganizationId,
    before: &Attributes,
    operations: &[Operation],
) -> Result<Vec<Operation>, NotLoaded> {
    let keys = operations.iter().flat_map(|operation| {
        let texts = attribute(operation).map(|name| (name, chosen(operation)));
        texts.into_iter().flat_map(|(name, texts)| texts.into_iter().flat_map(move |text| candidates(organization, name, &text)))
    });
    let found = look_up(state, keys.collect())?;
    let translated = operations.iter().cloned().map(|mut operation| {
        let Some(name) = attribute(&operation) else { return operation };
        let held = held(before, name);
        let ids = |text: &str| -> Vec<String> {
            let keys = candidates(organization, name, text);
            keys.iter()
                .filter_map(|key| Some(found.get(key)?.as_ref()?.id.clone()))
                .filter(|id| id != text && held.contains(id.as_str()))
                .collect()
        };
        let choices = |text: &str| match ids(text) {
            ids if ids.is_empty() => vec![text.to_owned()],
            ids => held.get(text).map(|text| (*text).to_owned()).into_iter().chain(ids).collect(),
        };
        operation.path = operation.path.choosing(&choices);
        if let (Op::Remove, Some(Value::Array(values))) = (operation.op, &mut operation.value) {
            let more: Vec<_> = values.iter().flat_map(|value| with_ids(value, &ids(text(value).unwrap_or_default()))).collect();
            values.extend(more);
        }
        operation
    });
    Ok(translated.collect())
}

/// The values that a user holds of one of the attributes.
fn held<'a>(user: &'a Attributes, attribute: &str) -> HashSet<&'a str> {
    let values = if attribute == "workspaces" { workspaces(user) } else { list(user, attribute) };
    values.iter().filter_map(|value| value["value"].as_str()).collect()
}

/// The value with each of these ids.
fn with_ids(value: &Value, ids: &[String]) -> Vec<Value> {
    let with_id = |id: &String| {
        let mut value = value.clone();
        value["value"] = Value::from(id.as_str());
        value
    };
    ids.iter().map(with_id).collect()
}

/// The name of the attribute that an operation is about, if its values can be given by name.
fn attribute(operation: &Operation) -> Option<&'static str> {
    let Ok(Target::Attribute(target)) = operation.path.target(&USER) else { return None };
    let known: &[&'static str] = match target.extension {
        None => &["roles", "entitlements"],
        Some(schema) if schema.id == ROLLCALL_SCHEMA => &["workspaces"],
        Some(_) => &[],
    };
    known.iter().copied().find(|known| *known == target.attribute.name)
}

/// The texts by which an operation chooses or removes values.
fn chosen(operation: &Operation) -> Vec<String> {
    let mut texts = operation.path.compared_values();
    if let (Op::Remove, Some(Value::Array(values))) = (operation.op, &operation.value) {
        texts.extend(values.iter().filter_map(text).map(str::to_owned));
    }
    texts
}

/// What a text can name in an attribute. An id in another spelling names what the id names.
fn candidates(organization: OrganizationId, attribute: &str, text: &str) -> Vec<Key> {
    // An id as it is written chooses by itself.
    if text.parse::<EntitlementId>().is_ok_and(|id| id.to_string() == text) {
        return Vec::new();
    }
    let entitlement = |kind| match text.parse() {
        Ok(id) => Key::Entitlement(organization, id),
        Err(_) => Key::EntitlementName(organization, kind, casefold(text)),
    };
    let workspace = match text.parse() {
        Ok(id) => Key::Workspace(organization, id),
        Err(_) => Key::WorkspaceName(organization, casefold(text)),
    };
    match attribute {
        "roles" => vec![entitlement(EntitlementKind::Role)],
        "entitlements" => vec![entitlement(EntitlementKind::Entitlement), workspace],
        _ => vec![workspace],
    }
}

fn look_up(state: &State, keys: BTreeSet<Key>) -> Result<Found, NotLoaded> {
    Ok(look_up_all(keys, |key| named(state, key))?.into_iter().collect())
}

fn named(state: &State, key: &Key) -> Lookup<Named> {
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
        return workspace_key(organization, value);
    }
    Some(match text.parse::<EntitlementId>() {
        Ok(id) => Key::Entitlement(organization, id),
        Err(_) => Key::EntitlementName(organization, kind, casefold(text)),
    })
}

/// The key of the workspace that a value names.
fn workspace_key(organization: OrganizationId, value: &Value) -> Option<Key> {
    let text = text(value)?;
    Some(match text.parse::<WorkspaceId>() {
        Ok(id) => Key::Workspace(organization, id),
        Err(_) => Key::WorkspaceName(organization, casefold(text)),
    })
}

/// What a value says: its `value`, or, without one, its `display`.
fn text(value: &Value) -> Option<&str> {
    let part = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    part("value").or_else(|| part("display"))
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
