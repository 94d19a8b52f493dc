//! Users as they are now.

use rollcall_events::membership::show_names;
use rollcall_events::{OrganizationId, UserId, WorkspaceId};
use rollcall_scim::ScimError;
use rollcall_scim::filter::{Comparison, Filter, Scope, check};
use rollcall_scim::fold::fold;
use rollcall_scim::list::Window;
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::USER;
use serde_json::Value;
use std::collections::BTreeMap;
use tokio_postgres::Row;
use tokio_postgres::types::{Json, ToSql};

use super::{Database, ReadError};

/// A user's resource and the names of the workspaces that it is in.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT u.resource, (
                SELECT jsonb_object_agg(w.id, w.name)
                FROM workspace_members m JOIN workspaces w ON w.organization_id = m.organization_id AND w.id = m.workspace_id
                WHERE m.organization_id = u.organization_id AND m.user_id = u.id
            ) AS workspace_names
            FROM users u WHERE u.organization_id = $1",
            $rest
        )
    };
}

const BY_ID: &str = select!(" AND u.id = $2");
const BY_NAME: &str = select!(" AND u.user_name_key = $2");
const BY_EXTERNAL_ID: &str = select!(" AND u.external_id = $2 ORDER BY u.id OFFSET $3 LIMIT $4");
const ALL: &str = select!(" ORDER BY u.id OFFSET $2 LIMIT $3");

const COUNT_ALL: &str = "SELECT count(*) FROM users WHERE organization_id = $1";
const COUNT_BY_EXTERNAL_ID: &str = "SELECT count(*) FROM users WHERE organization_id = $1 AND external_id = $2";

/// Which users are asked for.
#[derive(Debug, PartialEq)]
pub(crate) enum UserQuery {
    /// Every user of the organisation.
    All,
    /// The one with that id.
    Id(UserId),
    /// The one whose name has that key.
    UserName(String),
    /// Those with that external id.
    ExternalId(String),
    /// None: no user can have the value that was asked for.
    Nobody,
}

impl TryFrom<&Filter> for UserQuery {
    type Error = ScimError;

    /// Knows the filters that identity providers send before they create somebody: `eq` on `userName`, `externalId` and `id`.
    fn try_from(filter: &Filter) -> Result<Self, ScimError> {
        check(filter, Scope::Resource(&USER))?;
        let unsupported = || ScimError::invalid_filter("only userName, externalId and id can be searched by so far, each with eq");
        let Filter::Compare(path, Comparison::Eq, Value::String(value)) = filter else { return Err(unsupported()) };
        let is_core = path.urn.as_ref().is_none_or(|urn| urn.eq_ignore_ascii_case(&USER.core.id));
        match path.name.to_ascii_lowercase().as_str() {
            "username" if is_core => Ok(Self::UserName(fold(value))),
            "externalid" if is_core => Ok(Self::ExternalId(value.clone())),
            "id" if is_core => Ok(value.parse().map_or(Self::Nobody, Self::Id)),
            _ => Err(unsupported()),
        }
    }
}

/// The user with that id.
pub(crate) async fn find_user(database: &Database, organization: OrganizationId, id: UserId) -> Result<Option<Attributes>, ReadError> {
    database.query_opt(BY_ID, &[&organization, &id]).await?.as_ref().map(user).transpose()
}

/// One page of users in the order of their creation, and how many match in all.
pub(crate) async fn list_users(
    database: &Database,
    organization: OrganizationId,
    query: &UserQuery,
    window: Window,
) -> Result<(u64, Vec<Attributes>), ReadError> {
    let offset = i64::try_from(window.start_index - 1).unwrap_or(i64::MAX);
    let limit = i64::try_from(window.count).unwrap_or(i64::MAX);
    let (list, count): (Vec<Row>, _) = match query {
        UserQuery::Nobody => return Ok((0, Vec::new())),
        UserQuery::Id(id) => return one(database, BY_ID, &[&organization, id], window).await,
        UserQuery::UserName(key) => return one(database, BY_NAME, &[&organization, key], window).await,
        UserQuery::ExternalId(value) => {
            let rows = database.query(BY_EXTERNAL_ID, &[&organization, value, &offset, &limit]).await?;
            (rows, (COUNT_BY_EXTERNAL_ID, vec![&organization as &(dyn ToSql + Sync), value]))
        }
        UserQuery::All => {
            let rows = database.query(ALL, &[&organization, &offset, &limit]).await?;
            (rows, (COUNT_ALL, vec![&organization as &(dyn ToSql + Sync)]))
        }
    };
    let users = list.iter().map(user).collect::<Result<Vec<_>, _>>()?;
    // A page that is not full, and not past the end, tells the total by itself.
    let is_last = (users.len() as u64) < window.count && (!users.is_empty() || offset == 0);
    if is_last {
        return Ok((window.start_index - 1 + users.len() as u64, users));
    }
    let total: i64 = match database.query_opt(count.0, &count.1).await? {
        Some(row) => row.try_get(0)?,
        None => 0,
    };
    Ok((total.unsigned_abs(), users))
}

/// A query that one user can match at the most.
async fn one(
    database: &Database,
    sql: &'static str,
    parameters: &[&(dyn ToSql + Sync)],
    window: Window,
) -> Result<(u64, Vec<Attributes>), ReadError> {
    let found = database.query_opt(sql, parameters).await?.as_ref().map(user).transpose()?;
    let total = u64::from(found.is_some());
    Ok((total, found.into_iter().filter(|_| window.start_index == 1 && window.count > 0).collect()))
}

fn user(row: &Row) -> Result<Attributes, ReadError> {
    let Json(mut resource): Json<Attributes> = row.try_get("resource")?;
    if let Some(Json(names)) = row.try_get::<_, Option<Json<BTreeMap<WorkspaceId, String>>>>("workspace_names")? {
        show_names(&mut resource, &names);
    }
    Ok(resource)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_scim::filter::parse;
    use test_case::test_case;

    fn query(filter: &str) -> Result<UserQuery, ScimError> {
        UserQuery::try_from(&parse(filter).unwrap())
    }

    #[test_case(r#"userName eq "ADA""#, &UserQuery::UserName("ada".to_owned()); "name")]
    #[test_case(r#"USERNAME Eq "Straße""#, &UserQuery::UserName("strasse".to_owned()); "any case")]
    #[test_case(r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "ada""#, &UserQuery::UserName("ada".to_owned()); "qualified")]
    #[test_case(r#"externalId eq "E1""#, &UserQuery::ExternalId("E1".to_owned()); "external id, whose case counts")]
    #[test_case(r#"id eq "nobody""#, &UserQuery::Nobody; "an id that is none")]
    fn known(filter: &str, expected: &UserQuery) {
        assert_eq!(query(filter).as_ref(), Ok(expected));
    }

    #[test_case(r#"userName sw "a""#; "another operator")]
    #[test_case(r#"title eq "x""#; "another attribute")]
    #[test_case(r#"shoeSize eq "x""#; "an unknown attribute")]
    #[test_case(r#"userName eq "a" and active eq true"#; "a conjunction")]
    fn refused(filter: &str) {
        assert_eq!(query(filter).unwrap_err().scim_type, Some(rollcall_scim::ScimType::InvalidFilter));
    }
}
