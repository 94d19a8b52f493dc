//! Replaces names by ids in PATCH operations on roles, entitlements and workspaces, before the operations are
//! applied.
//!
//! Operations are applied in sequence (RFC 7644 section 3.5.2). A later operation must find the values that
//! an earlier one wrote, so both must use ids.

use rollcall_events::OrganizationId;
use rollcall_events::membership::is_workspace;
use rollcall_events::request::EntitlementKind;
use rollcall_scim::ScimError;
use rollcall_scim::casefold::casefold;
use rollcall_scim::filter::{Comparison, Filter};
use rollcall_scim::patch::{Op, Operation};
use rollcall_scim::path::{Path, Target, TextTerm};
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::{ROLLCALL_SCHEMA, USER};
use serde_json::{Value, json};
use std::collections::BTreeSet;

use super::assign::{Before, Found, assign, assign_workspace, is_name, look_up};
use crate::pipeline::state::{Key, NotLoaded, State, assigned_key, list, workspace_key};

/// An attribute whose values can be given by name. `None` is the extension's `workspaces`.
type AssignedAttribute = Option<EntitlementKind>;

/// The names in the operations of one request, looked up.
pub(super) struct Names<'a> {
    organization: OrganizationId,
    before: Before<'a>,
    found: Found,
}

impl<'a> Names<'a> {
    /// Looks up the names in operations on the user `before`.
    ///
    /// # Errors
    /// If keys are not loaded; the error contains them.
    pub(super) fn look_up(
        state: &State,
        organization: OrganizationId,
        before: &'a Attributes,
        operations: &[Operation],
    ) -> Result<Self, NotLoaded> {
        let asked: BTreeSet<Key> = operations.iter().flat_map(|operation| keys(organization, operation)).collect();
        let found = look_up(state, asked.clone())?;
        let asked = asked.into_iter().filter(is_name).collect();
        Ok(Self { organization, before: Before { resource: before, asked }, found })
    }

    /// The user before the change, and the names in the operations.
    pub(super) fn before(&self) -> &Before<'a> {
        &self.before
    }

    /// Returns the operations with ids instead of names.
    ///
    /// # Errors
    /// 400 `invalidValue` for a workspace that the organization does not have. 400 `invalidFilter` for a
    /// comparison that names do not support.
    pub(super) fn translate(&self, operations: &[Operation]) -> Result<Vec<Operation>, ScimError> {
        let mut translated = Vec::with_capacity(operations.len());
        for operation in operations {
            match assigned(operation) {
                Some((assigned, sub)) => translated.extend(self.operation(operation, assigned, sub)?),
                None => translated.push(operation.clone()),
            }
        }
        Ok(translated)
    }

    fn operation(
        &self,
        operation: &Operation,
        assigned: AssignedAttribute,
        sub: Option<&str>,
    ) -> Result<Vec<Operation>, ScimError> {
        let of_type = operation.path.compared_value("type");
        let path = self.path(&operation.path, assigned)?;
        let (path, value) = match (operation.op, sub, &operation.value) {
            // A role, entitlement or membership without `value` is meaningless, so remove all of it.
            (Op::Remove, Some("value"), None) => (path.whole(), None),
            (Op::Remove, None, Some(Value::Array(listed))) => (path, Some(self.listed(listed, assigned))),
            (Op::Add | Op::Replace, Some("value"), Some(text)) => {
                let value = self.value(&json!({"value": text}), assigned, of_type)?["value"].take();
                // The stored name belongs to the old value, so remove it.
                let renamed = assigned.map(|kind| without_name(kind, &value)).transpose()?;
                return Ok(Some(Operation { op: operation.op, path, value: Some(value) })
                    .into_iter()
                    .chain(renamed)
                    .collect());
            }
            (Op::Add | Op::Replace, None, Some(Value::Array(values))) => {
                (path, Some(values.iter().map(|value| self.value(value, assigned, None)).collect::<Result<_, _>>()?))
            }
            // With a filter in the path, an operation value without `value` changes the selected element.
            (Op::Add | Op::Replace, None, Some(value)) if value.get("value").is_some() => {
                (path, Some(self.value(value, assigned, of_type)?))
            }
            (_, _, value) => (path, value.clone()),
        };
        Ok(vec![Operation { op: operation.op, path, value }])
    }

    /// Replaces the name in a value by its id. `of_type` is the type if the value has none.
    fn value(&self, value: &Value, assigned: AssignedAttribute, of_type: Option<&str>) -> Result<Value, ScimError> {
        let Some(key) = value_key(self.organization, assigned, value, of_type) else { return Ok(value.clone()) };
        let mut value = value.clone();
        match assigned {
            Some(kind) => assign(&mut value, kind, Some(&key), &self.found)?,
            None => assign_workspace(&mut value, Some(&key), &self.found)?,
        }
        Ok(value)
    }

    /// The values to remove, both as given and as ids.
    fn listed(&self, listed: &[Value], assigned: AssignedAttribute) -> Value {
        let by_id = listed
            .iter()
            .filter_map(|value| self.ids(&alternatives(self.organization, assigned, value), assigned).next());
        listed.iter().cloned().chain(by_id.map(|id| json!({"value": id}))).collect()
    }

    fn path(&self, path: &Path, assigned: AssignedAttribute) -> Result<Path, ScimError> {
        let is_unanswered =
            |term: &TextTerm<'_>| assigned.is_none() && term.is_about("display") && !compares_whole(term);
        if let Some(term) = path.text_terms().into_iter().find(is_unanswered) {
            let detail =
                format!("{path}: the name of a workspace cannot be compared by {}, only by eq and ne", term.operator);
            return Err(ScimError::invalid_filter(detail));
        }
        let of_type = path.compared_value("type");
        Ok(path.clone().rewritten(&|term| self.term(term, assigned, of_type)))
    }

    /// Replaces a comparison with a name by comparisons with ids. The text itself is compared as well if the
    /// user has it as plain text, because the name may have been defined later.
    fn term(&self, term: &TextTerm<'_>, assigned: AssignedAttribute, of_type: Option<&str>) -> Option<Filter> {
        let can_be_name =
            |term: &TextTerm<'_>| term.is_about("value") || (assigned.is_none() && term.is_about("display"));
        if !can_be_name(term) || !compares_whole(term) {
            return None;
        }
        let named = alternatives(self.organization, assigned, &json!({"value": term.text, "type": of_type}));
        let ids: Vec<_> = self.ids(&named, assigned).collect();
        let text = (!ids.is_empty() && self.has_text(assigned, term.text)).then_some(term.text);
        let join = |one, other| match term.operator {
            Comparison::Ne => Filter::And(Box::new(one), Box::new(other)),
            _ => Filter::Or(Box::new(one), Box::new(other)),
        };
        ids.into_iter().chain(text).map(|text| term.of_value(text)).reduce(join)
    }

    fn ids(&self, keys: &[Key], assigned: AssignedAttribute) -> impl Iterator<Item = &str> {
        let named = keys.iter().filter_map(|key| self.found.get(key)?.as_ref());
        named.filter(move |named| named.kind.is_none() || named.kind == assigned).map(|named| named.id.as_str())
    }

    /// Whether the user has a value as plain text.
    fn has_text(&self, assigned: AssignedAttribute, text: &str) -> bool {
        let held = assigned.map_or(&[][..], |kind| list(self.before.resource, kind.attribute()));
        held.iter().filter_map(|value| value["value"].as_str()).any(|held| casefold(held) == casefold(text))
    }
}

/// The attribute of an operation and its sub-attribute, if the values can be given by name.
fn assigned(operation: &Operation) -> Option<(AssignedAttribute, Option<&'static str>)> {
    let Ok(Target::Attribute(target)) = operation.path.target(&USER) else { return None };
    let assigned = match target.extension {
        None => Some(EntitlementKind::ALL.into_iter().find(|kind| kind.attribute() == target.attribute.name)?),
        Some(schema) if schema.id == ROLLCALL_SCHEMA && target.attribute.name == "workspaces" => None,
        Some(_) => return None,
    };
    Some((assigned, target.sub.map(|sub| sub.name.as_str())))
}

/// The keys to look up for an operation.
fn keys(organization: OrganizationId, operation: &Operation) -> Vec<Key> {
    let Some((assigned, sub)) = assigned(operation) else { return Vec::new() };
    let of_type = operation.path.compared_value("type");
    let compared =
        operation.path.text_terms().into_iter().filter(|term| term.is_about("value") || term.is_about("display"));
    let mut keys: Vec<_> = compared
        .flat_map(|term| alternatives(organization, assigned, &json!({"value": term.text, "type": of_type})))
        .collect();
    let key = |value: &Value| value_key(organization, assigned, value, of_type);
    match (operation.op, sub, &operation.value) {
        (Op::Remove, None, Some(Value::Array(listed))) => {
            keys.extend(listed.iter().flat_map(|value| alternatives(organization, assigned, value)));
        }
        (Op::Add | Op::Replace, Some("value"), Some(text)) => keys.extend(key(&json!({"value": text}))),
        (Op::Add | Op::Replace, None, Some(Value::Array(values))) => keys.extend(values.iter().filter_map(key)),
        (Op::Add | Op::Replace, None, Some(value)) if value.get("value").is_some() => keys.extend(key(value)),
        _ => {}
    }
    keys
}

/// The key of a value.
fn value_key(
    organization: OrganizationId,
    assigned: AssignedAttribute,
    value: &Value,
    of_type: Option<&str>,
) -> Option<Key> {
    let Some(kind) = assigned else { return workspace_key(organization, value) };
    match (value.get("type"), of_type) {
        (None, Some(of_type)) if value.is_object() => {
            let mut value = value.clone();
            value["type"] = Value::from(of_type);
            assigned_key(organization, kind, &value)
        }
        _ => assigned_key(organization, kind, value),
    }
}

/// The keys that a text can mean in a filter or a removal, the most likely first. An entitlement without a
/// type can be a workspace. Ids need no look-up.
fn alternatives(organization: OrganizationId, assigned: AssignedAttribute, value: &Value) -> Vec<Key> {
    let own = value_key(organization, assigned, value, None);
    let can_be_workspace =
        assigned == Some(EntitlementKind::Entitlement) && !is_workspace(value) && value["type"].is_null();
    let workspace = can_be_workspace.then(|| workspace_key(organization, value)).flatten();
    let is_id = |key: &Key| match key {
        Key::Entitlement(_, id) => value["value"] == id.to_string(),
        Key::Workspace(_, id) => value["value"] == id.to_string(),
        _ => false,
    };
    own.into_iter().chain(workspace).filter(|key| !is_id(key)).collect()
}

/// Whether a comparison is about the whole text.
fn compares_whole(term: &TextTerm<'_>) -> bool {
    matches!(term.operator, Comparison::Eq | Comparison::Ne)
}

/// Removes the `display` of a value.
fn without_name(kind: EntitlementKind, value: &Value) -> Result<Operation, ScimError> {
    let path = format!("{}[value eq {value}].display", kind.attribute()).parse()?;
    Ok(Operation { op: Op::Remove, path, value: None })
}
