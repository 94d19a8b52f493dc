//! Applies operations to a resource. If one fails, the caller keeps the old state, so none applies.
//!
//! Before an operation looks at values, it takes steps of the request's budget for them. Limits are checked
//! after each operation, so no state in between is larger than a state that could be stored.

use serde_json::{Map, Value};

use super::values::{add, check_length, clear_other_primaries, merge, remove_listed, template};
use super::{Op, Operation};
use crate::ScimError;
use crate::filter::{Filter, Matcher, Scope};
use crate::path::{AttributeTarget, Target};
use crate::resource::Attributes;
use crate::schema::{Attribute, Kind, ResourceType};
use crate::work::{Budget, weight};

/// The bytes of a path that take about one step to look up. A term of a filter has a few of them.
const BYTES_PER_TERM: usize = 16;

/// Applies the operations in their order.
///
/// # Errors
/// 400 `noTarget` if a filter chooses no value that could be set, 400 `invalidValue` if an attribute would
/// have too many values, 400 `tooMany` if the budget is spent. The resource is then in an intermediate state
/// and must be thrown away.
pub fn apply(
    resource_type: &ResourceType,
    resource: &mut Attributes,
    operations: &[Operation],
    budget: &mut Budget,
) -> Result<(), ScimError> {
    for operation in operations {
        match operation.path.target(resource_type)? {
            Target::Extension(schema) => {
                budget.spend(1, &schema.id)?;
                resource.remove(&schema.id);
            }
            Target::Attribute(target) => {
                let mut work = AppliedOperation { target, operation, cause: operation.path.to_string(), budget };
                match target.extension {
                    None => work.apply(resource)?,
                    Some(schema) => inside(resource, &schema.id, |extension| work.apply(extension))?,
                }
            }
        }
    }
    Ok(())
}

/// Changes the object under a key. An object without members is removed.
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

/// One operation that is applied.
struct AppliedOperation<'a> {
    target: AttributeTarget<'a>,
    operation: &'a Operation,
    /// The path, as errors name it.
    cause: String,
    budget: &'a mut Budget,
}

impl AppliedOperation<'_> {
    fn spend(&mut self, steps: usize) -> Result<(), ScimError> {
        self.budget.spend(steps, &self.cause)
    }

    fn apply(&mut self, object: &mut Attributes) -> Result<(), ScimError> {
        let (attribute, operation) = (self.target.attribute, self.operation);
        // The path is printed for errors, and the terms of its filter are looked up.
        self.spend(1 + self.cause.len() / BYTES_PER_TERM + operation.value.as_ref().map_or(0, weight))?;
        if attribute.multi_valued {
            return self.apply_to_values(object);
        }
        let Some(filter) = self.target.filter else { return self.apply_to_value(object) };
        let is_made = !object.contains_key(&attribute.name) && operation.op != Op::Remove;
        if is_made {
            let made = template(Some(filter), attribute).ok_or_else(|| self.no_target())?;
            object.insert(attribute.name.clone(), made);
        }
        match (operation.op, self.is_chosen(filter, object)?) {
            (Op::Remove, false) => return Ok(()),
            (Op::Add | Op::Replace, false) => return Err(self.no_target()),
            (_, true) => self.apply_to_value(object)?,
        }
        // A repeat would refuse a new value that contradicts the filter.
        if is_made && !self.is_chosen(filter, object)? { Err(self.no_target()) } else { Ok(()) }
    }

    /// Whether a filter chooses the value of a single-valued attribute.
    fn is_chosen(&mut self, filter: &Filter, object: &Attributes) -> Result<bool, ScimError> {
        let attribute = self.target.attribute;
        let Some(value) = object.get(&attribute.name) else { return Ok(false) };
        Matcher::new(filter, Scope::Element(attribute)).matches(value, self.budget, &self.cause)
    }

    fn apply_to_value(&mut self, object: &mut Attributes) -> Result<(), ScimError> {
        let (attribute, operation) = (self.target.attribute, self.operation);
        match (operation.op, self.target.sub, &operation.value) {
            // The attribute always has a value. If it gets no other, it keeps the present one.
            (Op::Remove, None, _) if attribute.default.is_some() => {}
            (Op::Remove, None, _) => {
                object.remove(&attribute.name);
            }
            (_, Some(sub), value) => {
                return inside(object, &attribute.name, |inner| self.change_part(inner, sub, value.as_ref()));
            }
            // There is nothing to add or to set. The parser leaves such operations out.
            (_, None, None) => {}
            (_, None, Some(value)) if attribute.kind == Kind::Complex => {
                inside(object, &attribute.name, |inner| merge(inner, value));
            }
            (_, None, Some(value)) => {
                object.insert(attribute.name.clone(), value.clone());
            }
        }
        Ok(())
    }

    fn no_target(&self) -> ScimError {
        ScimError::no_target(format!("the filter chose no value of {}", self.target.attribute.name))
    }

    fn apply_to_values(&mut self, object: &mut Attributes) -> Result<(), ScimError> {
        let name = &self.target.attribute.name;
        let mut values = match object.remove(name) {
            Some(Value::Array(values)) => values,
            _ => Vec::new(),
        };
        // At the end, each value is looked at once more.
        self.spend(values.len() / 2)?;
        match self.operation.op {
            Op::Remove => self.remove(&mut values)?,
            Op::Add | Op::Replace => self.set(&mut values)?,
        }
        values.retain(|value| value.as_object().is_none_or(|object| !object.is_empty()));
        check_length(self.target.attribute, values.len())?;
        if !values.is_empty() {
            object.insert(name.clone(), Value::Array(values));
        }
        Ok(())
    }

    /// The indices of the values that the path chooses.
    fn chosen(&mut self, values: &[Value]) -> Result<Vec<usize>, ScimError> {
        let Some(filter) = self.target.filter else { return Ok((0..values.len()).collect()) };
        let matcher = Matcher::new(filter, Scope::Element(self.target.attribute));
        let mut chosen = Vec::new();
        for (index, value) in values.iter().enumerate() {
            if matcher.matches(value, self.budget, &self.cause)? {
                chosen.push(index);
            }
        }
        Ok(chosen)
    }

    fn remove(&mut self, values: &mut Vec<Value>) -> Result<(), ScimError> {
        match (self.target.sub, &self.operation.value) {
            (Some(sub), listed) => {
                for index in self.chosen(values)? {
                    if let Value::Object(value) = &mut values[index] {
                        self.change_part(value, sub, listed.as_ref())?;
                    }
                }
            }
            // Entra ID names the members to remove in the value. Only those go, never the whole list.
            (None, Some(Value::Array(listed))) if self.target.filter.is_none() => {
                remove_listed(values, listed, self.target.attribute, self.budget, &self.cause)?;
            }
            (None, _) if self.target.filter.is_none() => values.clear(),
            (None, _) => {
                let mut chosen = self.chosen(values)?.into_iter().peekable();
                let mut index = 0;
                values.retain(|_| {
                    let goes = chosen.next_if_eq(&index).is_some();
                    index += 1;
                    !goes
                });
            }
        }
        Ok(())
    }

    /// Sets, adds to or removes a part of one object.
    fn change_part(
        &mut self,
        object: &mut Attributes,
        sub: &Attribute,
        value: Option<&Value>,
    ) -> Result<(), ScimError> {
        // The cost of the listed, added or copied values for each object. A copy also removes the value that
        // was there.
        self.spend(2 * (1 + value.map_or(0, weight)))?;
        match (self.operation.op, object.get_mut(&sub.name), value) {
            (Op::Remove, Some(Value::Array(values)), Some(Value::Array(listed))) if sub.multi_valued => {
                remove_listed(values, listed, sub, self.budget, &self.cause)?;
                if values.is_empty() {
                    object.remove(&sub.name);
                }
            }
            (Op::Remove, ..) => {
                object.remove(&sub.name);
            }
            (Op::Add, Some(Value::Array(values)), Some(Value::Array(added))) => {
                add(values, added, sub, self.budget, &self.cause)?;
            }
            (_, _, Some(value)) => {
                object.insert(sub.name.clone(), value.clone());
            }
            (_, _, None) => {}
        }
        Ok(())
    }

    fn set(&mut self, values: &mut Vec<Value>) -> Result<(), ScimError> {
        let (target, operation) = (self.target, self.operation);
        let Some(value) = &operation.value else { return Ok(()) };
        if target.filter.is_none() && target.sub.is_none() {
            let given = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            if operation.op == Op::Replace && value.is_array() {
                given.clone_into(values);
            } else {
                let touched = add(values, given, target.attribute, self.budget, &self.cause)?;
                clear_other_primaries(values, &touched);
            }
            return Ok(());
        }
        let mut touched = self.chosen(values)?;
        let implied = template(target.filter, target.attribute);
        let is_made = touched.is_empty();
        if is_made {
            values.push(implied.clone().ok_or_else(|| self.no_target())?);
            touched.push(values.len() - 1);
        }
        for &index in &touched {
            self.set_one(&mut values[index], value, implied.as_ref())?;
        }
        if is_made && self.chosen(&values[values.len() - 1..])?.is_empty() {
            // The value contradicts the filter: a repeat would add another one.
            return Err(self.no_target());
        }
        clear_other_primaries(values, &touched);
        Ok(())
    }

    /// Sets one value that the path chooses. The parts that the filter names (`said`) stay, unless the new
    /// value has others. So a repeat chooses the same value again.
    fn set_one(&mut self, element: &mut Value, value: &Value, implied: Option<&Value>) -> Result<(), ScimError> {
        match (element, self.target.sub) {
            (Value::Object(element), Some(sub)) => return self.change_part(element, sub, Some(value)),
            (Value::Object(element), None) if self.operation.op == Op::Add => {
                self.spend(weight(value))?;
                merge(element, value);
            }
            (element, _) => {
                self.spend(weight(value) + implied.map_or(0, weight))?;
                let before = std::mem::replace(element, value.clone());
                if let (Value::Object(element), Some(Value::Object(implied))) = (element, implied) {
                    for (name, part) in implied {
                        element.entry(name).or_insert_with(|| before.get(name).unwrap_or(part).clone());
                    }
                }
            }
        }
        Ok(())
    }
}
