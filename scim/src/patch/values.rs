//! Helpers on values that several operations share.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::ScimError;
use crate::filter::{Comparison, Filter};
use crate::schema::{Attribute, Kind};
use crate::search::key;
use crate::validate::MAX_VALUES;
use crate::work::{Budget, weight};

/// Sets the parts that `value` has and keeps the others (RFC 7644 section 3.5.2.3).
pub(super) fn merge(object: &mut Map<String, Value>, value: &Value) {
    if let Value::Object(parts) = value {
        object.extend(parts.iter().map(|(name, part)| (name.clone(), part.clone())));
    }
}

/// Up to this number, values are looked for one by one: a set would not pay.
const FEW: usize = 4;
/// The steps to put a value of one step into a set.
const HASHING: usize = 8;

/// Takes the steps to look for `wanted` values among the present ones.
fn spend_on_search(present: &[Value], wanted: usize, budget: &mut Budget, cause: &str) -> Result<(), ScimError> {
    // Most unequal values differ at the beginning.
    let steps =
        if wanted <= FEW { present.len() * wanted } else { present.iter().map(weight).sum::<usize>() * HASHING };
    budget.spend(steps, cause)
}

/// Appends the values that are not there yet, and returns the indices of all.
///
/// # Errors
/// 400 `invalidValue` if there are too many values, 400 `tooMany` if the budget is spent.
pub(super) fn add(
    values: &mut Vec<Value>,
    given: &[Value],
    attribute: &Attribute,
    budget: &mut Budget,
    cause: &str,
) -> Result<Vec<usize>, ScimError> {
    spend_on_search(values, given.len(), budget, cause)?;
    spend_on_search(given, given.len(), budget, cause)?;
    let mut new: Vec<&Value> = Vec::new();
    if given.len() <= FEW {
        for value in given {
            if !values.contains(value) && !new.contains(&value) {
                new.push(value);
            }
        }
    } else {
        let mut known: HashSet<&Value> = values.iter().collect();
        new.extend(given.iter().filter(|value| known.insert(value)));
    }
    check_length(attribute, values.len() + new.len())?;
    let touched = (values.len()..values.len() + new.len()).collect();
    values.extend(new.into_iter().cloned());
    Ok(touched)
}

/// Removes the listed values: those with the same `value` and, if both have one, the same `type` (RFC 7643
/// section 2.4). A listed value without `value` removes the values that are equal to it. Texts are compared
/// as the schema says.
///
/// # Errors
/// 400 `tooMany` if the budget is spent.
pub(super) fn remove_listed(
    values: &mut Vec<Value>,
    listed: &[Value],
    attribute: &Attribute,
    budget: &mut Budget,
    cause: &str,
) -> Result<(), ScimError> {
    spend_on_search(values, listed.len(), budget, cause)?;
    spend_on_search(listed, listed.len(), budget, cause)?;
    let mut types: HashMap<Value, Vec<Option<Value>>> = HashMap::new();
    for (value, of_type) in listed.iter().filter_map(|listed| identity(attribute, listed)) {
        types.entry(value).or_default().push(of_type);
    }
    let whole: HashSet<Value> =
        listed.iter().filter(|listed| listed.get("value").is_none()).map(|listed| key(attribute, listed)).collect();
    let is_same =
        |present: Option<&Value>, listed: Option<&Value>| present.is_none() || listed.is_none() || present == listed;
    let is_listed = |present: &Value| {
        let by_value = identity(attribute, present).and_then(|(value, of_type)| {
            Some(types.get(&value)?.iter().any(|listed| is_same(of_type.as_ref(), listed.as_ref())))
        });
        by_value.unwrap_or(false) || (!whole.is_empty() && whole.contains(&key(attribute, present)))
    };
    values.retain(|present| !is_listed(present));
    Ok(())
}

/// The `value` and the `type` of a value, prepared for comparison.
fn identity(attribute: &Attribute, value: &Value) -> Option<(Value, Option<Value>)> {
    let part = |name: &str| Some(key(attribute.sub(name)?, value.get(name)?));
    Some((part("value")?, part("type")))
}

/// Checks that an attribute does not have too many values.
///
/// # Errors
/// 400 `invalidValue` that names the attribute.
pub(super) fn check_length(attribute: &Attribute, values: usize) -> Result<(), ScimError> {
    let most = attribute.max_values.unwrap_or(MAX_VALUES);
    if values > most {
        return Err(ScimError::invalid_value(format!("{} has more than {most} values", attribute.name)));
    }
    Ok(())
}

/// Leaves at most one value primary after `touched` were set. A touched value takes precedence (RFC 7644
/// section 3.5.2).
pub(super) fn clear_other_primaries(values: &mut [Value], touched: &[usize]) {
    let is_primary = |value: &Value| value["primary"] == true;
    let Some(&chosen) = touched.iter().rev().find(|&&index| values.get(index).is_some_and(is_primary)) else { return };
    for (index, value) in values.iter_mut().enumerate() {
        if index != chosen && is_primary(value) {
            value["primary"] = Value::Bool(false);
        }
    }
}

/// The value that a filter describes, if it consists of `eq` and `and`: `emails[type eq "work"]` gives a
/// value of type work. Entra ID adds the first work address of a person in this way.
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
        Filter::Compare(path, Comparison::Eq, value) if path.sub.is_none() && !value.is_null() => {
            match attribute.sub(&path.name) {
                Some(sub) => {
                    object.insert(sub.name.clone(), value.clone());
                    true
                }
                None => false,
            }
        }
        _ => false,
    }
}
