//! Reads a PATCH body; what can be refused without knowing the resource is refused here.

use serde_json::{Map, Value};

use super::{MAX_OPERATIONS, Op, Operation, PATCH_SCHEMA};
use crate::ScimError;
use crate::path::{AttributeTarget, Path, Target};
use crate::schema::{Mutability, ResourceType, Schema};
use crate::{lenience, validate};

/// Reads the operations of a PATCH body.
///
/// # Errors
/// 400 `invalidSyntax`, `invalidPath`, `invalidValue`, `noTarget` or `mutability`, naming the operation.
pub fn parse(resource_type: &ResourceType, body: Value) -> Result<Vec<Operation>, ScimError> {
    let Value::Object(mut body) = body else {
        return Err(ScimError::invalid_syntax("the body is not a JSON object"));
    };
    let is_patch = |urn: &Value| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(PATCH_SCHEMA));
    if !take(&mut body, "schemas").as_ref().and_then(Value::as_array).is_some_and(|schemas| schemas.iter().any(is_patch)) {
        return Err(ScimError::invalid_syntax(format!("schemas does not hold {PATCH_SCHEMA}")));
    }
    let operations = match take(&mut body, "Operations") {
        Some(operations @ (Value::Array(_) | Value::Object(_))) => lenience::list(operations),
        _ => return Err(ScimError::invalid_syntax("Operations is missing or not a list")),
    };
    if operations.is_empty() {
        return Err(ScimError::invalid_syntax("Operations is empty"));
    }
    let mut parsed = Vec::with_capacity(operations.len());
    for (index, operation) in operations.into_iter().enumerate() {
        read(resource_type, operation, &mut parsed).map_err(|error| at(index, error))?;
        if parsed.len() > MAX_OPERATIONS {
            return Err(ScimError::invalid_value(format!("Operations has more than {MAX_OPERATIONS} changes")));
        }
    }
    Ok(parsed)
}

fn at(index: usize, mut error: ScimError) -> ScimError {
    error.detail = format!("Operations[{index}]: {}", error.detail);
    error
}

fn take(object: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let key = object.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
    object.remove(&key)
}

fn read(resource_type: &ResourceType, operation: Value, parsed: &mut Vec<Operation>) -> Result<(), ScimError> {
    let Value::Object(mut operation) = operation else {
        return Err(ScimError::invalid_syntax("it is not an object"));
    };
    let op = op(take(&mut operation, "op").as_ref())?;
    let value = take(&mut operation, "value");
    match take(&mut operation, "path") {
        Some(Value::String(path)) => {
            let path: Path = path.parse()?;
            push(resource_type, op, path, value, parsed)
        }
        None | Some(Value::Null) if op == Op::Remove => Err(ScimError::no_target("remove needs a path")),
        None | Some(Value::Null) => each_member(resource_type, op, None, value, parsed),
        Some(_) => Err(ScimError::invalid_path("path is not a string")),
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

/// A value without a path, or for a whole extension: each member's name is a path of its own.
fn each_member(
    resource_type: &ResourceType,
    op: Op,
    extension: Option<&Schema>,
    value: Option<Value>,
    parsed: &mut Vec<Operation>,
) -> Result<(), ScimError> {
    let Some(Value::Object(members)) = value else {
        return Err(ScimError::invalid_value("value is missing or not an object, and there is no path to an attribute"));
    };
    for (name, value) in members {
        let name = extension.map_or(name.clone(), |schema| format!("{}:{name}", schema.id));
        // As in a whole resource, what is unknown or the server's own is ignored, and an unknown schema is refused.
        let Ok(path) = name.parse::<Path>() else { continue };
        match path.target(resource_type) {
            Ok(Target::Attribute(target)) if is_read_only(&target) => {}
            Ok(_) => push(resource_type, op, path, Some(value), parsed)?,
            Err(error) if value.is_object() && name.contains(':') => return Err(error),
            Err(_) => {}
        }
    }
    Ok(())
}

fn push(resource_type: &ResourceType, op: Op, path: Path, value: Option<Value>, parsed: &mut Vec<Operation>) -> Result<(), ScimError> {
    let (op, value) = match path.target(resource_type)? {
        Target::Extension(schema) if op != Op::Remove => return each_member(resource_type, op, Some(schema), value, parsed),
        Target::Extension(_) => (op, None),
        Target::Attribute(target) => {
            refuse_read_only(&path, &target)?;
            if target.innermost().mutability == Mutability::WriteOnly {
                return Ok(());
            }
            match (op, typed(&path, &target, value)?) {
                (Op::Add, None) => return Ok(()),
                // To replace by nothing is to remove (RFC 7643 section 2.5).
                (Op::Replace, None) => (Op::Remove, None),
                (op, value) => (op, value),
            }
        }
    };
    if op == Op::Remove && value.is_none() {
        refuse_required(resource_type, &path)?;
    }
    parsed.push(Operation { op, path, value });
    Ok(())
}

fn typed(path: &Path, target: &AttributeTarget<'_>, value: Option<Value>) -> Result<Option<Value>, ScimError> {
    let Some(value) = value else { return Ok(None) };
    let name = path.to_string();
    if target.filter.is_some() && target.sub.is_none() {
        // The values that the filter chose are each set to one value.
        return validate::single(target.attribute, lenience::lone(value), &name);
    }
    validate::value_of(target.innermost(), value, &name)
}

fn is_read_only(target: &AttributeTarget<'_>) -> bool {
    target.attribute.mutability == Mutability::ReadOnly || target.innermost().mutability == Mutability::ReadOnly
}

fn refuse_read_only(path: &Path, target: &AttributeTarget<'_>) -> Result<(), ScimError> {
    if is_read_only(target) { Err(ScimError::mutability(format!("{path} is read-only"))) } else { Ok(()) }
}

fn refuse_required(resource_type: &ResourceType, path: &Path) -> Result<(), ScimError> {
    match path.target(resource_type)? {
        Target::Attribute(target) if target.innermost().required => {
            Err(ScimError::mutability(format!("{path} is required and cannot be removed")))
        }
        _ => Ok(()),
    }
}
