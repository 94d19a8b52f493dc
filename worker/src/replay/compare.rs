//! Compares the projections with the shadow, row by row, and makes them alike.

use rollcall_events::OrganizationId;
use serde_json::Value;

use super::shadow::{TABLES, Table};
use crate::project::{APPLICATION_CHANNEL, SETTINGS_CHANNEL};
use crate::store::{Store, StoreError};

/// How many differing rows of a table are told.
const MAX_TOLD: usize = 100;

/// A row that is in one of both only.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Difference {
    /// The table.
    pub(crate) table: &'static str,
    /// The row as the table has it, where the log adds up to another or none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) is: Option<Value>,
    /// The row that the log adds up to, where the table has another or none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) should_be: Option<Value>,
}

/// What was found in all tables of an organization.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Of each table as many as are told.
    pub(crate) told: Vec<Difference>,
    /// How many rows differ.
    pub(crate) rows: u64,
}

/// What is in one schema and not in the other.
fn only_in(table: &Table, schema: &str, other: &str) -> String {
    let Table { name, organization, .. } = table;
    format!("(SELECT * FROM {schema}.{name} WHERE {organization} = $1 EXCEPT ALL SELECT * FROM {other}.{name} WHERE {organization} = $1)")
}

/// The rows of an organization that differ.
pub(super) async fn differences(store: &Store, organization: OrganizationId) -> Result<Found, StoreError> {
    let mut found = Found::default();
    store.plan_for_whole_tables().await?;
    for table in &TABLES {
        let (live, shadow) = (only_in(table, "rollcall", "rollcall_shadow"), only_in(table, "rollcall_shadow", "rollcall"));
        let sql = format!(
            "SELECT d.*, count(*) OVER () AS rows FROM (
                SELECT true AS is_live, to_jsonb(d) AS row FROM {live} d UNION ALL SELECT false, to_jsonb(d) FROM {shadow} d
            ) d LIMIT {MAX_TOLD}"
        );
        let rows = store.query_once(&sql, &[&organization]).await?;
        found.rows += rows.first().map(|row| row.try_get::<_, i64>("rows")).transpose()?.unwrap_or_default().unsigned_abs();
        for row in rows {
            let (is_live, row): (bool, Value) = (row.try_get("is_live")?, row.try_get("row")?);
            let (is, should_be) = if is_live { (Some(row), None) } else { (None, Some(row)) };
            found.told.push(Difference { table: table.name, is, should_be });
        }
    }
    Ok(found)
}

/// Makes the rows of an organization those of the shadow; rows that are alike are not touched. Whoever keeps some of them in memory is told.
pub(super) async fn mend(store: &Store, organization: OrganizationId) -> Result<(), StoreError> {
    for table in &TABLES {
        let (live, shadow) = (only_in(table, "rollcall", "rollcall_shadow"), only_in(table, "rollcall_shadow", "rollcall"));
        let same = table.key.iter().map(|column| format!("t.{column} = d.{column}")).collect::<Vec<_>>().join(" AND ");
        store.query_once(&format!("DELETE FROM rollcall.{0} t USING {live} d WHERE {same}", table.name), &[&organization]).await?;
        store.query_once(&format!("INSERT INTO rollcall.{} SELECT * FROM {shadow} d", table.name), &[&organization]).await?;
    }
    for channel in [APPLICATION_CHANNEL, SETTINGS_CHANNEL] {
        store.command(&format!("NOTIFY {channel}, '{organization}'")).await?;
    }
    Ok(())
}
