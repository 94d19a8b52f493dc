//! The names of the things that entries of the log are about.

use rollcall_events::OrganizationId;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::LazyLock;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::{Database, ReadError};

/// The paths in a payload at which the name of an entry's subject may be.
const NAME_PATHS: [&str; 12] = [
    "/resource/userName",
    "/resource/displayName",
    "/userName",
    "/token/settings/label",
    "/settings/label",
    "/stream/settings/label",
    "/workspace/name",
    "/entitlement/settings/name",
    "/link/name",
    "/session/begun/name",
    "/label",
    "/name",
];

/// The last names that the log has for some subjects. An erased entry has none.
static LAST_NAMES: LazyLock<String> = LazyLock::new(|| {
    let paths: Vec<_> = NAME_PATHS
        .iter()
        .map(|path| format!("e.payload #>> '{{{}}}'", path.trim_start_matches('/').replace('/', ",")))
        .collect();
    let name = format!("COALESCE({})", paths.join(", "));
    format!(
        "SELECT k.id, last.name FROM unnest($2::uuid[]) AS k (id) CROSS JOIN LATERAL (
            SELECT {name} AS name FROM events e
            WHERE e.organization_id = $1 AND e.subject_id = k.id AND e.outcome = 'applied' AND {name} IS NOT NULL
            ORDER BY e.seq DESC LIMIT 1
        ) AS last"
    )
});

/// The name of an entry's subject, if the payload has one.
pub fn subject_name(payload: &Value) -> Option<String> {
    NAME_PATHS.iter().find_map(|path| payload.pointer(path)?.as_str().map(str::to_owned))
}

/// The last names that an organization's log has for some subjects, by id.
pub async fn subject_names(
    database: &Database,
    organization: OrganizationId,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, String>, ReadError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&organization, Type::UUID), (&ids, Type::UUID_ARRAY)];
    let rows = database.queries(organization).query_typed(&LAST_NAMES, &parameters).await?;
    rows.iter().map(|row| Ok((row.try_get("id")?, row.try_get("name")?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_name_of_a_subject_is_found_in_the_payload() {
        assert_eq!(subject_name(&json!({"resource": {"userName": "ada"}})).as_deref(), Some("ada"));
        assert_eq!(subject_name(&json!({"token": {"settings": {"label": "HR"}}})).as_deref(), Some("HR"));
        assert_eq!(subject_name(&json!({"at": "now"})), None);
    }
}
