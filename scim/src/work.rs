//! The work budget of a request, in steps: no caller can stop the others.
//!
//! Every function whose cost can exceed the size of its input spends steps *before* it works: a PATCH applies
//! many operations to one resource, a filter compares many terms with many values. The steps of a request
//! depend on the request and the state alone, never on a clock. So every process that handles the request
//! comes to the same result.

use serde_json::Value;

use crate::{ScimError, ScimType};

/// The steps that one request may take. A step is about one visit of a JSON value, or [`BYTES_PER_STEP`]
/// bytes of text.
///
/// Measured in a release build: a million steps take 5 to 40 ms of processor time for any kind of work. A
/// PATCH of 1,000 operations on a user of usual size takes a few thousand steps. A PATCH that adds 1,000
/// values to a list one by one takes 750,000.
pub const MAX_STEPS: usize = 1_000_000;

/// The bytes of text that are copied, hashed or compared in one step.
pub const BYTES_PER_STEP: usize = 64;

/// The remaining budget of a request.
#[derive(Debug)]
pub struct Budget {
    steps: usize,
    left: usize,
}

impl Default for Budget {
    /// The budget of one request.
    fn default() -> Self {
        Self::new(MAX_STEPS)
    }
}

impl Budget {
    /// A budget of that many steps.
    pub fn new(steps: usize) -> Self {
        Self { steps, left: steps }
    }

    /// Takes steps for the work that comes next. `what` names its cause.
    ///
    /// # Errors
    /// 400 `tooMany` that names the cause, if there are not enough steps left. Nothing can be spent after
    /// that.
    pub fn spend(&mut self, steps: usize, what: &str) -> Result<(), ScimError> {
        if let Some(left) = self.left.checked_sub(steps) {
            self.left = left;
            return Ok(());
        }
        self.left = 0;
        // A path can be long. Its beginning is enough to recognize it.
        let shown: String = what.chars().take(128).collect();
        Err(ScimError::bad_request(
            ScimType::TooMany,
            format!("the request takes too much work at {shown}: more than {} steps; split it", self.steps),
        ))
    }

    /// The steps that were taken so far.
    pub fn spent(&self) -> usize {
        self.steps - self.left
    }
}

/// The steps that it takes to copy, hash or compare a value.
pub fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text_weight(text),
        Value::Array(values) => values.iter().map(weight).sum::<usize>() + 1,
        Value::Object(members) => {
            members.iter().map(|(name, value)| name.len() / BYTES_PER_STEP + weight(value)).sum::<usize>() + 1
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

/// The steps that it takes to copy, hash or compare a text.
pub fn text_weight(text: &str) -> usize {
    text.len() / BYTES_PER_STEP + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_exhausted_budget_names_the_cause() {
        let mut budget = Budget::new(10);
        assert_eq!(budget.spend(10, "emails"), Ok(()));
        assert_eq!(budget.spent(), 10);
        let error = budget.spend(1, "emails[value co \"zz\"]").unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::TooMany)));
        assert!(error.detail.contains("emails[value co"), "{}", error.detail);
        assert!(budget.spend(usize::MAX, &"x".repeat(10_000)).unwrap_err().detail.len() < 300);
    }

    #[test]
    fn the_weight_of_a_value_is_that_of_its_content() {
        assert_eq!(weight(&json!(null)), 1);
        assert_eq!(weight(&json!([1, true, "x"])), 4);
        assert_eq!(weight(&json!({"value": "x".repeat(640)})), 12);
    }
}
