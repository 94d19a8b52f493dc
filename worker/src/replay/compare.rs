//! Compares the projections with the shadow, row by row, and repairs them.

use rollcall_events::OrganizationId;
use serde_json::Value;

use super::shadow::{TABLES, Table};
use crate::db::{APPLICATION_CHANNEL, SETTINGS_CHANNEL};
use crate::db::{Store, StoreError};

/// Maximum number of differing rows that are reported per table.
const MAX_REPORTED: usize = 100;

/// A row that only the projection or only the shadow has.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Difference {
    /// The name of the table.
    pub(crate) table: &'static str,
    /// The row as the projection has it, if the log gives another row or none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) is: Option<Value>,
    /// The row that the log gives, if the projection has another row or none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) should_be: Option<Value>,
}

/// The differences in all tables of an organization.
#[derive(Debug, Default)]
pub(crate) struct TableDifferences {
    /// The reported rows, up to a maximum per table.
    pub(crate) reported: Vec<Difference>,
    /// The number of rows that differ.
    pub(crate) rows: u64,
}

/// Selects the rows that one schema has and the other one does not.
fn only_in(table: &Table, schema: &str, other: &str) -> String {
    let Table { name, organization, .. } = table;
    format!(
        "(SELECT * FROM {schema}.{name} WHERE {organization} = $1
        EXCEPT ALL SELECT * FROM {other}.{name} WHERE {organization} = $1)"
    )
}

/// Finds the rows of an organization that differ.
pub(super) async fn differences(store: &Store, organization: OrganizationId) -> Result<TableDifferences, StoreError> {
    let mut found = TableDifferences::default();
    store.plan_for_whole_tables().await?;
    for table in &TABLES {
        let (live, shadow) =
            (only_in(table, "rollcall", "rollcall_shadow"), only_in(table, "rollcall_shadow", "rollcall"));
        let sql = format!(
            "SELECT d.*, count(*) OVER () AS rows FROM (
                SELECT true AS is_live, to_jsonb(d) AS row FROM {live} d
                UNION ALL SELECT false, to_jsonb(d) FROM {shadow} d
            ) d LIMIT {MAX_REPORTED}"
        );
        let rows = store.query_once(&sql, &[&organization]).await?;
        found.rows +=
            rows.first().map(|row| row.try_get::<_, i64>("rows")).transpose()?.unwrap_or_default().unsigned_abs();
        for row in rows {
            let (is_live, row): (bool, Value) = (row.try_get("is_live")?, row.try_get("row")?);
            let (is, should_be) = if is_live { (Some(row), None) } else { (None, Some(row)) };
            found.reported.push(Difference { table: table.name, is, should_be });
        }
    }
    Ok(found)
}

/// Replaces the differing rows of an organization by those of the shadow. Equal rows are not touched.
/// Notifies the processes that cache some of the rows.
pub(super) async fn repair(store: &Store, organization: OrganizationId) -> Result<(), StoreError> {
    for table in &TABLES {
        let (live, shadow) =
            (only_in(table, "rollcall", "rollcall_shadow"), only_in(table, "rollcall_shadow", "rollcall"));
        let same = table.key.iter().map(|column| format!("t.{column} = d.{column}")).collect::<Vec<_>>().join(" AND ");
        store
            .query_once(
                &format!("DELETE FROM rollcall.{0} t USING {live} d WHERE {same}", table.name),
                &[&organization],
            )
            .await?;
        store
            .query_once(&format!("INSERT INTO rollcall.{} SELECT * FROM {shadow} d", table.name), &[&organization])
            .await?;
    }
    for channel in [APPLICATION_CHANNEL, SETTINGS_CHANNEL] {
        store.command(&format!("NOTIFY {channel}, '{organization}'")).await?;
    }
    Ok(())
}
