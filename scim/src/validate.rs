//! Reads a caller's resource by the schemas.
//!
//! Names get their canonical spelling, and values get the types of the schema. Read-only, unknown and
//! unassigned attributes (`null`, `[]`; RFC 7643 section 2.5) are left out. The result is not checked again.
//!
//! A present value must say something that its attribute can hold. Otherwise it is refused by name: `{}`,
//! `[null]`, an object with unknown members only. It must never be mistaken for "no value", which would empty
//! the attribute.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

use crate::reserved::nothing;
use crate::schema::{Attribute, Kind, Mutability, ResourceType, Schema, find};
use crate::{ScimError, lenience, unfold, visible};

/// The most characters that a text may have, unless its schema says otherwise.
pub const MAX_TEXT_CHARS: usize = 4096;
/// The most characters of base64 that a binary value may have.
pub const MAX_BINARY_CHARS: usize = 64 * 1024;
/// The most values that a multi-valued attribute may have, unless its schema says otherwise.
pub const MAX_VALUES: usize = 1000;

/// Reads a whole resource, as POST and PUT carry it.
///
/// # Errors
/// 400 `invalidSyntax` for a wrong shape or schema, 400 `invalidValue` for a value that does not fit. Each
/// names the attribute.
pub fn resource(resource_type: &ResourceType, body: Value) -> Result<Map<String, Value>, ScimError> {
    let Value::Object(body) = body else {
        return Err(ScimError::invalid_syntax("the body is not a JSON object"));
    };
    check_schemas(resource_type, &body)?;
    let mut resource = Map::new();
    for (name, value) in unfold::resource(resource_type, nothing, body)? {
        let value = match resource_type.extension(&name) {
            Some(schema) => extension(schema, value)?,
            None => match resource_type.attribute(&name).filter(|attribute| is_writable(attribute)) {
                Some(attribute) => value_of(attribute, value, &name)?,
                None => None,
            },
        };
        value.map(|value| resource.insert(name, value));
    }
    check_required(&resource_type.core.attributes, &resource, "")?;
    Ok(resource)
}

/// The `schemas` of a resource: the core schema and every extension with attributes (RFC 7643 section 3).
pub fn schemas_of(resource_type: &ResourceType, resource: &Map<String, Value>) -> Value {
    let extensions = resource_type.extensions.iter().filter(|schema| resource.contains_key(&schema.id));
    std::iter::once(&resource_type.core).chain(extensions).map(|schema| Value::from(schema.id.as_str())).collect()
}

/// Reads the value of an attribute; `None` if it means "unassigned". Errors name the place by `path`.
pub fn value_of(attribute: &Attribute, value: Value, path: &str) -> Result<Option<Value>, ScimError> {
    let value = lenience::embedded(attribute, value);
    if !attribute.multi_valued {
        let is_list = value.is_array();
        let read = single(attribute, lenience::unwrap_single(value), path)?;
        // Brackets must contain a value, and an empty text is none.
        let is_empty = read.as_ref().is_none_or(|value| value.as_str().is_some_and(str::is_empty));
        return if is_list && is_empty { Err(unreadable(attribute, path)) } else { Ok(read) };
    }
    let values = lenience::list(value);
    let most = attribute.max_values.unwrap_or(MAX_VALUES);
    if values.len() > most {
        return Err(ScimError::invalid_value(format!("{path} has more than {most} values")));
    }
    let values = values.into_iter().map(|value| element(attribute, value, path)).collect::<Result<Vec<_>, _>>()?;
    if values.iter().filter(|value| value["primary"] == true).count() > 1 {
        return Err(ScimError::invalid_value(format!("{path} has more than one primary value")));
    }
    Ok((!values.is_empty()).then_some(Value::Array(values)))
}

/// Reads one value of a multi-valued attribute. An element must have content: `null`, `""` and an object
/// whose members are all `null` have none.
///
/// # Errors
/// 400 `invalidValue` that names the attribute.
pub fn element(attribute: &Attribute, value: Value, path: &str) -> Result<Value, ScimError> {
    if value.as_str().is_some_and(str::is_empty) {
        return Err(unreadable(attribute, path));
    }
    single(attribute, value, path)?.ok_or_else(|| unreadable(attribute, path))
}

/// Reads a value that is no list; `None` if it means "unassigned".
fn single(attribute: &Attribute, value: Value, path: &str) -> Result<Option<Value>, ScimError> {
    let wrong = |expected: &str| Err(ScimError::invalid_value(format!("{path} is not {expected}")));
    let value = match (attribute.kind, lenience::unwrap_simple(attribute, value)) {
        (_, Value::Null) => return Ok(None),
        (Kind::Complex, value) => return complex(attribute, value, path),
        (Kind::Boolean, value @ Value::Bool(_)) | (Kind::Decimal, value @ Value::Number(_)) => value,
        (Kind::Boolean, Value::String(text)) => match lenience::boolean(&text) {
            Some(value) => Value::Bool(value),
            None => return wrong("true or false"),
        },
        (Kind::Boolean, _) => return wrong("true or false"),
        (Kind::Integer, value) if value.is_i64() || value.is_u64() => value,
        (Kind::Integer, _) => return wrong("a whole number"),
        (Kind::Decimal, _) => return wrong("a number"),
        (Kind::DateTime, Value::String(text)) if text.parse::<jiff::Timestamp>().is_ok() => Value::String(text),
        (Kind::DateTime, _) => return wrong("a dateTime such as 2026-01-31T09:30:00Z"),
        (Kind::Binary, Value::String(text)) if text.len() <= MAX_BINARY_CHARS && is_base64(&text) => {
            Value::String(text)
        }
        (Kind::Binary, _) => return wrong("base64 of acceptable length"),
        (Kind::String | Kind::Reference, Value::String(text)) => Value::String(bounded(attribute, text, path)?),
        (Kind::String | Kind::Reference, _) => return wrong("a string"),
    };
    Ok(Some(value))
}

fn bounded(attribute: &Attribute, text: String, path: &str) -> Result<String, ScimError> {
    let limit = attribute.max_chars.unwrap_or(MAX_TEXT_CHARS);
    if text.len() > limit && text.chars().count() > limit {
        return Err(ScimError::invalid_value(format!("{path} is longer than {limit} characters")));
    }
    if attribute.required && text.trim().is_empty() {
        return Err(ScimError::invalid_value(format!("{path} is empty")));
    }
    if attribute.is_identifier {
        visible::check(&text, path)?;
    }
    Ok(text)
}

fn is_base64(text: &str) -> bool {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [STANDARD, URL_SAFE].iter().any(|alphabet| GeneralPurpose::new(alphabet, LENIENT).decode(text).is_ok())
}

fn complex(attribute: &Attribute, value: Value, path: &str) -> Result<Option<Value>, ScimError> {
    let value = lenience::embedded(attribute, value);
    refuse_json(&value, path)?;
    let value = match lenience::complex(attribute, value) {
        Value::Object(value) => value,
        Value::Null => return Ok(None),
        _ => return Err(ScimError::invalid_value(format!("{path} is not an object"))),
    };
    if !value.keys().any(|name| attribute.sub(name).is_some_and(is_writable)) {
        return Err(unreadable(attribute, path));
    }
    let object = members(&attribute.sub_attributes, value, &format!("{path}."), EmptyList::IsAbsent)?;
    // If every member is null, the caller says that there is no value.
    if object.is_empty() {
        return Ok(None);
    }
    // Empty texts are no content of a value in a list. For a lone reference they mean no reference.
    let is_empty = |part: &Value| part.as_str().is_some_and(str::is_empty);
    if object.values().all(is_empty) && (attribute.multi_valued || attribute.sub("value").is_some()) {
        return if attribute.multi_valued { Err(unreadable(attribute, path)) } else { Ok(None) };
    }
    check_required(&attribute.sub_attributes, &object, path)?;
    Ok(Some(Value::Object(object)))
}

/// The error for a present value that says nothing that its attribute can hold.
fn unreadable(attribute: &Attribute, path: &str) -> ScimError {
    let parts: Vec<_> =
        attribute.sub_attributes.iter().filter(|sub| is_writable(sub)).map(|sub| sub.name.as_str()).collect();
    match parts.as_slice() {
        [] => ScimError::invalid_value(format!("{path} has a value that is empty")),
        parts => ScimError::invalid_value(format!("{path} has a value without any of {}", parts.join(", "))),
    }
}

/// Reads an extension's part of a resource; `None` if it has no values. Unknown attributes are left out, as
/// in the core schema. An object without any known attribute is refused: it must not clear the extension.
fn extension(schema: &Schema, value: Value) -> Result<Option<Value>, ScimError> {
    let value = match value {
        Value::Null => return Ok(unassigned(schema)),
        Value::Object(value) => value,
        _ => return Err(ScimError::invalid_value(format!("{} is not an object", schema.id))),
    };
    let empty = if schema.kept_by_put { EmptyList::IsKept } else { EmptyList::IsAbsent };
    let value = members(&schema.attributes, value, &format!("{}:", schema.id), empty)?;
    Ok((!value.is_empty()).then_some(Value::Object(value)))
}

/// An extension that is `null`. A PUT keeps some extensions that it does not name. This one is named, and its
/// attributes have no values.
fn unassigned(schema: &Schema) -> Option<Value> {
    let lists = schema.attributes.iter().filter(|attribute| attribute.multi_valued && is_writable(attribute));
    let empty = lists.map(|attribute| (attribute.name.clone(), Value::Array(Vec::new()))).collect();
    schema.kept_by_put.then_some(Value::Object(empty))
}

/// The result for a multi-valued attribute without values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EmptyList {
    /// The attribute is left out.
    IsAbsent,
    /// The attribute stays as `[]`. A PUT keeps the attributes that are not named, and this one is named.
    IsKept,
}

/// Reads the members of an object by the attributes that it may have. Errors put `before` in front of the
/// names.
fn members(
    attributes: &[Attribute],
    given: Map<String, Value>,
    before: &str,
    empty: EmptyList,
) -> Result<Map<String, Value>, ScimError> {
    let (mut object, mut names) = (Map::new(), BTreeSet::new());
    for (name, value) in given {
        let Some(attribute) = find(attributes, &name).filter(|attribute| is_writable(attribute)) else { continue };
        // `USERNAME` beside `userName` would make the outcome depend on the order of members.
        if !names.insert(attribute.name.as_str()) {
            return Err(ScimError::invalid_syntax(format!("{before}{} is given twice", attribute.name)));
        }
        let read = part(attribute, value, &format!("{before}{}", attribute.name))?;
        let kept = (attribute.multi_valued && empty == EmptyList::IsKept).then(|| Value::Array(Vec::new()));
        if let Some(value) = read.or(kept) {
            object.insert(attribute.name.clone(), value);
        }
    }
    Ok(object)
}

/// Reads a part of a complex value. A `value` that looks like JSON is refused: it is no address and no id.
pub(crate) fn part(attribute: &Attribute, value: Value, path: &str) -> Result<Option<Value>, ScimError> {
    let read = value_of(attribute, value, path)?;
    if attribute.name == "value" {
        read.as_ref().map_or(Ok(()), |value| refuse_json(value, path))?;
    }
    Ok(read)
}

/// Refuses a text that looks like JSON instead of a complex value or as its `value`.
pub(crate) fn refuse_json(value: &Value, path: &str) -> Result<(), ScimError> {
    if value.as_str().is_some_and(lenience::looks_like_json) {
        return Err(ScimError::invalid_value(format!("{path} is a text that seems to hold JSON, and cannot be read")));
    }
    Ok(())
}

/// Whether callers may set an attribute that is stored. `password` is accepted and not stored, so its value
/// is not read.
fn is_writable(attribute: &Attribute) -> bool {
    matches!(attribute.mutability, Mutability::ReadWrite | Mutability::Immutable)
}

/// Checks that every required attribute of `attributes` is in `object`, except for those that have a default.
///
/// # Errors
/// 400 `invalidValue` that names the attribute.
pub fn check_required(attributes: &[Attribute], object: &Map<String, Value>, path: &str) -> Result<(), ScimError> {
    let missing =
        attributes.iter().find(|attribute| attribute.must_be_given() && !object.contains_key(&attribute.name));
    match missing {
        Some(attribute) if path.is_empty() => Err(ScimError::invalid_value(format!("{} is missing", attribute.name))),
        Some(attribute) => Err(ScimError::invalid_value(format!("{path}.{} is missing", attribute.name))),
        None => Ok(()),
    }
}

fn check_schemas(resource_type: &ResourceType, body: &Map<String, Value>) -> Result<(), ScimError> {
    let core = &resource_type.core.id;
    let schemas = body.iter().find(|(name, _)| name.eq_ignore_ascii_case("schemas")).map(|(_, value)| value.clone());
    let Some(schemas @ (Value::Array(_) | Value::String(_))) = schemas else {
        return Err(ScimError::invalid_syntax(format!("schemas is missing or not a list; it must hold {core}")));
    };
    let mut has_core = false;
    for urn in &lenience::list(schemas) {
        let urn =
            urn.as_str().ok_or_else(|| ScimError::invalid_syntax("schemas holds something that is not a string"))?;
        if urn.eq_ignore_ascii_case(core) {
            has_core = true;
        } else if resource_type.extension(urn).is_none() && !lenience::names_without_using(body, urn) {
            return Err(unfold::unknown_schema(resource_type, urn));
        }
    }
    if has_core { Ok(()) } else { Err(ScimError::invalid_syntax(format!("schemas does not hold {core}"))) }
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
