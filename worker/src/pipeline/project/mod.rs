//! Projects facts into the tables that applications and the api read. It uses one statement per table,
//! however many facts there are. The live path and a replay use the same code.

mod groups;
mod projection;
mod users;

pub(crate) use projection::{Projection, ProjectionRows, statements};
