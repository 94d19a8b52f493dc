//! SCIM tokens, as the settings page lists them. No part of a secret is read except its prefix.

use rollcall_events::name::Label;
use rollcall_events::rate::CallsPerSecond;
use rollcall_events::request::TokenSettings;
use rollcall_events::{OrganizationId, Timestamp, TokenId};
use tokio_postgres::Row;

use super::{Database, ReadError};
use crate::auth::calls_per_second;

/// Tokens, with the creator from the log, and the last use from the log and the call log, so that reads count
/// too.
macro_rules! tokens {
    ($where:literal) => {
        concat!(
            "SELECT t.id, t.label, t.default_workspace_id, w.name AS workspace, t.service_origin, t.origin_required,
                t.allow_list, t.dialect, t.created_at, t.expires_at, t.revoked_at, t.calls_per_second, t.prefix,
                i.actor ->> 'label' AS created_by, u.at AS used_at, u.address AS used_from
            FROM scim_tokens t
            JOIN workspaces w ON w.organization_id = t.organization_id AND w.id = t.default_workspace_id
            LEFT JOIN LATERAL (
                SELECT actor FROM events e
                WHERE e.organization_id = $1 AND e.subject_id = t.id AND e.type = 'TokenIssued' ORDER BY seq LIMIT 1
            ) i ON true
            LEFT JOIN LATERAL (
                (
                    SELECT recorded_at AS at, actor ->> 'address' AS address FROM events e
                    WHERE e.organization_id = $1 AND e.actor_id = t.id AND e.type <> 'AccessDenied'
                    ORDER BY seq DESC LIMIT 1
                ) UNION ALL (
                    SELECT at, address FROM requests r
                    WHERE r.organization_id = $1 AND r.token_id = t.id AND r.status NOT IN (401, 403)
                    ORDER BY id DESC LIMIT 1
                ) ORDER BY at DESC LIMIT 1
            ) u ON true
            WHERE t.organization_id = $1 ",
            $where
        )
    };
}

/// Valid tokens first, then by age with the newest first.
const LIST: &str = tokens!("ORDER BY t.revoked_at IS NOT NULL, t.created_at DESC, t.id LIMIT 500");
const FIND: &str = tokens!("AND t.id = $2");

/// A SCIM token.
#[derive(Debug, Clone)]
pub struct ListedToken {
    /// The token.
    pub id: TokenId,
    /// The first characters of its secret, if they are known.
    pub prefix: Option<String>,
    /// Its settings.
    pub settings: TokenSettings,
    /// The name of its default workspace.
    pub workspace: String,
    /// When it was issued.
    pub created_at: Timestamp,
    /// Who issued it.
    pub created_by: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
    /// The address that used it last.
    pub used_from: Option<String>,
}

/// An organization's tokens, at most 500.
pub async fn list_tokens(database: &Database, organization: OrganizationId) -> Result<Vec<ListedToken>, ReadError> {
    database.queries(organization).query(LIST, &[&organization]).await?.iter().map(listed).collect()
}

/// One token of an organization.
pub async fn find_token(
    database: &Database,
    organization: OrganizationId,
    id: TokenId,
) -> Result<Option<ListedToken>, ReadError> {
    database.points(organization).query_opt(FIND, &[&organization, &id]).await?.as_ref().map(listed).transpose()
}

fn listed(row: &Row) -> Result<ListedToken, ReadError> {
    let malformed = |error: &dyn std::fmt::Display| ReadError::Malformed(format!("a stored token: {error}"));
    let (origin, dialect): (&str, &str) = (row.try_get("service_origin")?, row.try_get("dialect")?);
    let allow_list: Option<&str> = row.try_get("allow_list")?;
    Ok(ListedToken {
        id: row.try_get("id")?,
        settings: TokenSettings {
            label: Label::recorded(row.try_get("label")?),
            default_workspace: row.try_get("default_workspace_id")?,
            service_origin: origin.parse().map_err(|error| malformed(&error))?,
            origin_required: row.try_get("origin_required")?,
            allow_list: allow_list.map(str::parse).transpose().map_err(|error| malformed(&error))?,
            dialect: dialect.parse().map_err(|error: String| malformed(&error))?,
            expires_at: row.try_get("expires_at")?,
            calls_per_second: calls_per_second(row)?.map(CallsPerSecond::recorded),
        },
        prefix: row.try_get("prefix")?,
        workspace: row.try_get("workspace")?,
        created_at: row.try_get("created_at")?,
        created_by: row.try_get("created_by")?,
        revoked_at: row.try_get("revoked_at")?,
        used_at: row.try_get("used_at")?,
        used_from: row.try_get("used_from")?,
    })
}
