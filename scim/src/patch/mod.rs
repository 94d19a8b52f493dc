//! PATCH (RFC 7644 section 3.5.2). The api reads it into operations that the schemas allow. The worker
//! applies them to the state.

mod apply;
mod parse;
mod target;
mod values;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use apply::apply;
pub use parse::{Translation, parse, parse_translated};

use crate::path::Path;

/// The schema of a PATCH body.
pub const PATCH_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// The most operations in one PATCH. A value without a path counts as one operation for each attribute.
pub const MAX_OPERATIONS: usize = 1000;

/// The kind of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Adds or sets a value.
    Add,
    /// Removes values.
    Remove,
    /// Replaces a value.
    Replace,
}

/// One operation. It has a path, and its value has the type of the schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// The kind of the operation.
    pub op: Op,
    /// The target.
    pub path: Path,
    /// The value; `None` only for the removal of the whole target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

#[cfg(test)]
mod tests;
