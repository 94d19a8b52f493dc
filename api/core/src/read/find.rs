//! Finds one resource, by its id or its unique attribute.

use rollcall_events::membership::show_names;
use rollcall_events::{OrganizationId, UserId, WorkspaceId};
use rollcall_scim::attributes::Projection;
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::ROLLCALL_SCHEMA;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::table::Table;
use super::version::JoinedParts;
use super::{Database, ReadError};
use crate::offload::offload;

/// The resource with this id.
pub async fn find_by_id(
    database: &Database,
    table: &'static Table,
    organization: OrganizationId,
    id: Uuid,
    projection: &Projection,
) -> Result<Option<Attributes>, ReadError> {
    read_row(table, database.points(organization).query_opt(table.by_id(projection), &[&organization, &id]).await?)
        .await
}

/// The resource whose unique attribute has this key.
pub async fn find_by_key(
    database: &Database,
    table: &'static Table,
    organization: OrganizationId,
    key: &str,
    projection: &Projection,
) -> Result<Option<Attributes>, ReadError> {
    read_row(table, database.points(organization).query_opt(table.by_key(projection), &[&organization, &key]).await?)
        .await
}

/// The attributes of a user that a PUT in another dialect keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct UserSummary {
    /// The `userName`.
    pub user_name: String,
    /// The value of `entitlements`, if there is one.
    pub entitlements: Option<Value>,
}

const USER_SUMMARIES: &str =
    "SELECT id, resource ->> 'userName' AS user_name, resource -> 'entitlements' AS entitlements
    FROM users WHERE organization_id = $1 AND id = ANY ($2)";

/// The summaries of users. Users who do not exist are missing.
pub async fn user_summaries(
    database: &Database,
    organization: OrganizationId,
    users: &[UserId],
) -> Result<HashMap<UserId, UserSummary>, ReadError> {
    let rows = database.points(organization).query(USER_SUMMARIES, &[&organization, &users]).await?;
    let summary = |row: &Row| {
        let (user_name, entitlements) = (row.try_get("user_name")?, row.try_get("entitlements")?);
        Ok((row.try_get("id")?, UserSummary { user_name, entitlements }))
    };
    rows.iter().map(summary).collect()
}

/// Adds to a changed resource the parts that are stored in other tables and returned with it.
pub async fn complete(
    database: &Database,
    table: &'static Table,
    organization: OrganizationId,
    id: Uuid,
    projection: &Projection,
    left: &mut Attributes,
) -> Result<(), ReadError> {
    if let Some(row) = database.points(organization).query_opt(table.by_id(projection), &[&organization, &id]).await? {
        relate(table, &row, left)?;
    }
    Ok(())
}

async fn read_row(table: &'static Table, row: Option<Row>) -> Result<Option<Attributes>, ReadError> {
    let Some(row) = row else { return Ok(None) };
    offload(row.raw_size_bytes(), move || resource(table, &row)).await?.map(Some)
}

/// Reads a resource from a row.
pub(super) fn resource(table: &Table, row: &Row) -> Result<Attributes, ReadError> {
    let Json(mut resource): Json<Attributes> = row.try_get("resource")?;
    relate(table, row, &mut resource)?;
    Ok(resource)
}

/// Adds the parts from other tables to a resource, and the entity tag that covers them.
fn relate(table: &Table, row: &Row, resource: &mut Attributes) -> Result<(), ReadError> {
    let mut joined = JoinedParts::default();
    if let Some(Json(names)) = row.try_get::<_, Option<Json<BTreeMap<WorkspaceId, String>>>>("names")? {
        joined.add("names", &names)?;
        show_names(resource, &names);
    }
    if let (Some((attribute, _)), Some(derived)) = (table.derived, row.try_get::<_, Option<Value>>("derived")?) {
        joined.add(attribute, &derived)?;
        let extension = resource.entry(ROLLCALL_SCHEMA).or_insert_with(|| Value::Object(Attributes::new()));
        extension[attribute] = derived;
    }
    if let (Some(relation), Some(related)) = (&table.relation, row.try_get::<_, Option<Value>>("related")?) {
        joined.add(relation.attribute, &related)?;
        resource.insert(relation.attribute.to_owned(), related);
    }
    joined.mark(resource);
    Ok(())
}
