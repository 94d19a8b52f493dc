//! A filter prepared for comparison with many values.
//!
//! Names are looked up once. The operands are casefolded or parsed once. The values of a subject under a name
//! are read once, even if many terms ask for them. So folding and parsing cost as much as the subject is
//! long, and each comparison no more than its two texts.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value;

use super::check::{compared, resolve};
use super::compare::{Operand, Present, holds};
use super::{AttributePath, Comparison, Filter, Scope};
use crate::ScimError;
use crate::casefold::casefold;
use crate::schema::{Attribute, Kind};
use crate::search::is_casefolded;
use crate::work::{BYTES_PER_STEP, Budget, text_weight};

/// The cost of folding a text that is not ASCII, as a multiple of comparing it.
const FOLDING: usize = 128;
/// The steps to prepare a subject, and again for each name in the filter.
const PREPARING: usize = 4;

/// A filter that is ready for evaluation.
#[derive(Debug)]
pub struct Matcher<'f> {
    root: Node<'f>,
    columns: Vec<Column<'f>>,
}

#[derive(Debug)]
enum Node<'f> {
    Or(Box<Node<'f>>, Box<Node<'f>>),
    And(Box<Node<'f>>, Box<Node<'f>>),
    Not(Box<Node<'f>>),
    Present(usize),
    Compare(usize, Comparison, Operand<'f>),
    ValuePath(usize, Box<Matcher<'f>>),
    /// A name that `check` would refuse. It has no values.
    Unknown,
}

/// A name in the terms of a filter.
#[derive(Debug)]
struct Column<'f> {
    path: &'f AttributePath,
    scope: Scope<'f>,
    attribute: &'f Attribute,
    sub: Option<&'f Attribute>,
    /// The type in which the values are compared; `None` if no term compares them.
    compared: Option<&'f Attribute>,
}

/// The values of a subject under the names that were asked for so far.
struct Subject<'v> {
    value: &'v Value,
    found: Vec<Option<Vec<&'v Value>>>,
    read: Vec<Option<Vec<Present<'v>>>>,
}

impl<'f> Matcher<'f> {
    /// Prepares a filter.
    pub fn new(filter: &'f Filter, scope: Scope<'f>) -> Self {
        let mut columns = Vec::new();
        let root = node(filter, scope, &mut columns);
        Self { root, columns }
    }

    /// Whether `subject` matches the filter.
    ///
    /// # Errors
    /// 400 `tooMany` if the budget is spent. `what` names the work.
    pub fn matches(&self, subject: &Value, budget: &mut Budget, what: &str) -> Result<bool, ScimError> {
        let mut subject =
            Subject { value: subject, found: vec![None; self.columns.len()], read: vec![None; self.columns.len()] };
        budget.spend((self.columns.len() + 1) * PREPARING, what)?;
        self.holds(&self.root, &mut subject, budget, what)
    }

    fn holds<'v>(
        &self,
        node: &Node<'f>,
        subject: &mut Subject<'v>,
        budget: &mut Budget,
        what: &str,
    ) -> Result<bool, ScimError> {
        // Every term costs a step, even without a value to compare.
        budget.spend(1, what)?;
        match node {
            Node::Or(left, right) => {
                Ok(self.holds(left, subject, budget, what)? || self.holds(right, subject, budget, what)?)
            }
            Node::And(left, right) => {
                Ok(self.holds(left, subject, budget, what)? && self.holds(right, subject, budget, what)?)
            }
            Node::Not(inside) => Ok(!self.holds(inside, subject, budget, what)?),
            Node::Unknown => Ok(false),
            Node::Present(column) => Ok(!self.found(*column, subject, budget, what)?.is_empty()),
            Node::Compare(column, operator, wanted) => {
                let present = self.read(*column, subject, budget, what)?;
                // An absent attribute equals null and differs from everything else.
                if present.is_empty() || wanted.is_null() {
                    return Ok((present.is_empty() == wanted.is_null()) == (*operator == Comparison::Eq)
                        && matches!(operator, Comparison::Eq | Comparison::Ne));
                }
                for value in present {
                    budget.spend(1 + value.len().max(wanted.len()) / BYTES_PER_STEP, what)?;
                    if holds(*operator, value, wanted) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Node::ValuePath(column, inside) => {
                for value in self.found(*column, subject, budget, what)?.clone() {
                    if inside.matches(value, budget, what)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    /// The values under a name.
    fn found<'s, 'v>(
        &self,
        column: usize,
        subject: &'s mut Subject<'v>,
        budget: &mut Budget,
        what: &str,
    ) -> Result<&'s Vec<&'v Value>, ScimError> {
        let value = subject.value;
        let slot = &mut subject.found[column];
        if slot.is_none() {
            let found = values(&self.columns[column], value);
            budget.spend(found.len(), what)?;
            *slot = Some(found);
        }
        Ok(slot.get_or_insert_default())
    }

    /// The values under a name, prepared for comparison.
    fn read<'s, 'v>(
        &self,
        column: usize,
        subject: &'s mut Subject<'v>,
        budget: &mut Budget,
        what: &str,
    ) -> Result<&'s Vec<Present<'v>>, ScimError> {
        if subject.read[column].is_none() {
            let found = self.found(column, subject, budget, what)?.clone();
            let attribute = self.columns[column].compared.unwrap_or(self.columns[column].attribute);
            let found =
                found.into_iter().filter_map(|value| if value.is_object() { value.get("value") } else { Some(value) });
            let mut read = Vec::new();
            for value in found {
                budget.spend(reading(attribute, value), what)?;
                read.push(present(attribute, value));
            }
            subject.read[column] = Some(read);
        }
        Ok(subject.read[column].get_or_insert_default())
    }
}

fn node<'f>(filter: &'f Filter, scope: Scope<'f>, columns: &mut Vec<Column<'f>>) -> Node<'f> {
    let mut boxed = |filter| Box::new(node(filter, scope, columns));
    match filter {
        Filter::Or(left, right) => Node::Or(boxed(left), boxed(right)),
        Filter::And(left, right) => Node::And(boxed(left), boxed(right)),
        Filter::Not(inside) => Node::Not(boxed(inside)),
        Filter::Present(path) => column(path, scope, None, columns).map_or(Node::Unknown, Node::Present),
        Filter::Compare(path, operator, value) => {
            let Ok(attribute) = resolve(path, scope).map(compared) else { return Node::Unknown };
            let wanted = wanted(attribute, value);
            column(path, scope, Some(attribute), columns)
                .map_or(Node::Unknown, |column| Node::Compare(column, *operator, wanted))
        }
        Filter::ValuePath(path, inside) => match (scope.attribute(path), column(path, scope, None, columns)) {
            (Some(attribute), Some(column)) => {
                Node::ValuePath(column, Box::new(Matcher::new(inside, Scope::Element(attribute))))
            }
            _ => Node::Unknown,
        },
    }
}

/// The column of a name: the column of an earlier term with the same name, or a new one. A filter has few
/// terms (`MAX_TERMS`).
fn column<'f>(
    path: &'f AttributePath,
    scope: Scope<'f>,
    compared: Option<&'f Attribute>,
    columns: &mut Vec<Column<'f>>,
) -> Option<usize> {
    let attribute = scope.attribute(path)?;
    let sub = match &path.sub {
        Some(sub) => Some(attribute.sub(sub)?),
        None => None,
    };
    let same = |one: Option<&Attribute>, other: Option<&Attribute>| match (one, other) {
        (Some(one), Some(other)) => std::ptr::eq(one, other),
        (None, None) => true,
        _ => false,
    };
    let known = columns.iter().position(|column| {
        std::ptr::eq(column.attribute, attribute)
            && same(column.sub, sub)
            && same(column.compared, compared)
            && column.path.urn == path.urn
    });
    Some(known.unwrap_or_else(|| {
        columns.push(Column { path, scope, attribute, sub, compared });
        columns.len() - 1
    }))
}

/// The values of a column. A multi-valued attribute has one of each element.
fn values<'v>(column: &Column<'_>, subject: &'v Value) -> Vec<&'v Value> {
    let container = match (column.scope, &column.path.urn) {
        (Scope::Resource(resource_type), Some(urn)) => {
            resource_type.extension(urn).map_or(Some(subject), |schema| subject.get(&schema.id))
        }
        _ => Some(subject),
    };
    let found = match column.scope {
        Scope::Element(element) if std::ptr::eq(element, column.attribute) => Some(subject),
        _ => container.and_then(|container| container.get(&column.attribute.name)),
    };
    let found = found.into_iter().flat_map(elements);
    match column.sub {
        None => found.collect(),
        Some(sub) => found.filter_map(|value| value.get(&sub.name)).flat_map(elements).collect(),
    }
}

fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        single => std::slice::from_ref(single),
    }
}

/// The steps to read a value.
fn reading(attribute: &Attribute, value: &Value) -> usize {
    match value {
        Value::String(text) if is_casefolded(attribute) && !text.is_ascii() => {
            1 + text.len() * FOLDING / BYTES_PER_STEP
        }
        Value::String(text) => text_weight(text),
        _ => 1,
    }
}

fn wanted<'f>(attribute: &Attribute, value: &'f Value) -> Operand<'f> {
    match value {
        Value::Null => Operand::Null,
        value => Operand::Value(present(attribute, value)),
    }
}

/// A value of this attribute, prepared for comparison.
fn present<'v>(attribute: &Attribute, value: &'v Value) -> Present<'v> {
    match value {
        Value::String(text) if attribute.kind == Kind::DateTime => {
            text.parse::<Timestamp>().map_or(Present::UnreadableTime, Present::Time)
        }
        Value::String(text) if is_casefolded(attribute) => Present::Text(Cow::Owned(casefold(text))),
        Value::String(text) => Present::Text(Cow::Borrowed(text)),
        Value::Number(number) => number.as_f64().map_or(Present::Other, Present::Number),
        Value::Bool(value) => Present::Bool(*value),
        Value::Null | Value::Array(_) | Value::Object(_) => Present::Other,
    }
}
