//! PATCH (RFC 7644 section 3.5.2): read at the edge into operations that the schemas allow, applied where the state is.

mod apply;
mod parse;
mod values;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use apply::apply;
pub use parse::{Translation, parse, parse_translated};

use crate::path::Path;

/// The schema of a PATCH body.
pub const PATCH_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// The most operations in one PATCH, after a value without a path was taken apart into one for each attribute.
pub const MAX_OPERATIONS: usize = 1000;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Adds or sets a value.
    Add,
    /// Removes values.
    Remove,
    /// Sets a value in place of another.
    Replace,
}

/// One operation: every one has a path here, and its value has the type that the schema gives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// What is done.
    pub op: Op,
    /// Where.
    pub path: Path,
    /// With what; `None` only for a removal of all that the path leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

#[cfg(test)]
mod tests;
