//! Comparison of two prepared values.

use std::borrow::Cow;
use std::cmp::Ordering;

use jiff::Timestamp;

use super::Comparison;

/// A value prepared for comparison.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Present<'v> {
    /// A text, casefolded if case does not count.
    Text(Cow<'v, str>),
    /// A dateTime.
    Time(Timestamp),
    /// A text that should be a dateTime and is none. It is not compared.
    UnreadableTime,
    /// A number.
    Number(f64),
    /// True or false.
    Bool(bool),
    /// A value that cannot be compared.
    Other,
}

/// The operand of a term.
#[derive(Debug)]
pub(super) enum Operand<'f> {
    /// No value.
    Null,
    /// A value.
    Value(Present<'f>),
}

impl Present<'_> {
    /// The bytes of a text; 0 for any other value.
    pub(super) fn len(&self) -> usize {
        if let Self::Text(text) = self { text.len() } else { 0 }
    }
}

impl Operand<'_> {
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(super) fn len(&self) -> usize {
        if let Self::Value(value) = self { value.len() } else { 0 }
    }
}

/// Whether a present value matches a term. Values of different types are unequal and have no order.
pub(super) fn holds(operator: Comparison, present: &Present<'_>, wanted: &Operand<'_>) -> bool {
    let Operand::Value(wanted) = wanted else { return false };
    match (present, wanted) {
        (Present::Text(present), Present::Text(wanted)) => text_holds(operator, present, wanted),
        (Present::Time(present), Present::Time(wanted)) => ordered(operator, present.cmp(wanted)),
        (Present::Time(_) | Present::UnreadableTime, Present::Time(_) | Present::UnreadableTime) => false,
        (Present::Number(present), Present::Number(wanted)) => {
            present.partial_cmp(wanted).is_some_and(|ordering| ordered(operator, ordering))
        }
        (Present::Bool(present), Present::Bool(wanted)) => ordered(operator, present.cmp(wanted)),
        _ => operator == Comparison::Ne,
    }
}

fn text_holds(operator: Comparison, present: &str, wanted: &str) -> bool {
    match operator {
        Comparison::Co => present.contains(wanted),
        Comparison::Sw => present.starts_with(wanted),
        Comparison::Ew => present.ends_with(wanted),
        _ => ordered(operator, present.cmp(wanted)),
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
