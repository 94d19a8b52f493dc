//! Reads a PATCH body. Everything that can be refused without the resource is refused here.

use serde_json::{Map, Value};

use super::target::{is_empty_list, push_one, push_removal, remove_listed, set};
use super::{Op, Operation, PATCH_SCHEMA};
use crate::ScimError;
use crate::path::{Path, Target};
use crate::reserved::{Reserved, check_path, nothing};
use crate::schema::{Mutability, ResourceType, Schema};
use crate::unfold::is_read_only;
use crate::{lenience, unfold};

/// Reads the operations of a PATCH body.
///
/// # Errors
/// 400 `invalidSyntax`, `invalidPath`, `invalidValue`, `noTarget` or `mutability` that names the operation.
pub fn parse(resource_type: &ResourceType, body: Value) -> Result<Vec<Operation>, ScimError> {
    parse_translated(resource_type, body, nothing, |operation| Ok(Translation::own(vec![operation])))
}

/// An operation as a dialect reads it.
#[derive(Debug, Default)]
pub struct Translation {
    /// The operations in the words of the schemas. They come first: `null` for a whole extension does not
    /// remove the dialect's part of it.
    pub own: Vec<Value>,
    /// The translated operations in the words of the dialect.
    pub translated: Vec<Value>,
}

impl Translation {
    /// Operations in the words of the schemas only.
    pub fn own(own: Vec<Value>) -> Self {
        Self { own, translated: Vec::new() }
    }
}

/// Translates each operation of a PATCH body from a dialect into the words of the schemas, and reads it. The
/// caller's own words must not name an attribute that the dialect reserves.
///
/// # Errors
/// As [`parse`], and the errors of the translation. An error names the operation of the body.
pub fn parse_translated(
    resource_type: &ResourceType,
    body: Value,
    reserved: Reserved,
    translate: impl Fn(Value) -> Result<Translation, ScimError>,
) -> Result<Vec<Operation>, ScimError> {
    let operations = operations(body)?;
    let mut parsed = Vec::with_capacity(operations.len());
    for (index, operation) in operations.into_iter().enumerate() {
        let read = || {
            let Translation { own, translated } = translate(operation)?;
            let mut of_caller = Reader { resource_type, reserved, parsed: &mut parsed };
            own.into_iter().try_for_each(|operation| of_caller.read(operation))?;
            let mut of_dialect = Reader { resource_type, reserved: nothing, parsed: &mut parsed };
            translated.into_iter().try_for_each(|operation| of_dialect.read(operation))
        };
        read().map_err(|error| error.within(&format!("Operations[{index}]")))?;
    }
    Ok(parsed)
}

/// The operations of a body. An empty list changes nothing. In bulk requests, some clients send the list
/// alone.
fn operations(body: Value) -> Result<Vec<Value>, ScimError> {
    let mut body = match body {
        Value::Array(operations) => return Ok(operations),
        Value::Object(body) => body,
        _ => return Err(ScimError::invalid_syntax("the body is not a JSON object")),
    };
    let is_patch = |urn: &Value| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(PATCH_SCHEMA));
    if !take(&mut body, "schemas").map(lenience::list).unwrap_or_default().iter().any(is_patch) {
        return Err(ScimError::invalid_syntax(format!("schemas does not hold {PATCH_SCHEMA}")));
    }
    match take(&mut body, "Operations") {
        Some(operations @ (Value::Array(_) | Value::Object(_))) => Ok(lenience::list(operations)),
        _ => Err(ScimError::invalid_syntax("Operations is missing or not a list")),
    }
}

fn take(object: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let key = object.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
    object.remove(&key)
}

/// Reads operations in the words of the schemas.
struct Reader<'a> {
    resource_type: &'a ResourceType,
    reserved: Reserved,
    parsed: &'a mut Vec<Operation>,
}

impl Reader<'_> {
    fn read(&mut self, operation: Value) -> Result<(), ScimError> {
        let Value::Object(mut operation) = operation else {
            return Err(ScimError::invalid_syntax("it is not an object"));
        };
        let op = op(take(&mut operation, "op").as_ref())?;
        let value = take(&mut operation, "value");
        match take(&mut operation, "path") {
            Some(Value::String(path)) if path.eq_ignore_ascii_case(&self.resource_type.core.id) => self.core(op, value),
            Some(Value::String(path)) => self.push(op, path.parse::<Path>()?.fit(self.resource_type), value),
            None | Some(Value::Null) if op == Op::Remove => Err(ScimError::no_target("remove needs a path")),
            None | Some(Value::Null) => self.whole(op, value),
            Some(_) => Err(ScimError::invalid_path("path is not a string")),
        }
    }

    /// A value without a path: the name of each member is a path. Unknown and read-only members are ignored,
    /// as in a whole resource.
    fn whole(&mut self, op: Op, value: Option<Value>) -> Result<(), ScimError> {
        let Some(Value::Object(members)) = value else {
            return Err(ScimError::invalid_value(
                "value is missing or not an object, and there is no path to an attribute",
            ));
        };
        self.members(op, None, members).map(|_| ())
    }

    /// The URN of the core schema as a path: its attributes are the members.
    fn core(&mut self, op: Op, value: Option<Value>) -> Result<(), ScimError> {
        let core = self.resource_type.core;
        match value {
            _ if op == Op::Remove => Err(ScimError::no_target("remove needs a path to an attribute")),
            Some(Value::Object(members)) => self.attributes(op, core, None, members),
            _ => Err(ScimError::invalid_value(format!("{} is not an object", core.id))),
        }
    }

    /// The attributes of a schema, of which at least one must be known.
    fn attributes(
        &mut self,
        op: Op,
        schema: &Schema,
        within: Option<&'static Schema>,
        members: Map<String, Value>,
    ) -> Result<(), ScimError> {
        if self.members(op, within, members)? { Ok(()) } else { Err(unfold::unreadable_extension(schema)) }
    }

    /// Reads the members of an object that stands for a resource, or for its part `within` an extension.
    /// Returns whether any of them is known.
    fn members(
        &mut self,
        op: Op,
        within: Option<&'static Schema>,
        members: Map<String, Value>,
    ) -> Result<bool, ScimError> {
        let unfolded = unfold::members(self.resource_type, self.reserved, within, members)?;
        for (name, value) in unfolded.attributes {
            match (self.resource_type.extension(&name), value) {
                (Some(schema), Value::Object(attributes)) => {
                    let mut attributes = attributes.into_iter();
                    attributes.try_for_each(|(name, value)| {
                        self.push(op, format!("{}:{name}", schema.id).parse()?, Some(value))
                    })?;
                }
                (_, value) => self.push(op, name.parse()?, Some(value))?,
            }
        }
        unfolded.chosen.into_iter().try_for_each(|(path, value)| self.push(op, path, Some(value)))?;
        Ok(unfolded.is_known)
    }

    fn push(&mut self, op: Op, path: Path, value: Option<Value>) -> Result<(), ScimError> {
        // `null` is no value (RFC 7643 section 2.5).
        let value = value.filter(|value| !value.is_null());
        let target = path.target(self.resource_type)?;
        check_path(self.reserved, &target, &path.to_string())?;
        match target {
            Target::Extension(schema) => self.extension(op, schema, path, value),
            Target::Attribute(target) if is_read_only(&target) => {
                Err(ScimError::mutability(format!("{path} is read-only")))
            }
            Target::Attribute(target) if target.innermost().mutability == Mutability::WriteOnly => Ok(()),
            Target::Attribute(target) => match (op, value) {
                // There is nothing to add.
                (Op::Add, None) => Ok(()),
                // Replacing by no value removes the value (RFC 7643 section 2.5).
                (Op::Remove | Op::Replace, None) => push_removal(&target, path.clone(), self.parsed),
                (Op::Remove, Some(value)) => remove_listed(&target, &path, value, self.parsed),
                (op, Some(value)) => set(&target, op, &path, value, self.parsed),
            },
        }
    }

    /// A whole extension. The members of its value are paths in every operation.
    fn extension(
        &mut self,
        op: Op,
        schema: &'static Schema,
        path: Path,
        value: Option<Value>,
    ) -> Result<(), ScimError> {
        match (op, value) {
            (Op::Add, None) => Ok(()),
            (Op::Remove | Op::Replace, None) => push_one(Operation { op: Op::Remove, path, value: None }, self.parsed),
            (Op::Remove, Some(value)) if is_empty_list(&value) => Ok(()),
            (op, Some(Value::Object(members))) => self.attributes(op, schema, Some(schema), members),
            _ => Err(ScimError::invalid_value(format!("{path} is not an object"))),
        }
    }
}

fn op(op: Option<&Value>) -> Result<Op, ScimError> {
    let name = op.and_then(Value::as_str).map(str::to_ascii_lowercase);
    match name.as_deref() {
        Some("add") => Ok(Op::Add),
        Some("remove") => Ok(Op::Remove),
        Some("replace") => Ok(Op::Replace),
        _ => Err(ScimError::invalid_syntax("op is not add, remove or replace")),
    }
}
