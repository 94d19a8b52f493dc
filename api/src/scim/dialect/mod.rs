//! Dialects: shapes other than SCIM's own that callers of other services already send. A dialect is a
//! translation at the edge; behind it there is one model.

mod braze;
mod bulk;
mod changes;
#[cfg(test)]
mod changes_tests;
mod interop;
mod parts;
mod paths;
mod reserved;
#[cfg(test)]
mod reserved_tests;
mod shape;
mod spelling;
mod vocabulary;

pub(super) use braze::{create, delete, patch, read, replace, shown};
pub(super) use bulk::{Found, created, translated_error};
pub(super) use interop::{changes, checked};
pub(crate) use vocabulary::BrazeVocabulary;
