//! Parameters of statements.

use tokio_postgres::types::ToSql;

/// A parameter: usually a column of the rows that a statement takes.
pub(crate) type Parameter<'a> = &'a (dyn ToSql + Sync);
