//! Evaluates a checked filter once, outside of any request's budget.

use serde_json::Value;

use super::{Filter, Matcher, Scope};
use crate::work::Budget;

/// Whether `subject` fulfils `filter`. A name that [`super::check`] would refuse has no values.
///
/// For what a request can repeat, make a [`Matcher`] and give it the request's budget.
pub fn matches(filter: &Filter, scope: Scope<'_>, subject: &Value) -> bool {
    Matcher::new(filter, scope).matches(subject, &mut Budget::new(usize::MAX), "a filter").unwrap_or(false)
}

#[cfg(test)]
#[path = "eval_tests.rs"]
mod tests;
