//! Looks up the outcome of a request in the log.

use rollcall_events::log::{ErrorCode, EventType, SubjectType};
use rollcall_events::{EventId, OrganizationId, Timestamp};
use rollcall_scim::ScimError;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::{Database, ReadError};

const FIND: &str = "
    SELECT type, subject_type, subject_id, recorded_at, error, payload ->> 'detail' AS detail,
        payload ->> 'operation' AS operation, payload #>> '{resource,meta,version}' AS version
    FROM events WHERE organization_id = $1 AND event_id = $2";

/// A dead letter that cannot be read may have no organization, and then belongs to the system organization. A
/// dead letter that is being retried has no outcome yet.
const DEAD_LETTER: &str = "
    SELECT kept_at FROM dead_letters
    WHERE organization_id IN ($1, '00000000-0000-0000-0000-000000000000') AND message_id = $2::uuid::text
        AND retried_at IS NULL LIMIT 1";

/// A request that the log has.
pub struct LogEntry {
    /// The type of the event.
    pub event_type: EventType,
    /// The type of the subject.
    pub subject_type: Option<SubjectType>,
    /// The id of the subject.
    pub subject_id: Option<Uuid>,
    /// When the entry was recorded.
    pub recorded_at: Timestamp,
    /// Why it was rejected, if it was.
    pub error: Option<ScimError>,
    /// The operation that was requested; `None` if it was erased.
    pub operation: Option<String>,
    /// The entity tag of the resource after the request.
    pub version: Option<String>,
}

/// The log entry of a request, if it is recorded yet.
pub async fn find_event(
    database: &Database,
    organization: OrganizationId,
    id: EventId,
) -> Result<Option<LogEntry>, ReadError> {
    let Some(row) = database.points(organization).query_opt(FIND, &[&organization, &id]).await? else {
        return Ok(None);
    };
    let name: &str = row.try_get("type")?;
    let (error, detail): (Option<Json<ErrorCode>>, _) = (row.try_get("error")?, row.try_get("detail")?);
    Ok(Some(LogEntry {
        event_type: EventType::from_name(name)
            .ok_or_else(|| ReadError::Malformed(format!("the log has the unknown type {name}")))?,
        subject_type: row.try_get::<_, Option<&str>>("subject_type")?.and_then(SubjectType::from_name),
        subject_id: row.try_get("subject_id")?,
        recorded_at: row.try_get("recorded_at")?,
        error: error.map(|Json(code)| code.with_detail(detail)),
        operation: row.try_get("operation")?,
        version: row.try_get("version")?,
    }))
}

/// The time at which a request became a dead letter, if it is one.
pub async fn find_dead_letter(
    database: &Database,
    organization: OrganizationId,
    id: EventId,
) -> Result<Option<Timestamp>, ReadError> {
    let row = database.points(organization).query_opt(DEAD_LETTER, &[&organization, &id]).await?;
    Ok(row.map(|row| row.try_get("kept_at")).transpose()?)
}
