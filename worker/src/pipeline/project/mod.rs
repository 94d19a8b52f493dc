//! Projects facts into the tables that applications and the api read. It uses one statement per table,
//! however many facts there are. The live path and a replay use the same code.

mod entitlements;
mod groups;
mod projection;
mod rows;
mod sessions;
mod settings;
mod streams;
mod users;

pub(crate) use projection::{Projection, ProjectionRows, statements};
