//! A PATCH in the dialect. Each operation on `department` or below `permissions` becomes operations of the
//! model; all others are SCIM's own. Only what an operation gives is set, and `null` removes.

use rollcall_scim::casefold::casefold;
use rollcall_scim::given::GivenPlaces;
use rollcall_scim::patch::{Operation, PATCH_SCHEMA, Translation, parse_translated};
use rollcall_scim::path::Target;
use rollcall_scim::schema::{ENTERPRISE_SCHEMA, USER, USER_SCHEMA};
use rollcall_scim::{ScimError, lenience};
use serde_json::{Map, Value, json};

use super::keys::{after, after_permissions, local};
use super::parts::{Vocabulary, objects, permission_sets, roles};
use super::paths::TargetPath;
use super::reserved::member_for;
use super::shape::given_permissions;
use super::spelling::{SERVERS_OWN, beside_the_core, given, given_twice, inside, member, members_of};

/// Reads a PATCH of a user. As in a whole user, `schemas` may be left out.
///
/// # Errors
/// As for a PATCH in SCIM's own words; 400 `invalidValue` as for a whole user in the dialect.
pub(super) fn operations(vocabulary: Vocabulary<'_>, mut body: Value) -> Result<Vec<Operation>, ScimError> {
    if let Value::Object(body) = &mut body {
        body.retain(|name, _| !name.eq_ignore_ascii_case("schemas"));
        body.insert("schemas".to_owned(), json!([PATCH_SCHEMA]));
    }
    parse_translated(&USER, body, member_for, |operation| translated(vocabulary, operation))
}

/// Whether any operation sets the name of the user.
pub(super) fn sets_user_name(operations: &[Operation]) -> bool {
    operations.iter().any(is_on_user_name)
}

/// The operations without those that give the user the name that it has.
///
/// # Errors
/// 400 `mutability` for another name: users of this dialect keep their names in every method.
pub(super) fn without_user_name(mut operations: Vec<Operation>, user_name: &str) -> Result<Vec<Operation>, ScimError> {
    let keeps = |given: &Operation| {
        given.value.as_ref().and_then(Value::as_str).is_some_and(|given| casefold(given) == casefold(user_name))
    };
    if operations.iter().any(|operation| is_on_user_name(operation) && !keeps(operation)) {
        return Err(ScimError::mutability("userName cannot be changed"));
    }
    operations.retain(|operation| !is_on_user_name(operation));
    Ok(operations)
}

fn is_on_user_name(operation: &Operation) -> bool {
    matches!(
        operation.path.target(&USER),
        Ok(Target::Attribute(target)) if target.extension.is_none() && target.attribute.name == "userName"
    )
}

/// The operations of the model that an operation stands for.
fn translated(vocabulary: Vocabulary<'_>, mut operation: Value) -> Result<Translation, ScimError> {
    let Value::Object(members) = &mut operation else { return Ok(Translation::own(vec![operation])) };
    without_core_path(members);
    let part = |name: &str| given(members, name).unwrap_or(&Value::Null);
    let change = Change { vocabulary, op: part("op") };
    match (part("path"), part("value")) {
        (Value::String(path), _) if is_server_assigned(local(path)) => {
            Err(ScimError::mutability(format!("{path} is read-only")))
        }
        (Value::String(path), value) => match change.at(path, value)? {
            Some(translated) => Ok(Translation { translated, ..Translation::default() }),
            None => Ok(Translation::own(vec![operation])),
        },
        (Value::Null, Value::Object(members)) if !change.is("remove") => change.each_member(members),
        _ => Ok(Translation::own(vec![operation])),
    }
}

/// The URN of the core schema as a path says the same as that URN as the only key of a value without a path.
fn without_core_path(operation: &mut Map<String, Value>) {
    let removes = given(operation, "op").and_then(Value::as_str).is_some_and(|op| op.eq_ignore_ascii_case("remove"));
    let is_core =
        given(operation, "path").and_then(Value::as_str).is_some_and(|path| path.eq_ignore_ascii_case(USER_SCHEMA));
    if is_core && !removes {
        let value = given(operation, "value").cloned().unwrap_or_default();
        operation.retain(|name, _| name.eq_ignore_ascii_case("op"));
        operation.insert("value".to_owned(), json!({USER_SCHEMA: value}));
    }
}

fn is_server_assigned(name: &str) -> bool {
    SERVERS_OWN.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// An operation, its path and value apart.
struct Change<'a> {
    vocabulary: Vocabulary<'a>,
    op: &'a Value,
}

impl Change<'_> {
    fn is(&self, op: &str) -> bool {
        self.op.as_str().is_some_and(|given| given.eq_ignore_ascii_case(op))
    }

    fn operation(&self, path: impl Into<Value>, value: impl Into<Value>) -> Value {
        json!({"op": self.op, "path": path.into(), "value": value.into()})
    }

    /// A value without a path: the name of each member is a path. The attributes that the dialect shares with
    /// SCIM become one operation, without a path as well.
    fn each_member(&self, members: &Map<String, Value>) -> Result<Translation, ScimError> {
        let (mut translated, mut own, mut places) = (Vec::new(), Map::new(), GivenPlaces::default());
        for (name, value) in
            beside_the_core(members.clone()).into_iter().filter(|(name, _)| !is_server_assigned(local(name)))
        {
            attributes(local(&name), &value).iter().try_for_each(|attribute| places.add(attribute))?;
            match self.at(&name, &value)? {
                Some(operations) => translated.extend(operations),
                None if own.contains_key(&name) => return Err(given_twice(&name)),
                None => drop(own.insert(name, value)),
            }
        }
        // An operation that sets nothing must still be one.
        let is_needed = !own.is_empty() || translated.is_empty();
        let own = is_needed.then(|| json!({"op": self.op, "value": own})).into_iter().collect();
        Ok(Translation { own, translated })
    }

    /// The change at a path of the dialect; `None` for a path of SCIM's own.
    fn at(&self, path: &str, value: &Value) -> Result<Option<Vec<Value>>, ScimError> {
        let path = local(path);
        if path.eq_ignore_ascii_case("department") {
            let value = if value.is_null() { Value::Null } else { self.vocabulary.known.department(value.clone())? };
            return Ok(Some(vec![self.operation(format!("{ENTERPRISE_SCHEMA}:department"), value)]));
        }
        match after_permissions(path) {
            None => Ok(None),
            Some("") => self.permissions(value).map(Some),
            Some(rest) => self.set(&TargetPath::read(self.vocabulary, rest)?, value).map(Some),
        }
    }

    /// The parts that a value of `permissions` gives; all of them for `null`.
    fn permissions(&self, value: &Value) -> Result<Vec<Value>, ScimError> {
        let mut operations = Vec::new();
        match inside("permissions", "permissions", lenience::unwrap_single(value.clone()))? {
            Value::Null => {
                for &part in members_of("permissions") {
                    operations.extend(self.set(&TargetPath::whole(part), &Value::Null)?);
                }
            }
            value => {
                for (name, value) in given_permissions(value)? {
                    let part = member("permissions", &name).map(TargetPath::whole);
                    operations.extend(part.map(|part| self.set(&part, &value)).transpose()?.unwrap_or_default());
                }
            }
        }
        Ok(operations)
    }

    fn set(&self, target: &TargetPath, value: &Value) -> Result<Vec<Value>, ScimError> {
        if value.is_null() {
            return Ok(vec![self.operation(target.path(), Value::Null)]);
        }
        let value = inside(&target.name(), target.holder(), value.clone())?;
        match (target.holder(), target.filter.is_some()) {
            ("roles", false) if self.is("remove") => self.remove_roles(target, value),
            _ => Ok(vec![self.operation(target.path(), self.value(target, value)?)]),
        }
    }

    /// A value in the terms of the model. A value that a filter chooses may leave out the parts that the
    /// filter names.
    fn value(&self, target: &TargetPath, value: Value) -> Result<Value, ScimError> {
        match (target.holder(), target.filter.is_some()) {
            ("companyPermissions", _) => self.vocabulary.known.company_permissions(value),
            ("appGroupPermissions", _) => self.vocabulary.known.app_group_permissions(value),
            ("appGroupPermissionSets", _) => permission_sets(value),
            ("team", _) => self.vocabulary.teams(value),
            ("appGroup", false) => self.vocabulary.workspaces(value),
            ("appGroup", true) => {
                self.vocabulary.workspace(chosen("permissions.appGroup", value)?, target.compared_value("value"))
            }
            ("roles", false) => roles(value),
            ("roles", true) => {
                let parts = chosen("permissions.roles", value)?.into_iter();
                Ok(parts.filter_map(|(name, part)| Some((member("roles", &name)?.1.to_owned(), part))).collect())
            }
            _ => Ok(value),
        }
    }

    /// Each role by its id, or by its name if that is all that is given.
    fn remove_roles(&self, target: &TargetPath, listed: Value) -> Result<Vec<Value>, ScimError> {
        let remove = |role: &Map<String, Value>| {
            let by =
                ["roleId", "roleName"].into_iter().find_map(|name| Some((member("roles", name)?.1, role.get(name)?)));
            let (by, value) =
                by.ok_or_else(|| ScimError::invalid_value("permissions.roles has neither roleId nor roleName"))?;
            match value {
                Value::String(_) => Ok(self.operation(target.with(by, value).path(), Value::Null)),
                _ => Err(ScimError::invalid_value("permissions.roles is not a list of roles with texts")),
            }
        };
        objects("permissions.roles", listed)?.iter().map(remove).collect()
    }
}

/// The attributes of the dialect that a member of a value without a path gives, to see that none is given
/// twice.
fn attributes(name: &str, value: &Value) -> Vec<String> {
    match (value, after("roles", name)) {
        // The roles of SCIM are those of the dialect.
        (_, Some(rest)) => vec![format!("permissions.roles{rest}")],
        (Value::Object(parts), _) if name.eq_ignore_ascii_case("permissions") => {
            parts.keys().map(|part| format!("permissions.{part}")).collect()
        }
        _ if name.eq_ignore_ascii_case("department") || after_permissions(name).is_some() => vec![name.to_owned()],
        _ => Vec::new(),
    }
}

/// The one value that a filter chooses.
fn chosen(path: &str, value: Value) -> Result<Map<String, Value>, ScimError> {
    match lenience::unwrap_single(value) {
        Value::Object(object) => Ok(object),
        _ => Err(ScimError::invalid_value(format!("{path} is not an object"))),
    }
}
