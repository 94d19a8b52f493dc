//! Small works on values that several operations share.

use serde_json::{Map, Value};

use crate::filter::{Comparison, Filter};
use crate::schema::{Attribute, Kind};

/// Sets the parts that `value` has and leaves the others (RFC 7644 section 3.5.2.3).
pub(super) fn merge(object: &mut Map<String, Value>, value: &Value) {
    if let Value::Object(parts) = value {
        object.extend(parts.iter().map(|(name, part)| (name.clone(), part.clone())));
    }
}

/// Removes the listed values: those with the same `value` where they have one, else those that are equal.
pub(super) fn remove_listed(values: &mut Vec<Value>, listed: &[Value]) {
    let same = |present: &Value, listed: &Value| match listed.get("value") {
        Some(value) => present.get("value") == Some(value),
        None => present == listed,
    };
    values.retain(|present| !listed.iter().any(|listed| same(present, listed)));
}

/// After `touched` were set, at most one value is primary: a touched one before all others (RFC 7644 section 3.5.2).
pub(super) fn clear_other_primaries(values: &mut [Value], touched: &[usize]) {
    let is_primary = |value: &Value| value["primary"] == true;
    let Some(&chosen) = touched.iter().rev().find(|&&index| values.get(index).is_some_and(is_primary)) else { return };
    for (index, value) in values.iter_mut().enumerate() {
        if index != chosen && is_primary(value) {
            value["primary"] = Value::Bool(false);
        }
    }
}

/// The value that a filter describes, where it is made of `eq` joined by `and`: `emails[type eq "work"]` gives one of type work.
/// Entra ID sets the work address of a person who has none in this way.
pub(super) fn template(filter: Option<&Filter>, attribute: &Attribute) -> Option<Value> {
    if attribute.kind != Kind::Complex {
        return None;
    }
    let mut object = Map::new();
    match filter {
        Some(filter) => describe(filter, attribute, &mut object).then_some(Value::Object(object)),
        None => Some(Value::Object(object)),
    }
}

fn describe(filter: &Filter, attribute: &Attribute, object: &mut Map<String, Value>) -> bool {
    match filter {
        Filter::And(left, right) => describe(left, attribute, object) && describe(right, attribute, object),
        Filter::Compare(path, Comparison::Eq, value) if path.sub.is_none() && !value.is_null() => match attribute.sub(&path.name) {
            Some(sub) => {
                object.insert(sub.name.clone(), value.clone());
                true
            }
            None => false,
        },
        _ => false,
    }
}
