//! Adds the operation for one target to a PATCH: reads its value, and finds out what it removes or sets.

use serde_json::Value;

use super::values::template;
use super::{MAX_OPERATIONS, Op, Operation};
use crate::path::{AttributeTarget, Path};
use crate::schema::{Attribute, Mutability};
use crate::{ScimError, lenience, validate};

/// A `remove` with a value removes only the listed values (Entra ID, Salesforce), unless the path chooses
/// values by a filter.
///
/// `[]` removes nothing: a client that computed an empty difference must not empty the attribute. `""` does
/// not say what to remove and is refused. Both hold for every attribute, except that `""` is `null` for a
/// lone reference ([`lenience::is_no_reference`]). The value beside the path of a single-valued attribute
/// must be readable, and is not compared with the present value.
pub(super) fn remove_listed(
    target: &AttributeTarget<'_>,
    path: &Path,
    value: Value,
    parsed: &mut Vec<Operation>,
) -> Result<(), ScimError> {
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
        // The value was an empty wrapper.
        None if innermost.multi_valued && !target.is_chosen_value() => Ok(()),
        _ => push_removal(target, path.clone(), parsed),
    }
}

/// Adds or replaces a value.
pub(super) fn set(
    target: &AttributeTarget<'_>,
    op: Op,
    path: &Path,
    value: Value,
    parsed: &mut Vec<Operation>,
) -> Result<(), ScimError> {
    if target.sub.is_some_and(|sub| sub.name == "value") && value.as_str().is_some_and(str::is_empty) {
        return match (target.attribute.multi_valued, op) {
            (true, _) => Err(ScimError::invalid_value(format!("{path}: an empty text is no value"))),
            (false, Op::Add) => Ok(()),
            (false, _) => push_removal(target, path.clone(), parsed),
        };
    }
    // If the filter chooses no value, a new value is made as the filter describes it.
    let implied = template(target.filter, target.attribute);
    if let Some(value) = implied.as_ref().and_then(|implied| implied.get("value")) {
        validate::refuse_json(value, &format!("{path}: value"))?;
    }
    let nulls = if op == Op::Replace { null_parts(target, &value) } else { Vec::new() };
    match (op, typed(path, target, value)?) {
        (Op::Add, None) => return Ok(()),
        (_, None) if nulls.is_empty() => return push_removal(target, path.clone(), parsed),
        (_, None) => {}
        (op, value) => push_one(Operation { op, path: path.clone(), value }, parsed)?,
    }
    nulls.into_iter().try_for_each(|part| {
        push_removal(&AttributeTarget { sub: Some(part), ..*target }, path.part(&part.name), parsed)
    })
}

/// The parts that are `null` in a new value of a single-valued complex attribute. They are removed; parts
/// that the new value does not have stay (RFC 7644 section 3.5.2.3).
fn null_parts(target: &AttributeTarget<'_>, value: &Value) -> Vec<&'static Attribute> {
    let Some(value) = value.as_object().filter(|_| !target.attribute.multi_valued && target.sub.is_none()) else {
        return Vec::new();
    };
    let nulls = value.iter().filter(|(_, part)| part.is_null());
    nulls
        .filter_map(|(name, _)| target.attribute.sub(name))
        .filter(|part| part.mutability == Mutability::ReadWrite)
        .collect()
}

/// Whether a path leads to the `value` of a reference: `manager.value`, `members[value eq "id"].value`. A
/// reference needs its `value`, so Entra ID removes the `value` to remove the reference.
fn is_reference(target: &AttributeTarget<'_>) -> bool {
    let is_one =
        |value: &Attribute| !target.attribute.multi_valued || (target.filter.is_some() && value.must_be_given());
    target.sub.is_some_and(|sub| sub.name == "value" && is_one(sub))
}

/// Removes the whole target.
pub(super) fn push_removal(
    target: &AttributeTarget<'_>,
    path: Path,
    parsed: &mut Vec<Operation>,
) -> Result<(), ScimError> {
    if is_reference(target) {
        return push_one(Operation { op: Op::Remove, path: path.whole(), value: None }, parsed);
    }
    if target.innermost().must_be_given() && !target.is_chosen_value() {
        return Err(ScimError::mutability(format!("{path} is required and cannot be removed")));
    }
    push_one(Operation { op: Op::Remove, path, value: None }, parsed)
}

/// Adds one operation, up to the limit.
pub(super) fn push_one(operation: Operation, parsed: &mut Vec<Operation>) -> Result<(), ScimError> {
    if parsed.len() == MAX_OPERATIONS {
        return Err(ScimError::invalid_value(format!("Operations has more than {MAX_OPERATIONS} changes")));
    }
    parsed.push(operation);
    Ok(())
}

/// Whether a value is `[]`.
pub(super) fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

/// Reads the value of an operation; `None` if it means "unassigned".
fn typed(path: &Path, target: &AttributeTarget<'_>, value: Value) -> Result<Option<Value>, ScimError> {
    let name = path.to_string();
    if target.is_chosen_value() {
        // Each value that the filter chooses is set to this one value.
        let value = with_required(target, lenience::unwrap_single(value));
        return validate::element(target.attribute, value, &name).map(Some);
    }
    let value = lenience::wrapped(target.innermost(), value);
    match target.sub {
        Some(part) => validate::part(part, value, &name),
        None => validate::value_of(target.attribute, value, &name),
    }
}

/// A chosen value with the required parts that the filter names: `workspaces[value eq "id"]` is about the
/// workspace `id`.
fn with_required(target: &AttributeTarget<'_>, value: Value) -> Value {
    let (Value::Object(mut given), Some(Value::Object(implied))) =
        (value.clone(), template(target.filter, target.attribute))
    else {
        return value;
    };
    for (name, part) in implied {
        let is_needed = target.attribute.sub(&name).is_some_and(Attribute::must_be_given);
        if is_needed && !given.is_empty() && !given.keys().any(|key| key.eq_ignore_ascii_case(&name)) {
            given.insert(name, part);
        }
    }
    Value::Object(given)
}
