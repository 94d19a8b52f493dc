//! Reads a PATCH body; what can be refused without knowing the resource is refused here.

use serde_json::{Map, Value};

use super::values::template;
use super::{MAX_OPERATIONS, Op, Operation, PATCH_SCHEMA};
use crate::ScimError;
use crate::path::{AttributeTarget, Path, Target};
use crate::schema::{Attribute, Mutability, ResourceType, Schema};
use crate::{lenience, validate};

/// Reads the operations of a PATCH body.
///
/// # Errors
/// 400 `invalidSyntax`, `invalidPath`, `invalidValue`, `noTarget` or `mutability`, naming the operation.
pub fn parse(resource_type: &ResourceType, body: Value) -> Result<Vec<Operation>, ScimError> {
    parse_translated(resource_type, body, |operation| Ok(vec![operation]))
}

/// Reads the operations of a PATCH body after each was translated into the words of the schemas, as a dialect needs it.
///
/// # Errors
/// As [`parse`], and those of the translation. An error names the operation of the body.
pub fn parse_translated(
    resource_type: &ResourceType,
    body: Value,
    translate: impl Fn(Value) -> Result<Vec<Value>, ScimError>,
) -> Result<Vec<Operation>, ScimError> {
    let operations = operations(body)?;
    let mut parsed = Vec::with_capacity(operations.len());
    for (index, operation) in operations.into_iter().enumerate() {
        let mut translated = translate(operation).map_err(|error| error.within(&format!("Operations[{index}]")))?.into_iter();
        translated
            .try_for_each(|operation| read(resource_type, operation, &mut parsed))
            .map_err(|error| error.within(&format!("Operations[{index}]")))?;
    }
    Ok(parsed)
}

/// The operations of a body; none at all change nothing. In bulk requests, some clients send the list alone.
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

fn read(resource_type: &ResourceType, operation: Value, parsed: &mut Vec<Operation>) -> Result<(), ScimError> {
    let Value::Object(mut operation) = operation else {
        return Err(ScimError::invalid_syntax("it is not an object"));
    };
    let op = op(take(&mut operation, "op").as_ref())?;
    let value = take(&mut operation, "value");
    match take(&mut operation, "path") {
        Some(Value::String(path)) if path.eq_ignore_ascii_case(&resource_type.core.id) => {
            core(resource_type, op, value, parsed).map(|_| ())
        }
        Some(Value::String(path)) => {
            let path = path.parse::<Path>()?.fit(resource_type);
            push(resource_type, op, path, value, parsed)
        }
        None | Some(Value::Null) if op == Op::Remove => Err(ScimError::no_target("remove needs a path")),
        None | Some(Value::Null) => each_member(resource_type, op, value, parsed),
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

/// A value without a path: each member's name is a path of its own.
fn each_member(resource_type: &ResourceType, op: Op, value: Option<Value>, parsed: &mut Vec<Operation>) -> Result<(), ScimError> {
    let Some(Value::Object(members)) = value else {
        return Err(ScimError::invalid_value("value is missing or not an object, and there is no path to an attribute"));
    };
    for (name, value) in members {
        member(resource_type, op, &name, value, parsed)?;
    }
    Ok(())
}

/// The URN of the core schema as a path or as a key: its attributes are the members.
fn core(resource_type: &ResourceType, op: Op, value: Option<Value>, parsed: &mut Vec<Operation>) -> Result<bool, ScimError> {
    match value {
        _ if op == Op::Remove => Err(ScimError::no_target("remove needs a path to an attribute")),
        Some(Value::Object(members)) => {
            let mut is_readable = false;
            for (name, value) in members {
                is_readable |= member(resource_type, op, &name, value, parsed)?;
            }
            if is_readable { Ok(true) } else { Err(validate::unreadable_extension(resource_type.core)) }
        }
        _ => Err(ScimError::invalid_value(format!("{} is not an object", resource_type.core.id))),
    }
}

/// One member of such a value; answers whether its name is known. As in a whole resource, what is unknown or the server's own is ignored, and
/// an unknown schema is refused.
fn member(resource_type: &ResourceType, op: Op, name: &str, value: Value, parsed: &mut Vec<Operation>) -> Result<bool, ScimError> {
    if name.eq_ignore_ascii_case(&resource_type.core.id) {
        return core(resource_type, op, Some(value), parsed);
    }
    let Ok(path) = name.parse::<Path>().map(|path| path.fit(resource_type)) else { return Ok(false) };
    match path.target(resource_type) {
        Ok(Target::Attribute(target)) if is_read_only(&target) => Ok(true),
        Ok(_) => push(resource_type, op, path, Some(value), parsed).map(|()| true),
        Err(error) if value.is_object() && name.contains(':') => Err(error),
        Err(_) => Ok(false),
    }
}

fn push(resource_type: &ResourceType, op: Op, path: Path, value: Option<Value>, parsed: &mut Vec<Operation>) -> Result<(), ScimError> {
    // `null` is no value (RFC 7643 section 2.5).
    let value = value.filter(|value| !value.is_null());
    match path.target(resource_type)? {
        Target::Extension(schema) => push_extension(resource_type, op, schema, path, value, parsed),
        Target::Attribute(target) => {
            refuse_read_only(&path, &target)?;
            if target.innermost().mutability == Mutability::WriteOnly {
                return Ok(());
            }
            match (op, value) {
                // Nothing to add.
                (Op::Add, None) => Ok(()),
                // To replace by nothing is to remove (RFC 7643 section 2.5).
                (Op::Remove | Op::Replace, None) => push_removal(&target, path.clone(), parsed),
                (Op::Remove, Some(value)) => remove_listed(&target, &path, value, parsed),
                (op, Some(value)) => set(&target, op, &path, value, parsed),
            }
        }
    }
}

/// A whole extension. The members of its value are paths of their own, whatever the operation.
fn push_extension(
    resource_type: &ResourceType,
    op: Op,
    schema: &Schema,
    path: Path,
    value: Option<Value>,
    parsed: &mut Vec<Operation>,
) -> Result<(), ScimError> {
    match (op, value) {
        (Op::Add, None) => Ok(()),
        (Op::Remove | Op::Replace, None) => push_one(Operation { op: Op::Remove, path, value: None }, parsed),
        (Op::Remove, Some(value)) if is_empty_list(&value) => Ok(()),
        (op, Some(Value::Object(members))) => {
            let mut is_readable = false;
            for (name, value) in members {
                is_readable |= member(resource_type, op, &format!("{}:{name}", schema.id), value, parsed)?;
            }
            if is_readable { Ok(()) } else { Err(validate::unreadable_extension(schema)) }
        }
        _ => Err(ScimError::invalid_value(format!("{path} is not an object"))),
    }
}

/// A remove with a value takes only what the value lists (Entra ID, Salesforce), where the path does not choose it by a filter.
///
/// `[]` lists nothing, so nothing is removed: a client that computed an empty difference must not empty the attribute. `""` does not say
/// what to remove and is refused. Both hold for every attribute, except that `""` is `null` for a lone reference ([`lenience::is_no_reference`]).
/// A single-valued attribute has one value only; a readable value beside its path is not compared with it.
fn remove_listed(target: &AttributeTarget<'_>, path: &Path, value: Value, parsed: &mut Vec<Operation>) -> Result<(), ScimError> {
    let innermost = target.innermost();
    if is_empty_list(&value) {
        return if target.is_chosen_value() { push_removal(target, path.clone(), parsed) } else { Ok(()) };
    }
    if value.as_str().is_some_and(str::is_empty) && !lenience::is_no_reference(innermost, &value) {
        return Err(ScimError::invalid_value(format!("{path}: an empty text does not say what to remove")));
    }
    match typed(path, target, value)? {
        value @ Some(_) if innermost.multi_valued && !target.is_chosen_value() => {
            push_one(Operation { op: Op::Remove, path: path.clone(), value }, parsed)
        }
        // There was a wrapper, with nothing in it.
        None if innermost.multi_valued && !target.is_chosen_value() => Ok(()),
        _ => push_removal(target, path.clone(), parsed),
    }
}

fn set(target: &AttributeTarget<'_>, op: Op, path: &Path, value: Value, parsed: &mut Vec<Operation>) -> Result<(), ScimError> {
    if target.sub.is_some_and(|sub| sub.name == "value") && value.as_str().is_some_and(str::is_empty) {
        return match (target.attribute.multi_valued, op) {
            (true, _) => Err(ScimError::invalid_value(format!("{path}: an empty text is no value"))),
            (false, Op::Add) => Ok(()),
            (false, _) => push_removal(target, path.clone(), parsed),
        };
    }
    let nulls = if op == Op::Replace { null_parts(target, &value) } else { Vec::new() };
    match (op, typed(path, target, value)?) {
        (Op::Add, None) => return Ok(()),
        (_, None) if nulls.is_empty() => return push_removal(target, path.clone(), parsed),
        (_, None) => {}
        (op, value) => push_one(Operation { op, path: path.clone(), value }, parsed)?,
    }
    nulls.into_iter().try_for_each(|part| push_removal(&AttributeTarget { sub: Some(part), ..*target }, path.part(&part.name), parsed))
}

/// The parts that a new value of a single-valued complex attribute has as `null`: they go, and those that it does not have stay (RFC 7644
/// section 3.5.2.3).
fn null_parts(target: &AttributeTarget<'_>, value: &Value) -> Vec<&'static Attribute> {
    let Some(value) = value.as_object().filter(|_| !target.attribute.multi_valued && target.sub.is_none()) else { return Vec::new() };
    let nulls = value.iter().filter(|(_, part)| part.is_null());
    nulls.filter_map(|(name, _)| target.attribute.sub(name)).filter(|part| part.mutability == Mutability::ReadWrite).collect()
}

/// Whether a path leads to the `value` of a reference: `manager.value`, `members[value eq "id"].value`. Without it there is no reference, so Entra ID removes it to remove that.
fn is_reference(target: &AttributeTarget<'_>) -> bool {
    let is_one = |value: &Attribute| !target.attribute.multi_valued || (target.filter.is_some() && value.must_be_given());
    target.sub.is_some_and(|sub| sub.name == "value" && is_one(sub))
}

fn push_removal(target: &AttributeTarget<'_>, path: Path, parsed: &mut Vec<Operation>) -> Result<(), ScimError> {
    if is_reference(target) {
        return push_one(Operation { op: Op::Remove, path: path.whole(), value: None }, parsed);
    }
    if target.innermost().must_be_given() && !target.is_chosen_value() {
        return Err(ScimError::mutability(format!("{path} is required and cannot be removed")));
    }
    push_one(Operation { op: Op::Remove, path, value: None }, parsed)
}

fn push_one(operation: Operation, parsed: &mut Vec<Operation>) -> Result<(), ScimError> {
    if parsed.len() == MAX_OPERATIONS {
        return Err(ScimError::invalid_value(format!("Operations has more than {MAX_OPERATIONS} changes")));
    }
    parsed.push(operation);
    Ok(())
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

/// Reads the value of an operation; `None` where it means "unassigned".
fn typed(path: &Path, target: &AttributeTarget<'_>, value: Value) -> Result<Option<Value>, ScimError> {
    let name = path.to_string();
    if target.is_chosen_value() {
        // The values that the filter chose are each set to one value.
        let value = with_required(target, lenience::lone(value));
        return validate::element(target.attribute, value, &name).map(Some);
    }
    validate::value_of(target.innermost(), lenience::wrapped(target.innermost(), value), &name)
}

/// A chosen value, with the parts that it needs and that the filter says: `workspaces[value eq "id"]` is about the workspace `id`.
fn with_required(target: &AttributeTarget<'_>, value: Value) -> Value {
    let (Value::Object(mut given), Some(Value::Object(said))) = (value.clone(), template(target.filter, target.attribute)) else {
        return value;
    };
    for (name, part) in said {
        let is_needed = target.attribute.sub(&name).is_some_and(Attribute::must_be_given);
        if is_needed && !given.is_empty() && !given.keys().any(|key| key.eq_ignore_ascii_case(&name)) {
            given.insert(name, part);
        }
    }
    Value::Object(given)
}

fn is_read_only(target: &AttributeTarget<'_>) -> bool {
    target.attribute.mutability == Mutability::ReadOnly || target.innermost().mutability == Mutability::ReadOnly
}

fn refuse_read_only(path: &Path, target: &AttributeTarget<'_>) -> Result<(), ScimError> {
    if is_read_only(target) { Err(ScimError::mutability(format!("{path} is read-only"))) } else { Ok(()) }
}
