//! The shadow: a schema with empty copies of the projections' tables, and the progress of each organization's
//! replay.

use secrecy::SecretString;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::db::{Store, StoreError, connect};

/// A projection: the name of the table, the column with the organization, and the primary key.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) organization: &'static str,
    pub(super) key: &'static [&'static str],
}

const fn table(name: &'static str, key: &'static [&'static str]) -> Table {
    Table { name, organization: "organization_id", key }
}

/// All projections.
pub(super) const TABLES: [Table; 12] = [
    Table { name: "organizations", organization: "id", key: &["id"] },
    table("workspaces", &["organization_id", "id"]),
    table("entitlements", &["organization_id", "id"]),
    table("scim_tokens", &["organization_id", "id"]),
    table("auditor_tokens", &["organization_id", "id"]),
    table("admin_sessions", &["organization_id", "id"]),
    table("event_streams", &["organization_id", "id"]),
    table("users", &["organization_id", "id"]),
    table("workspace_members", &["organization_id", "workspace_id", "user_id"]),
    table("groups", &["organization_id", "id"]),
    table("group_members", &["organization_id", "group_id", "user_id"]),
    table("group_workspaces", &["organization_id", "group_id", "workspace_id"]),
];

/// Waits a moment: the server may not have noticed yet that the process of an earlier replay has ended.
const LOCK: &str = "SET lock_timeout = '5s'; SELECT pg_advisory_lock(hashtext('rollcall_shadow')); RESET lock_timeout";
/// Suppresses the notice for each table.
const REMOVE: &str = "SET client_min_messages = warning; DROP SCHEMA IF EXISTS rollcall_shadow CASCADE";
pub(super) const PROGRESS: &str = "SELECT seq FROM rollcall_shadow.replayed WHERE organization_id = $1";
pub(super) const REMEMBER: &str = "
    INSERT INTO rollcall_shadow.replayed (organization_id, seq) VALUES ($1, $2)
    ON CONFLICT (organization_id) DO UPDATE SET seq = excluded.seq";
/// Rows for operators: that a replay has begun, how far it is, and how it ended.
pub(super) const BEGIN: &str = "
    INSERT INTO rollcall.replays (organization_id, begun_at, told_at, entries, size) VALUES ($1, now(), now(), $2, $3)
    ON CONFLICT (organization_id) DO UPDATE SET
        begun_at = now(), told_at = now(), entries = excluded.entries, size = excluded.size,
        ended_at = NULL, different_rows = NULL, is_mended = NULL";
pub(super) const UPDATE_PROGRESS: &str =
    "UPDATE rollcall.replays SET told_at = now(), entries = $2, size = GREATEST(size, $2) WHERE organization_id = $1";
pub(super) const END: &str = "
    UPDATE rollcall.replays SET told_at = now(), ended_at = now(), entries = size, different_rows = $2, is_mended = $3
    WHERE organization_id = $1";
/// Without any progress, the organization's own row may still exist.
pub(super) const FORGET: &str = "DELETE FROM rollcall_shadow.organizations WHERE id = $1";

/// Creates the shadow if it does not exist. Returns the connection that holds the lock against other replays.
pub(super) async fn prepare(url: &SecretString, name: &str, afresh: bool) -> Result<Client, StoreError> {
    let client = connect(url, name).await?;
    client.batch_execute(LOCK).await.map_err(|error| match error.code() {
        Some(&SqlState::LOCK_NOT_AVAILABLE) => StoreError::Busy,
        _ => error.into(),
    })?;
    if afresh {
        client.batch_execute(REMOVE).await?;
    }
    let tables = TABLES.map(|table| {
        format!("CREATE TABLE IF NOT EXISTS rollcall_shadow.{0} (LIKE rollcall.{0} INCLUDING ALL);", table.name)
    });
    let sql = format!(
        "SET client_min_messages = warning; CREATE SCHEMA IF NOT EXISTS rollcall_shadow; {}
        CREATE TABLE IF NOT EXISTS rollcall_shadow.replayed (organization_id uuid PRIMARY KEY, seq bigint NOT NULL)",
        tables.concat()
    );
    client.batch_execute(&sql).await?;
    Ok(client)
}

/// Removes the shadow.
pub(super) async fn remove(store: &Store) -> Result<(), StoreError> {
    store.command(REMOVE).await
}
