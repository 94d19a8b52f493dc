//! The logs that the signer refuses, because signed entries are missing or changed.

use rollcall_events::OrganizationId;

use super::{Database, ReadError};

/// The first refused logs, and how many there are.
const REFUSED: &str = "
    SELECT organization_id, refused, count(*) OVER () AS count FROM log_heads WHERE refused IS NOT NULL
    ORDER BY organization_id LIMIT $1";

/// Why the service log is refused, if it is.
const SERVICE_LOG: &str = "SELECT refused FROM service_head WHERE refused IS NOT NULL";

/// Why the log of an organization is refused, if it is.
const OWN: &str = "SELECT refused FROM log_heads WHERE organization_id = $1 AND refused IS NOT NULL";

/// Maximum number of refused logs that are named.
const MAX_NAMED: i64 = 20;

/// The refused logs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RefusedLogs {
    /// The first 20 by organization, each with the reason: the signed size, the stored size and the fault.
    pub named: Vec<(OrganizationId, String)>,
    /// How many there are.
    pub count: i64,
    /// Why the service log is refused, if it is.
    pub service_log: Option<String>,
}

/// The logs that the signer refuses now.
pub async fn refused_logs(database: &Database) -> Result<RefusedLogs, ReadError> {
    let mut refused = RefusedLogs::default();
    for row in database.sessions().query(REFUSED, &[&MAX_NAMED]).await? {
        refused.named.push((row.try_get("organization_id")?, row.try_get("refused")?));
        refused.count = row.try_get("count")?;
    }
    let service_log = database.sessions().query_opt(SERVICE_LOG, &[]).await?;
    refused.service_log = service_log.map(|row| row.try_get("refused")).transpose()?;
    Ok(refused)
}

/// Why the log of an organization is refused, if it is.
pub async fn refusal(database: &Database, organization: OrganizationId) -> Result<Option<String>, ReadError> {
    let row = database.queries(organization).query_opt(OWN, &[&organization]).await?;
    Ok(row.map(|row| row.try_get("refused")).transpose()?)
}
