//! The `list` commands. They read from the database.

use rollcall_events::request::EntitlementKind;
use rollcall_events::{EntitlementId, OrganizationId, SessionId, StreamId, Timestamp, TokenId, WorkspaceId};
use serde_json::{Value, json};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::error::CommandError;
use super::print::print;

use crate::db::{Database, TaskError};
use crate::settings::Settings;

const ORGANIZATIONS: &str = "SELECT id, name, created_at FROM organizations ORDER BY created_at, id";

const WORKSPACES: &str =
    "SELECT id, name, created_at FROM workspaces WHERE organization_id = $1 ORDER BY created_at, id";

const ENTITLEMENTS: &str = "
    SELECT id, name, type, description, created_at FROM entitlements WHERE organization_id = $1 AND kind = $2
    ORDER BY created_at, id";

const TOKENS: &str = "
    SELECT id, label, default_workspace_id, service_origin, origin_required, allow_list, dialect, created_at,
        expires_at, revoked_at, calls_per_second, prefix
    FROM scim_tokens WHERE organization_id = $1 ORDER BY created_at, id";

const AUDITOR_TOKENS: &str = "
    SELECT id, label, allow_list, created_at, expires_at, revoked_at FROM auditor_tokens
    WHERE organization_id = $1 ORDER BY created_at, id";

const SESSIONS: &str = "
    SELECT id, name, role, issuer, subject, created_at, signed_in_at, ended_at FROM admin_sessions
    WHERE organization_id = $1 ORDER BY created_at, id";

const STREAMS: &str = "
    SELECT s.id, s.label, s.audience, s.events, s.workspaces, s.endpoint, s.created_at, s.enabled, s.reason,
        p.failing_since, p.failure,
        COALESCE(p.seq, s.begins_after) AS seq, h.size
    FROM event_streams s
    LEFT JOIN stream_positions p ON p.organization_id = s.organization_id AND p.stream_id = s.id
    LEFT JOIN log_heads h ON h.organization_id = s.organization_id
    WHERE s.organization_id = $1 ORDER BY s.created_at, s.id";

const APPLICATION: &str = "rollcall-worker list";

/// Prints one line per row. Reads the rows page by page.
pub(super) async fn print_rows(
    settings: &Settings,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
    line: impl Fn(&Row) -> Result<Value, tokio_postgres::Error>,
) -> Result<(), CommandError> {
    let mut database = Database::open(&settings.database_url, APPLICATION).await?;
    let show = |row: &Row| {
        print(&line(row)?);
        Ok::<(), TaskError>(())
    };
    Ok(database.pages(sql, parameters, show).await?)
}

pub(super) async fn organizations(settings: &Settings) -> Result<(), CommandError> {
    print_rows(settings, ORGANIZATIONS, &[], named).await
}

pub(super) async fn workspaces(settings: &Settings, organization: OrganizationId) -> Result<(), CommandError> {
    print_rows(settings, WORKSPACES, &[&organization], named).await
}

/// The line of an organization or a workspace.
fn named(row: &Row) -> Result<Value, tokio_postgres::Error> {
    let (id, name, created_at): (Uuid, &str, Timestamp) =
        (row.try_get("id")?, row.try_get("name")?, row.try_get("created_at")?);
    Ok(json!({"id": id, "name": name, "created_at": created_at}))
}

pub(super) async fn entitlements(
    settings: &Settings,
    organization: OrganizationId,
    kind: EntitlementKind,
) -> Result<(), CommandError> {
    print_rows(settings, ENTITLEMENTS, &[&organization, &kind.as_str()], |row| {
        Ok(json!({
            "id": row.try_get::<_, EntitlementId>("id")?,
            "name": row.try_get::<_, &str>("name")?,
            "type": row.try_get::<_, &str>("type")?,
            "description": row.try_get::<_, Option<&str>>("description")?,
            "created_at": row.try_get::<_, Timestamp>("created_at")?,
        }))
    })
    .await
}

pub(super) async fn tokens(settings: &Settings, organization: OrganizationId) -> Result<(), CommandError> {
    print_rows(settings, TOKENS, &[&organization], |row| {
        Ok(json!({
            "id": row.try_get::<_, TokenId>("id")?,
            "label": row.try_get::<_, &str>("label")?,
            "default_workspace": row.try_get::<_, WorkspaceId>("default_workspace_id")?,
            "service_origin": row.try_get::<_, &str>("service_origin")?,
            "origin_required": row.try_get::<_, bool>("origin_required")?,
            "allow_list": row.try_get::<_, Option<&str>>("allow_list")?,
            "dialect": row.try_get::<_, &str>("dialect")?,
            "prefix": row.try_get::<_, Option<&str>>("prefix")?,
            "calls_per_second": row.try_get::<_, Option<i32>>("calls_per_second")?,
            "created_at": row.try_get::<_, Timestamp>("created_at")?,
            "expires_at": row.try_get::<_, Option<Timestamp>>("expires_at")?,
            "revoked_at": row.try_get::<_, Option<Timestamp>>("revoked_at")?,
        }))
    })
    .await
}

pub(super) async fn auditor_tokens(settings: &Settings, organization: OrganizationId) -> Result<(), CommandError> {
    print_rows(settings, AUDITOR_TOKENS, &[&organization], |row| {
        Ok(json!({
            "id": row.try_get::<_, TokenId>("id")?,
            "label": row.try_get::<_, &str>("label")?,
            "allow_list": row.try_get::<_, Option<&str>>("allow_list")?,
            "created_at": row.try_get::<_, Timestamp>("created_at")?,
            "expires_at": row.try_get::<_, Option<Timestamp>>("expires_at")?,
            "revoked_at": row.try_get::<_, Option<Timestamp>>("revoked_at")?,
        }))
    })
    .await
}

pub(super) async fn sessions(settings: &Settings, organization: OrganizationId) -> Result<(), CommandError> {
    print_rows(settings, SESSIONS, &[&organization], |row| {
        Ok(json!({
            "id": row.try_get::<_, SessionId>("id")?,
            "name": row.try_get::<_, &str>("name")?,
            "role": row.try_get::<_, &str>("role")?,
            "issuer": row.try_get::<_, Option<&str>>("issuer")?,
            "subject": row.try_get::<_, Option<&str>>("subject")?,
            "created_at": row.try_get::<_, Timestamp>("created_at")?,
            "signed_in_at": row.try_get::<_, Option<Timestamp>>("signed_in_at")?,
            "ended_at": row.try_get::<_, Option<Timestamp>>("ended_at")?,
        }))
    })
    .await
}

pub(super) async fn streams(settings: &Settings, organization: OrganizationId) -> Result<(), CommandError> {
    print_rows(settings, STREAMS, &[&organization], |row| {
        Ok(json!({
            "id": row.try_get::<_, StreamId>("id")?,
            "label": row.try_get::<_, &str>("label")?,
            "audience": row.try_get::<_, &str>("audience")?,
            "events": row.try_get::<_, Vec<&str>>("events")?,
            "workspaces": row.try_get::<_, Vec<WorkspaceId>>("workspaces")?,
            "push": row.try_get::<_, Option<&str>>("endpoint")?,
            "created_at": row.try_get::<_, Timestamp>("created_at")?,
            "enabled": row.try_get::<_, bool>("enabled")?,
            "reason": row.try_get::<_, Option<&str>>("reason")?,
            "failing_since": row.try_get::<_, Option<Timestamp>>("failing_since")?,
            "failure": row.try_get::<_, Option<&str>>("failure")?,
            "delivered_up_to": row.try_get::<_, i64>("seq")?,
            "log_size": row.try_get::<_, Option<i64>>("size")?,
        }))
    })
    .await
}
