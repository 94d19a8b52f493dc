//! Administrators' sessions, and their sign-in links.

use rollcall_events::session::Role;
use rollcall_events::token::TokenDigest;
use rollcall_events::{OrganizationId, SessionId, Timestamp};
use tokio_postgres::Row;

use super::{Database, ReadError};

const LINK: &str = "
    SELECT s.organization_id, s.id, s.name, s.role, o.name AS organization, s.link_expires_at,
        s.signed_in_at IS NOT NULL OR s.ended_at IS NOT NULL AS is_used
    FROM admin_sessions s JOIN organizations o ON o.id = s.organization_id WHERE s.link_digest = $1";

const SESSION: &str = "
    SELECT s.organization_id, s.id, s.name, s.role, o.name AS organization, s.signed_in_at
    FROM admin_sessions s JOIN organizations o ON o.id = s.organization_id WHERE s.digest = $1 AND s.ended_at IS NULL";

const LASTS: &str = "
    SELECT ended_at IS NULL AND signed_in_at > now() - make_interval(secs => $3::float8) FROM admin_sessions
    WHERE organization_id = $1 AND id = $2";

/// The person of a session or a link.
#[derive(Debug, Clone)]
pub struct Person {
    /// The person's organization.
    pub organization_id: OrganizationId,
    /// The name of the organization.
    pub organization: String,
    /// The session.
    pub session_id: SessionId,
    /// The person's name.
    pub name: String,
    /// The person's role.
    pub role: Role,
}

/// A sign-in link.
pub struct FoundLink {
    /// The person who may use the link.
    pub person: Person,
    /// When the link expires.
    pub expires_at: Timestamp,
    /// Whether the link was used.
    pub is_used: bool,
}

/// A session that was not signed out.
pub struct FoundSession {
    /// The person who signed in.
    pub person: Person,
    /// When the person signed in.
    pub signed_in_at: Timestamp,
}

/// The link with this secret's digest.
pub async fn find_link(database: &Database, digest: &TokenDigest) -> Result<Option<FoundLink>, ReadError> {
    let row = database.sessions().query_opt(LINK, &[&digest.as_bytes()]).await?;
    row.as_ref().map(link).transpose()
}

fn link(row: &Row) -> Result<FoundLink, ReadError> {
    let (expires_at, is_used) = (row.try_get("link_expires_at")?, row.try_get("is_used")?);
    Ok(FoundLink { person: person(row)?, expires_at, is_used })
}

/// The session with this secret's digest.
pub async fn find_session(database: &Database, digest: &TokenDigest) -> Result<Option<FoundSession>, ReadError> {
    let Some(row) = database.sessions().query_opt(SESSION, &[&digest.as_bytes()]).await? else { return Ok(None) };
    Ok(Some(FoundSession { person: person(&row)?, signed_in_at: row.try_get("signed_in_at")? }))
}

/// Whether a session is still valid. This is for connections that stay open.
pub async fn session_lasts(
    database: &Database,
    organization: OrganizationId,
    id: SessionId,
    life_seconds: u32,
) -> Result<bool, ReadError> {
    let row = database.sessions().query_opt(LASTS, &[&organization, &id, &f64::from(life_seconds)]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(false))
}

fn person(row: &Row) -> Result<Person, ReadError> {
    let role: &str = row.try_get("role")?;
    Ok(Person {
        organization_id: row.try_get("organization_id")?,
        organization: row.try_get("organization")?,
        session_id: row.try_get("id")?,
        name: row.try_get("name")?,
        role: role.parse().map_err(|error| ReadError::Malformed(format!("a stored session: {error}")))?,
    })
}
