//! Rows and statements that several projections share.

use rollcall_events::{OrganizationId, Timestamp};
use uuid::Uuid;

use crate::db::{StoreError, rows};

/// A key within an organization.
pub(super) type RowKey<T> = (OrganizationId, T);

rows! {
    /// Rows that are identified by an organization and an id.
    pub(super) struct Ids { organization_id: OrganizationId => "uuid", id: Uuid => "uuid" }
}

rows! {
    /// A change in a number of an organization; negative if it decreases.
    pub(super) struct Counts { organization_id: OrganizationId => "uuid", more: i64 => "bigint" }
}

impl FromIterator<(OrganizationId, Uuid)> for Ids {
    fn from_iter<I: IntoIterator<Item = (OrganizationId, Uuid)>>(keys: I) -> Self {
        let (organization_id, id) = keys.into_iter().unzip();
        Self { organization_id, id }
    }
}

impl FromIterator<(OrganizationId, i64)> for Counts {
    fn from_iter<I: IntoIterator<Item = (OrganizationId, i64)>>(counts: I) -> Self {
        let (organization_id, more) = counts.into_iter().unzip();
        Self { organization_id, more }
    }
}

/// Deletes the rows of a table whose column has one of some ids.
pub(super) fn delete_by(table: &str, column: &str) -> String {
    format!(
        "DELETE FROM {table} t USING {} WHERE t.organization_id = r.organization_id AND t.{column} = r.id",
        Ids::source(1)
    )
}

/// Reads a time of a resource's `meta`.
pub(super) fn timestamp(text: &str) -> Result<Timestamp, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable("a resource's meta has no time".to_owned()))
}
