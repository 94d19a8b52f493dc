//! A PATCH in the dialect. Each operation on `department` or below `permissions` becomes operations of the model; all others are SCIM's own.
//! Only what an operation gives is set, and `null` removes.

use rollcall_scim::fold::fold;
use rollcall_scim::patch::{Operation, PATCH_SCHEMA, parse_translated};
use rollcall_scim::path::Target;
use rollcall_scim::schema::{ENTERPRISE_SCHEMA, USER};
use rollcall_scim::{ScimError, lenience};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

use super::parts::{Words, objects, permission_sets, roles};
use super::paths::{Place, after_permissions, local};
use super::spelling::{SERVERS_OWN, inside, member, members_of};

/// Reads a PATCH of a user. As in a whole user, `schemas` may be left out.
///
/// # Errors
/// As for a PATCH in SCIM's own words; 400 `invalidValue` as for a whole user in the dialect.
pub(super) fn operations(words: Words<'_>, mut body: Value) -> Result<Vec<Operation>, ScimError> {
    if let Value::Object(body) = &mut body {
        body.retain(|name, _| !name.eq_ignore_ascii_case("schemas"));
        body.insert("schemas".to_owned(), json!([PATCH_SCHEMA]));
    }
    parse_translated(&USER, body, |operation| translated(words, operation))
}

/// Whether any operation sets the name of the user.
pub(super) fn name_the_user(operations: &[Operation]) -> bool {
    operations.iter().any(is_on_user_name)
}

/// The operations without those that give the user the name that it has.
///
/// # Errors
/// 400 `mutability` for another name: a user of this dialect keeps its name, whatever the method.
pub(super) fn keeping_the_name(mut operations: Vec<Operation>, user_name: &str) -> Result<Vec<Operation>, ScimError> {
    let keeps = |given: &Operation| given.value.as_ref().and_then(Value::as_str).is_some_and(|given| fold(given) == fold(user_name));
    if operations.iter().any(|operation| is_on_user_name(operation) && !keeps(operation)) {
        return Err(ScimError::mutability("userName cannot be changed"));
    }
    operations.retain(|operation| !is_on_user_name(operation));
    Ok(operations)
}

fn is_on_user_name(operation: &Operation) -> bool {
    matches!(operation.path.target(&USER), Ok(Target::Attribute(target)) if target.extension.is_none() && target.attribute.name == "userName")
}

/// What an operation is in the model.
fn translated(words: Words<'_>, operation: Value) -> Result<Vec<Value>, ScimError> {
    let null = &Value::Null;
    let given = |name: &str| operation.as_object()?.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let change = Change { words, op: given("op").unwrap_or(null) };
    let translated = match (given("path").unwrap_or(null), given("value").unwrap_or(null)) {
        (Value::String(path), _) if is_servers_own(local(path)) => return Err(ScimError::mutability(format!("{path} is read-only"))),
        (Value::String(path), value) => change.at(path, value)?,
        (Value::Null, Value::Object(members)) if !change.is("remove") => Some(change.each_member(members)?),
        _ => None,
    };
    Ok(translated.unwrap_or_else(|| vec![operation]))
}

fn is_servers_own(name: &str) -> bool {
    SERVERS_OWN.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// An operation, its path and value apart.
struct Change<'a> {
    words: Words<'a>,
    op: &'a Value,
}

impl Change<'_> {
    fn is(&self, op: &str) -> bool {
        self.op.as_str().is_some_and(|given| given.eq_ignore_ascii_case(op))
    }

    fn operation(&self, path: impl Into<Value>, value: impl Into<Value>) -> Value {
        json!({"op": self.op, "path": path.into(), "value": value.into()})
    }

    /// A value without a path: each member's name is a path. Those of SCIM's own stay together.
    fn each_member(&self, members: &Map<String, Value>) -> Result<Vec<Value>, ScimError> {
        let (mut operations, mut own, mut given) = (Vec::new(), Map::new(), BTreeSet::new());
        for (name, value) in members.iter().filter(|(name, _)| !is_servers_own(local(name))) {
            match self.at(name, value)? {
                Some(translated) => {
                    let twice = attributes(local(name), value).into_iter().find(|attribute| !given.insert(attribute.clone()));
                    if let Some(twice) = twice {
                        return Err(ScimError::invalid_syntax(format!("{twice} is given twice in different spellings")));
                    }
                    operations.extend(translated);
                }
                None => drop(own.insert(name.clone(), value.clone())),
            }
        }
        // An operation that sets nothing must still be one.
        if !own.is_empty() || operations.is_empty() {
            operations.push(json!({"op": self.op, "value": own}));
        }
        Ok(operations)
    }

    /// The change of what a path of the dialect leads to; `None` for a path of SCIM's own.
    fn at(&self, path: &str, value: &Value) -> Result<Option<Vec<Value>>, ScimError> {
        let path = local(path);
        if path.eq_ignore_ascii_case("department") {
            let value = if value.is_null() { Value::Null } else { self.words.known.department(value.clone())? };
            return Ok(Some(vec![self.operation(format!("{ENTERPRISE_SCHEMA}:department"), value)]));
        }
        match after_permissions(path) {
            None => Ok(None),
            Some("") => self.permissions(value).map(Some),
            Some(rest) => self.set(&Place::read(self.words, &rest[1..])?, value).map(Some),
        }
    }

    /// The parts that a value of `permissions` gives; all of them for `null`.
    fn permissions(&self, value: &Value) -> Result<Vec<Value>, ScimError> {
        let none = || super::shape::no_permissions();
        let parts = match inside("permissions", "permissions", lenience::lone(value.clone()))? {
            Value::Null => members_of("permissions").iter().map(|(part, _)| ((*part).to_owned(), Value::Null)).collect(),
            Value::Object(parts) if !parts.is_empty() => parts,
            _ => return Err(none()),
        };
        let mut operations = Vec::new();
        for (part, value) in &parts {
            operations.extend(self.set(&Place::whole(member("permissions", part).ok_or_else(none)?), value)?);
        }
        Ok(operations)
    }

    fn set(&self, place: &Place, value: &Value) -> Result<Vec<Value>, ScimError> {
        if value.is_null() {
            return Ok(vec![self.operation(place.path(), Value::Null)]);
        }
        let value = inside(&place.name(), place.holder(), value.clone())?;
        match (place.holder(), place.filter.is_some()) {
            ("appGroup", false) if self.is("add") => self.add_workspaces(place, value),
            ("roles", false) if self.is("remove") => self.remove_roles(place, value),
            _ => Ok(vec![self.operation(place.path(), self.value(place, value)?)]),
        }
    }

    /// A value in the terms of the model; one value that a filter chooses may leave out what the filter says.
    fn value(&self, place: &Place, value: Value) -> Result<Value, ScimError> {
        match (place.holder(), place.filter.is_some()) {
            ("companyPermissions", _) => self.words.known.company_permissions(value),
            ("appGroupPermissions", _) => self.words.known.app_group_permissions(value),
            ("appGroupPermissionSets", _) => permission_sets(value),
            ("team", _) => self.words.teams(value),
            ("appGroup", false) => self.words.workspaces(value),
            ("appGroup", true) => self.words.workspace(chosen("permissions.appGroup", value)?, place.said("value")),
            ("roles", false) => roles(value),
            ("roles", true) => {
                let parts = chosen("permissions.roles", value)?.into_iter();
                Ok(parts.filter_map(|(name, part)| Some((member("roles", &name)?.1.to_owned(), part))).collect())
            }
            _ => Ok(value),
        }
    }

    /// Each workspace by itself: a user who is in it already keeps the parts that are not given.
    fn add_workspaces(&self, place: &Place, groups: Value) -> Result<Vec<Value>, ScimError> {
        let add = |group| {
            let workspace = self.words.workspace(group, None)?;
            let id =
                workspace["value"].as_str().ok_or_else(|| ScimError::invalid_value("permissions.appGroup.appGroupId is not a text"))?;
            Ok(self.operation(place.with("value", &json!(id)).path(), workspace))
        };
        objects("permissions.appGroup", groups)?.into_iter().map(add).collect()
    }

    /// Each role by its id, or by its name if that is all that is given.
    fn remove_roles(&self, place: &Place, listed: Value) -> Result<Vec<Value>, ScimError> {
        let remove = |role: &Map<String, Value>| {
            let by = ["roleId", "roleName"].into_iter().find_map(|name| Some((member("roles", name)?.1, role.get(name)?)));
            let (by, value) = by.ok_or_else(|| ScimError::invalid_value("permissions.roles has neither roleId nor roleName"))?;
            match value {
                Value::String(_) => Ok(self.operation(place.with(by, value).path(), Value::Null)),
                _ => Err(ScimError::invalid_value("permissions.roles is not a list of roles with texts")),
            }
        };
        objects("permissions.roles", listed)?.iter().map(remove).collect()
    }
}

/// The attributes that a member of a value without a path gives, to see that none is given twice.
fn attributes(name: &str, value: &Value) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    match value {
        Value::Object(parts) if name == "permissions" => parts.keys().map(|part| format!("{name}.{}", part.to_ascii_lowercase())).collect(),
        _ => vec![name],
    }
}

/// The one value that a filter chooses.
fn chosen(path: &str, value: Value) -> Result<Map<String, Value>, ScimError> {
    match lenience::lone(value) {
        Value::Object(object) => Ok(object),
        _ => Err(ScimError::invalid_value(format!("{path} is not an object"))),
    }
}
