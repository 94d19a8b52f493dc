//! Evaluates a checked filter on a resource or on one value of a multi-valued attribute.

use std::cmp::Ordering;

use serde_json::Value;

use super::check::{compared, resolve};
use super::{AttributePath, Comparison, Filter, Scope};
use crate::fold::fold;
use crate::schema::{Attribute, Kind};

/// Whether `subject` fulfils `filter`. A name that [`super::check`] would refuse has no values.
pub fn matches(filter: &Filter, scope: Scope<'_>, subject: &Value) -> bool {
    match filter {
        Filter::Or(left, right) => matches(left, scope, subject) || matches(right, scope, subject),
        Filter::And(left, right) => matches(left, scope, subject) && matches(right, scope, subject),
        Filter::Not(inside) => !matches(inside, scope, subject),
        Filter::Present(path) => !values(path, scope, subject).is_empty(),
        Filter::Compare(path, operator, wanted) => compare(path, *operator, wanted, scope, subject),
        Filter::ValuePath(path, inside) => {
            let Some(attribute) = scope.attribute(path) else { return false };
            values(path, scope, subject).into_iter().any(|value| matches(inside, Scope::Element(attribute), value))
        }
    }
}

/// The values that a path leads to: of each element where the attribute is multi-valued.
fn values<'v>(path: &AttributePath, scope: Scope<'_>, subject: &'v Value) -> Vec<&'v Value> {
    let Some(attribute) = scope.attribute(path) else { return Vec::new() };
    let container = match (scope, &path.urn) {
        (Scope::Resource(resource_type), Some(urn)) => resource_type.extension(urn).map_or(Some(subject), |schema| subject.get(&schema.id)),
        _ => Some(subject),
    };
    let found = match scope {
        Scope::Element(element) if std::ptr::eq(element, attribute) => Some(subject),
        _ => container.and_then(|container| container.get(&attribute.name)),
    };
    let found = found.into_iter().flat_map(elements);
    match path.sub.as_deref().map(|sub| attribute.sub(sub)) {
        None => found.collect(),
        Some(None) => Vec::new(),
        Some(Some(sub)) => found.filter_map(|value| value.get(&sub.name)).flat_map(elements).collect(),
    }
}

fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        single => std::slice::from_ref(single),
    }
}

fn compare(path: &AttributePath, operator: Comparison, wanted: &Value, scope: Scope<'_>, subject: &Value) -> bool {
    let Ok(attribute) = resolve(path, scope) else { return false };
    let mut present = values(path, scope, subject)
        .into_iter()
        .filter_map(|value| if value.is_object() { value.get("value") } else { Some(value) })
        .peekable();
    // An absent attribute equals null and differs from everything else.
    if present.peek().is_none() || wanted.is_null() {
        return (present.peek().is_none() == wanted.is_null()) == (operator == Comparison::Eq)
            && matches!(operator, Comparison::Eq | Comparison::Ne);
    }
    present.any(|value| holds(compared(attribute), operator, value, wanted))
}

fn holds(attribute: &Attribute, operator: Comparison, value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::String(value), Value::String(wanted)) if attribute.kind == Kind::DateTime => {
            let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
            time(value).zip(time(wanted)).is_some_and(|(value, wanted)| ordered(operator, value.cmp(&wanted)))
        }
        (Value::String(value), Value::String(wanted)) if attribute.case_exact => text_holds(operator, value, wanted),
        (Value::String(value), Value::String(wanted)) => text_holds(operator, &fold(value), &fold(wanted)),
        (Value::Number(value), Value::Number(wanted)) => {
            value.as_f64().partial_cmp(&wanted.as_f64()).is_some_and(|ordering| ordered(operator, ordering))
        }
        (Value::Bool(value), Value::Bool(wanted)) => ordered(operator, value.cmp(wanted)),
        _ => operator == Comparison::Ne,
    }
}

fn text_holds(operator: Comparison, value: &str, wanted: &str) -> bool {
    match operator {
        Comparison::Co => value.contains(wanted),
        Comparison::Sw => value.starts_with(wanted),
        Comparison::Ew => value.ends_with(wanted),
        _ => ordered(operator, value.cmp(wanted)),
    }
}

fn ordered(operator: Comparison, ordering: Ordering) -> bool {
    match operator {
        Comparison::Eq => ordering.is_eq(),
        Comparison::Ne => ordering.is_ne(),
        Comparison::Gt => ordering.is_gt(),
        Comparison::Ge => ordering.is_ge(),
        Comparison::Lt => ordering.is_lt(),
        Comparison::Le => ordering.is_le(),
        Comparison::Co | Comparison::Sw | Comparison::Ew => false,
    }
}

#[cfg(test)]
#[path = "eval_tests.rs"]
mod tests;
