//! Parameters of statements.

use tokio_postgres::types::ToSql;

/// A parameter of a statement, usually one column of all rows.
pub(crate) type Parameter<'a> = &'a (dyn ToSql + Sync);
