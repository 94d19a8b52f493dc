//! Dialects: shapes other than SCIM's own that callers of other services already send. A dialect is a translation at the edge; behind it there is one
//! model.

mod braze;
mod interop;
mod shape;
mod spelling;

pub(super) use braze::{create, delete, read, replace, shown};
pub(super) use interop::{checked, checked_patch};
pub(crate) use shape::Known;
