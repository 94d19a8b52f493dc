//! Reads the call log.

use rollcall_events::call_log::Meaning;
use rollcall_events::{EventId, OrganizationId, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Database, ReadError};

/// A text is searched in this number of the newest calls. Searching more would take too long.
const SEARCHED_CALLS: i64 = 200_000;

const FIND: &str = "
    SELECT * FROM (
        SELECT id, at, micros, method, path, query, meaning, subject, subject_id, status, scim_type, detail, txn,
            label, address, user_agent
        FROM requests
        WHERE organization_id = $1 AND ($2::uuid IS NULL OR id < $2) AND ($3::uuid IS NULL OR id > $3)
        ORDER BY id DESC LIMIT $8
    ) r
    WHERE ($4::text IS NULL OR meaning = $4) AND status BETWEEN $5 AND $6
        AND ($7::text IS NULL
            OR position(lower($7) IN lower(concat_ws(
                ' ', path, query, subject, subject_id, scim_type, detail, label, address, txn))) > 0)
    ORDER BY id DESC LIMIT $9";

const CALL: &str = "
    SELECT id, at, micros, method, path, query, meaning, subject, subject_id, status, scim_type, detail, txn, label,
        address, user_agent, request_body, response_body
    FROM requests WHERE organization_id = $1 AND id = $2";

const RECORDING: &str = "SELECT bodies_until FROM organizations WHERE id = $1 AND bodies_until > now()";

/// The conditions of a search.
#[derive(Debug, Clone, Default)]
pub struct CallFilter {
    /// Only calls before this one.
    pub before: Option<Uuid>,
    /// Only calls after this one.
    pub after: Option<Uuid>,
    /// Only calls with this meaning.
    pub meaning: Option<Meaning>,
    /// Whether to find only failed calls (`true`) or only successful ones (`false`).
    pub failed: Option<bool>,
    /// Only calls that contain this text.
    pub text: Option<String>,
}

/// A call in the call log.
pub struct FoundCall {
    /// The id of the call.
    pub id: Uuid,
    /// When the call arrived.
    pub at: Timestamp,
    /// How long the answer took, in microseconds.
    pub micros: i64,
    /// The HTTP method.
    pub method: String,
    /// The path below the base path.
    pub path: String,
    /// The redacted query string.
    pub query: Option<String>,
    /// What the call was for.
    pub meaning: Meaning,
    /// The name of the user or group.
    pub subject: Option<String>,
    /// The id of the user or group.
    pub subject_id: Option<Uuid>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The `scimType` of the error.
    pub scim_type: Option<String>,
    /// The detail of the error.
    pub detail: Option<String>,
    /// The transaction of the request.
    pub txn: Option<EventId>,
    /// The label of the token.
    pub label: String,
    /// The caller's address.
    pub address: Option<String>,
    /// The caller's `User-Agent`.
    pub user_agent: Option<String>,
}

/// A call with its bodies, if they were recorded.
pub struct CallWithBodies {
    /// The call.
    pub call: FoundCall,
    /// The recorded body of the request.
    pub request_body: Option<String>,
    /// The recorded body of the answer.
    pub response_body: Option<String>,
}

/// Finds a call of an organization.
pub async fn find_call(
    database: &Database,
    organization: OrganizationId,
    id: Uuid,
) -> Result<Option<CallWithBodies>, ReadError> {
    let Some(row) = database.points(organization).query_opt(CALL, &[&organization, &id]).await? else {
        return Ok(None);
    };
    let (request_body, response_body) = (row.try_get("request_body")?, row.try_get("response_body")?);
    Ok(Some(CallWithBodies { call: found(&row)?, request_body, response_body }))
}

/// The time until which an organization's bodies are recorded, if they are.
pub async fn recording(database: &Database, organization: OrganizationId) -> Result<Option<Timestamp>, ReadError> {
    let row = database.points(organization).query_opt(RECORDING, &[&organization]).await?;
    Ok(row.map(|row| row.try_get("bodies_until")).transpose()?)
}

/// The newest calls that match, newest first.
pub async fn find_calls(
    database: &Database,
    organization: OrganizationId,
    filter: &CallFilter,
    count: u32,
) -> Result<Vec<FoundCall>, ReadError> {
    let (least, most): (i16, i16) = match filter.failed {
        None => (0, i16::MAX),
        Some(false) => (0, 399),
        Some(true) => (400, i16::MAX),
    };
    let meaning = filter.meaning.map(Meaning::as_str);
    let rows = database
        .queries(organization)
        .query(
            FIND,
            &[
                &organization,
                &filter.before,
                &filter.after,
                &meaning,
                &least,
                &most,
                &filter.text,
                &SEARCHED_CALLS,
                &i64::from(count),
            ],
        )
        .await?;
    rows.iter().map(found).collect()
}

fn found(row: &Row) -> Result<FoundCall, ReadError> {
    let meaning: &str = row.try_get("meaning")?;
    Ok(FoundCall {
        id: row.try_get("id")?,
        at: row.try_get("at")?,
        micros: row.try_get("micros")?,
        method: row.try_get("method")?,
        path: row.try_get("path")?,
        query: row.try_get("query")?,
        meaning: meaning.parse().unwrap_or(Meaning::Other),
        subject: row.try_get("subject")?,
        subject_id: row.try_get("subject_id")?,
        status: row.try_get::<_, i16>("status")?.unsigned_abs(),
        scim_type: row.try_get("scim_type")?,
        detail: row.try_get("detail")?,
        txn: row.try_get("txn")?,
        label: row.try_get("label")?,
        address: row.try_get("address")?,
        user_agent: row.try_get("user_agent")?,
    })
}
