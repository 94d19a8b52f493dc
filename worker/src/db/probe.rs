//! Runs every statement without rows, so that a missing column or privilege is found before a message is
//! consumed.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{IsNull, Kind, ToSql, Type, to_sql_checked};

use super::{Store, StoreError};

/// No rows: an empty array if a statement takes an array, otherwise NULL.
#[derive(Debug)]
struct NoRows;

impl ToSql for NoRows {
    fn to_sql(&self, of_type: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Kind::Array(element) = of_type.kind() else { return Ok(IsNull::Yes) };
        // The binary format of an array without dimensions: their number, whether there are NULLs, the
        // element type.
        out.put_i32(0);
        out.put_i32(0);
        out.put_u32(element.oid());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl Store {
    /// Runs every prepared statement without rows, in a transaction that is rolled back. Postgres still
    /// checks columns and privileges.
    ///
    /// # Errors
    /// The error of the first statement that fails.
    pub(crate) async fn probe(&self) -> Result<(), StoreError> {
        self.command("BEGIN").await?;
        let probed = self.run_without_rows().await;
        if !self.is_closed() {
            // Report the original error, not that of the rollback.
            let _ = self.command("ROLLBACK").await;
        }
        probed
    }

    async fn run_without_rows(&self) -> Result<(), StoreError> {
        for (sql, statement) in &self.statements {
            if !super::store::TRANSACTION.contains(sql) {
                let nothing = vec![&NoRows as &(dyn ToSql + Sync); statement.params().len()];
                self.client.query(statement, &nothing).await?;
            }
        }
        Ok(())
    }
}
