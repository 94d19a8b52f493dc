//! Filters (RFC 7644 section 3.4.2.2): parsed once at the edge, then printed, evaluated or compiled to SQL.

mod ast;
mod check;
mod compare;
mod eval;
mod fit;
mod matcher;
mod parse;
mod print;

pub use ast::{AttributePath, Comparison, Filter, ResolvedPath, Scope};
pub use check::check;
pub use eval::matches;
pub use fit::fit;
pub use matcher::Matcher;
pub use parse::{MAX_DEPTH, MAX_LENGTH, MAX_TERMS, parse};
pub(crate) use parse::{attribute_path, bracketed, whole};

/// Parses the name of an attribute, as in `sortBy`.
///
/// # Errors
/// The place of the fault in the name.
pub fn parse_name(text: &str) -> Result<AttributePath, String> {
    whole(text, attribute_path)
}
