//! Computes values that a migration cannot compute in SQL, for rows from before the migration.

use rollcall_events::log::tile::NewTiles;
use rollcall_events::log::{CompactRange, Hash};
use rollcall_events::{OrganizationId, UserId};
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::USER;
use rollcall_scim::search;
use std::ops::ControlFlow;
use tokio_postgres::Client;
use tokio_postgres::types::Json;

use super::error::CommandError;
use crate::db::{StoreError, seq_column};
use crate::log::tiles::{EXTEND, FILL, TileColumns};

const WITHOUT_KEYS: &str = "SELECT organization_id, id, resource FROM users WHERE keys IS NULL LIMIT 10000";
const SET_KEYS: &str = "
    UPDATE users u SET keys = k.keys FROM unnest($1::uuid[], $2::uuid[], $3::jsonb[]) AS k (organization_id, id, keys)
    WHERE u.organization_id = k.organization_id AND u.id = k.id";

/// Logs that have enough entries for a tile and have no tiles.
const WITHOUT_TILES: &str = "
    SELECT h.organization_id FROM log_heads h
    WHERE h.size >= 256 AND NOT EXISTS (SELECT FROM log_tiles t WHERE t.organization_id = h.organization_id)";
const LEAVES: &str = "SELECT leaf FROM events WHERE organization_id = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq";
/// Number of leaves per query.
const CHUNK: u64 = 65_536;

/// Computes the search keys of users that have none. Postgres cannot compute them, because it has no Unicode
/// case folding.
pub(super) async fn fill_keys(client: &Client) -> Result<(), CommandError> {
    loop {
        let rows = client.query(WITHOUT_KEYS, &[]).await?;
        if rows.is_empty() {
            return Ok(client.batch_execute("ALTER TABLE users ALTER COLUMN keys SET NOT NULL").await?);
        }
        let (mut organizations, mut ids, mut keys): (Vec<OrganizationId>, Vec<UserId>, Vec<_>) = Default::default();
        for row in &rows {
            let Json(resource): Json<Attributes> = row.try_get("resource")?;
            organizations.push(row.try_get("organization_id")?);
            ids.push(row.try_get("id")?);
            keys.push(Json(search::keys(&USER, &resource)));
        }
        client.execute(SET_KEYS, &[&organizations, &ids, &keys]).await?;
    }
}

/// Stores the tiles of logs that have none.
pub(super) async fn fill_tiles(client: &mut Client) -> Result<(), CommandError> {
    for row in client.query(WITHOUT_TILES, &[]).await? {
        let organization: OrganizationId = row.try_get("organization_id")?;
        let mut log = CompactRange::default();
        // Use one transaction per log: the query above skips logs that have some tiles.
        let transaction = client.transaction().await?;
        while fill_chunk(&transaction, organization, &mut log).await?.is_continue() {}
        transaction.commit().await?;
        tracing::info!(%organization, entries = log.size(), "stored the tiles of a log");
    }
    Ok(())
}

async fn fill_chunk(
    transaction: &tokio_postgres::Transaction<'_>,
    organization: OrganizationId,
    log: &mut CompactRange,
) -> Result<ControlFlow<()>, CommandError> {
    let mut new = NewTiles::default();
    let rows = transaction
        .query(LEAVES, &[&organization, &seq_column(log.size() + 1), &seq_column(log.size() + CHUNK)])
        .await?;
    for row in &rows {
        let leaf = Hash::from_bytes(row.try_get("leaf")?)
            .ok_or_else(|| StoreError::Unreadable("a leaf is not a hash".to_owned()))?;
        new.append(log, leaf);
    }
    let mut tiles = TileColumns::default();
    tiles.push(organization, &new);
    transaction.execute(FILL, &tiles.full()).await?;
    transaction.execute(EXTEND, &tiles.more()).await?;
    Ok(if rows.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
}
