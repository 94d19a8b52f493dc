//! Evaluates a checked filter once, outside of the work budget of a request.

use serde_json::Value;

use super::{Filter, Matcher, Scope};
use crate::work::Budget;

/// Whether `subject` matches `filter`. A name that [`super::check`] would refuse has no values.
///
/// If a request can repeat the evaluation, make a [`Matcher`] and give it the request's budget.
pub fn matches(filter: &Filter, scope: Scope<'_>, subject: &Value) -> bool {
    Matcher::new(filter, scope).matches(subject, &mut Budget::new(usize::MAX), "a filter").unwrap_or(false)
}

#[cfg(test)]
#[path = "eval_tests.rs"]
mod tests;
