//! Reads a PATCH body; what can be refused without knowing the resource is refused here.

use serde_json::{Map, Value};

use super::values::template;
use super::{MAX_OPERATIONS, Op, Operation, PATCH_SCHEMA};
use crate::ScimError;
use crate::path::{AttributeTarget, Path, Target};
use crate::reserved::{Reserved, check_path, nothing};
use crate::schema::{Attribute, Mutability, ResourceType, Schema};
use crate::unfold::is_read_only;
use crate::{lenience, unfold, validate};

/// Reads the operations of a PATCH body.
///
/// # Errors
/// 400 `invalidSyntax`, `invalidPath`, `invalidValue`, `noTarget` or `mutability`, naming the operation.
pub fn parse(resource_type: &ResourceType, body: Value) -> Result<Vec<Operation>, ScimError> {
    parse_translated(resource_type, body, nothing, |operation| Ok(Translation::own(vec![operation])))
}

/// An operation as a dialect reads it.
#[derive(Debug, Default)]
pub struct Translation {
    /// What the caller says in the words of the schemas. It comes first: with `null` for a whole extension, the dialect's part of that extension stays.
    pub own: Vec<Value>,
    /// What the caller says in the words of the dialect, translated.
    pub translated: Vec<Value>,
}

impl Translation {
    /// Operations in the words of the schemas only.
    pub fn own(own: Vec<Value>) -> Self {
        Self { own, translated: Vec::new() }
    }
}

/// Reads the operations of a PATCH body after each was translated into the words of the schemas, as a dialect needs it. The caller's own words must not name what the
/// dialect reserves.
///
/// # Errors
/// As [`parse`], and those of the translation. An error names the operation of the body.
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

    /// A value without a path: each member's name is a path of its own. What is unknown or the server's own is ignored, as in a whole resource.
    fn whole(&mut self, op: Op, value: Option<Value>) -> Result<(), ScimError> {
        let Some(Value::Object(members)) = value else {
            return Err(ScimError::invalid_value("value is missing or not an object, and there is no path to an attribute"));
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
        if self.members(op, within, members)? { Ok(()) } else { Err(validate::unreadable_extension(schema)) }
    }

    /// The members of an object that stands for a resource, or for its part `within` an extension. Answers whether any of them is known.
    fn members(&mut self, op: Op, within: Option<&'static Schema>, members: Map<String, Value>) -> Result<bool, ScimError> {
        let unfolded = unfold::members(self.resource_type, self.reserved, within, members)?;
        for (name, value) in unfolded.attributes {
            match (self.resource_type.extension(&name), value) {
                (Some(schema), Value::Object(attributes)) => {
                    let mut attributes = attributes.into_iter();
                    attributes.try_for_each(|(name, value)| self.push(op, format!("{}:{name}", schema.id).parse()?, Some(value)))?;
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
            Target::Attribute(target) if is_read_only(&target) => Err(ScimError::mutability(format!("{path} is read-only"))),
            Target::Attribute(target) if target.innermost().mutability == Mutability::WriteOnly => Ok(()),
            Target::Attribute(target) => match (op, value) {
                // Nothing to add.
                (Op::Add, None) => Ok(()),
                // To replace by nothing is to remove (RFC 7643 section 2.5).
                (Op::Remove | Op::Replace, None) => push_removal(&target, path.clone(), self.parsed),
                (Op::Remove, Some(value)) => remove_listed(&target, &path, value, self.parsed),
                (op, Some(value)) => set(&target, op, &path, value, self.parsed),
            },
        }
    }

    /// A whole extension. The members of its value are paths of their own, whatever the operation.
    fn extension(&mut self, op: Op, schema: &'static Schema, path: Path, value: Option<Value>) -> Result<(), ScimError> {
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
    // A value that the filter describes comes to be if there is none.
    let said = template(target.filter, target.attribute);
    if let Some(value) = said.as_ref().and_then(|said| said.get("value")) {
        validate::refuse_json(value, &format!("{path}: value"))?;
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
    let value = lenience::wrapped(target.innermost(), value);
    match target.sub {
        Some(part) => validate::part(part, value, &name),
        None => validate::value_of(target.attribute, value, &name),
    }
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
