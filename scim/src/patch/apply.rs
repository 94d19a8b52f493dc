//! Applies operations to a resource: all of them or, as the caller keeps the old state, none.

use serde_json::{Map, Value};

use super::values::{clear_other_primaries, merge, remove_listed, template};
use super::{Op, Operation};
use crate::ScimError;
use crate::filter::{Filter, Scope, matches};
use crate::path::{AttributeTarget, Target};
use crate::resource::Attributes;
use crate::schema::{Attribute, Kind, ResourceType};

/// Applies the operations in their order.
///
/// # Errors
/// 400 `noTarget` where a filter chose nothing that could be set. The resource is then in between, and is to be thrown away.
pub fn apply(resource_type: &ResourceType, resource: &mut Attributes, operations: &[Operation]) -> Result<(), ScimError> {
    for operation in operations {
        match operation.path.target(resource_type)? {
            Target::Extension(schema) => {
                resource.remove(&schema.id);
            }
            Target::Attribute(target) => match target.extension {
                None => apply_to(resource, &target, operation)?,
                Some(schema) => inside(resource, &schema.id, |extension| apply_to(extension, &target, operation))?,
            },
        }
    }
    Ok(())
}

/// Works on the object under a key, which is there only while it has members.
fn inside<T>(object: &mut Attributes, key: &str, work: impl FnOnce(&mut Attributes) -> T) -> T {
    let mut inner = match object.remove(key) {
        Some(Value::Object(inner)) => inner,
        _ => Map::new(),
    };
    let answer = work(&mut inner);
    if !inner.is_empty() {
        object.insert(key.to_owned(), Value::Object(inner));
    }
    answer
}

fn apply_to(object: &mut Attributes, target: &AttributeTarget<'_>, operation: &Operation) -> Result<(), ScimError> {
    let attribute = target.attribute;
    if attribute.multi_valued {
        return apply_to_values(object, target, operation);
    }
    match (operation.op, target.sub, &operation.value) {
        (Op::Remove, None, _) => {
            object.remove(&attribute.name);
        }
        (Op::Remove, Some(sub), value) => inside(object, &attribute.name, |inner| remove_part(inner, sub, value.as_ref())),
        // Nothing to add or to set: the edge leaves such operations out.
        (_, _, None) => {}
        (op, Some(sub), Some(value)) => inside(object, &attribute.name, |inner| set_part(inner, sub, op, value)),
        (_, None, Some(value)) if attribute.kind == Kind::Complex => inside(object, &attribute.name, |inner| merge(inner, value)),
        (_, None, Some(value)) => {
            object.insert(attribute.name.clone(), value.clone());
        }
    }
    Ok(())
}

fn apply_to_values(object: &mut Attributes, target: &AttributeTarget<'_>, operation: &Operation) -> Result<(), ScimError> {
    let name = &target.attribute.name;
    let mut values = match object.remove(name) {
        Some(Value::Array(values)) => values,
        _ => Vec::new(),
    };
    match operation.op {
        Op::Remove => remove(&mut values, target, operation.value.as_ref()),
        Op::Add | Op::Replace => set(&mut values, target, operation)?,
    }
    values.retain(|value| value.as_object().is_none_or(|object| !object.is_empty()));
    if !values.is_empty() {
        object.insert(name.clone(), Value::Array(values));
    }
    Ok(())
}

fn chosen(filter: Option<&Filter>, attribute: &Attribute, value: &Value) -> bool {
    filter.is_none_or(|filter| matches(filter, Scope::Element(attribute), value))
}

fn remove(values: &mut Vec<Value>, target: &AttributeTarget<'_>, listed: Option<&Value>) {
    match (target.sub, listed) {
        (Some(sub), listed) => {
            for value in values.iter_mut().filter(|value| chosen(target.filter, target.attribute, value)) {
                if let Value::Object(value) = value {
                    remove_part(value, sub, listed);
                }
            }
        }
        // Entra ID names the members to remove in the value: only those go, never the whole list.
        (None, Some(Value::Array(listed))) if target.filter.is_none() => remove_listed(values, listed),
        (None, _) if target.filter.is_none() => values.clear(),
        (None, _) => values.retain(|value| !chosen(target.filter, target.attribute, value)),
    }
}

fn remove_part(object: &mut Attributes, sub: &Attribute, listed: Option<&Value>) {
    match (object.get_mut(&sub.name), listed) {
        (Some(Value::Array(values)), Some(Value::Array(listed))) if sub.multi_valued => {
            remove_listed(values, listed);
            if values.is_empty() {
                object.remove(&sub.name);
            }
        }
        _ => {
            object.remove(&sub.name);
        }
    }
}

fn set_part(object: &mut Attributes, sub: &Attribute, op: Op, value: &Value) {
    match (object.get_mut(&sub.name), value) {
        (Some(Value::Array(present)), Value::Array(added)) if op == Op::Add => {
            for value in added {
                if !present.contains(value) {
                    present.push(value.clone());
                }
            }
        }
        _ => {
            object.insert(sub.name.clone(), value.clone());
        }
    }
}

fn set(values: &mut Vec<Value>, target: &AttributeTarget<'_>, operation: &Operation) -> Result<(), ScimError> {
    let Some(value) = &operation.value else { return Ok(()) };
    match (target.filter, target.sub) {
        (None, None) => match value {
            Value::Array(given) if operation.op == Op::Replace => given.clone_into(values),
            Value::Array(given) => add(values, given),
            single => add(values, std::slice::from_ref(single)),
        },
        (filter, sub) => {
            let mut touched: Vec<usize> = (0..values.len()).filter(|&index| chosen(filter, target.attribute, &values[index])).collect();
            if touched.is_empty() {
                values.push(
                    template(filter, target.attribute)
                        .ok_or_else(|| ScimError::no_target(format!("the filter chose no value of {}", target.attribute.name)))?,
                );
                touched.push(values.len() - 1);
            }
            for &index in &touched {
                set_one(&mut values[index], sub, operation.op, value);
            }
            clear_other_primaries(values, &touched);
        }
    }
    Ok(())
}

fn add(values: &mut Vec<Value>, given: &[Value]) {
    let mut touched = Vec::new();
    for value in given {
        if !values.contains(value) {
            touched.push(values.len());
            values.push(value.clone());
        }
    }
    clear_other_primaries(values, &touched);
}

fn set_one(element: &mut Value, sub: Option<&Attribute>, op: Op, value: &Value) {
    match (element, sub) {
        (Value::Object(element), Some(sub)) => set_part(element, sub, op, value),
        (Value::Object(element), None) if op == Op::Add => merge(element, value),
        (element, _) => value.clone_into(element),
    }
}
