//! The Merkle tree of a log: reads its tiles, the nodes of a proof, and signed checkpoints, from a few rows.

use rollcall_events::OrganizationId;
use rollcall_events::log::Hash;
use rollcall_events::log::proof::Node;
use rollcall_events::log::tile::{Tile, node_in};
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Row;

use super::log::seq_column;
use super::{Database, ReadError};

/// Tiles, and the leaves of a tile that is not full yet. The log is the only table with the latter.
const TILES: &str = "
    SELECT t.level, t.tile, t.hashes
    FROM unnest($2::smallint[], $3::bigint[]) AS k (level, tile)
    JOIN log_tiles t ON t.organization_id = $1 AND t.level = k.level AND t.tile = k.tile
    UNION ALL
    SELECT 0::smallint, k.tile, (
        SELECT string_agg(e.leaf, ''::bytea ORDER BY e.seq) FROM events e
        WHERE e.organization_id = $1 AND e.seq BETWEEN k.tile * 256 + 1 AND k.tile * 256 + 256
    )
    FROM unnest($2::smallint[], $3::bigint[]) AS k (level, tile)
    WHERE k.level = 0
        AND NOT EXISTS (SELECT FROM log_tiles t WHERE t.organization_id = $1 AND t.level = 0 AND t.tile = k.tile)";

const CHECKPOINT: &str = "
    SELECT size, note FROM checkpoints WHERE organization_id = $1 AND ($2::bigint IS NULL OR size = $2)
    ORDER BY size DESC LIMIT 1";

const CHECKPOINT_FROM: &str = "
    SELECT size, note FROM checkpoints WHERE organization_id = $1 AND size >= $2 ORDER BY size LIMIT 1";

/// The hashes of tiles. A tile that does not exist is missing.
pub async fn tree_tiles(
    database: &Database,
    organization: OrganizationId,
    wanted: &BTreeSet<Tile>,
) -> Result<BTreeMap<Tile, Vec<u8>>, ReadError> {
    let (levels, indexes): (Vec<_>, Vec<_>) =
        wanted.iter().map(|tile| (i16::from(tile.level), seq_column(tile.index))).unzip();
    let rows = database.queries(organization).query(TILES, &[&organization, &levels, &indexes]).await?;
    let mut tiles = BTreeMap::new();
    for row in &rows {
        let (level, index): (i16, i64) = (row.try_get("level")?, row.try_get("tile")?);
        let tile = Tile { level: u8::try_from(level).unwrap_or(u8::MAX), index: index.unsigned_abs() };
        if let Some(hashes) = row.try_get("hashes")? {
            tiles.insert(tile, hashes);
        }
    }
    Ok(tiles)
}

/// Nodes of the tree of an organization's log.
pub async fn tree_nodes(
    database: &Database,
    organization: OrganizationId,
    nodes: &BTreeSet<Node>,
) -> Result<BTreeMap<Node, Hash>, ReadError> {
    let tiles = tree_tiles(database, organization, &nodes.iter().copied().map(Tile::of).collect()).await?;
    let node = |node: Node| tiles.get(&Tile::of(node)).and_then(|hashes| node_in(hashes, node));
    let found: Option<BTreeMap<_, _>> = nodes.iter().map(|index| Some((*index, node(*index)?))).collect();
    found.ok_or_else(holes)
}

/// The error for a tree or a log that lacks what its size says it has.
pub fn holes() -> ReadError {
    ReadError::Malformed("a log or its tree has holes; `rollcall-worker verify` says where".to_owned())
}

/// The checkpoint of a size, or the newest one: the size and the signed note.
pub async fn checkpoint(
    database: &Database,
    organization: OrganizationId,
    size: Option<u64>,
) -> Result<Option<(u64, String)>, ReadError> {
    let size = size.map(seq_column);
    signed(database.points(organization).query_opt(CHECKPOINT, &[&organization, &size]).await?.as_ref())
}

/// The first checkpoint of at least a size: its size and the signed note.
pub async fn checkpoint_from(
    database: &Database,
    organization: OrganizationId,
    size: u64,
) -> Result<Option<(u64, String)>, ReadError> {
    let found = database.points(organization).query_opt(CHECKPOINT_FROM, &[&organization, &seq_column(size)]).await?;
    signed(found.as_ref())
}

fn signed(row: Option<&Row>) -> Result<Option<(u64, String)>, ReadError> {
    row.map(|row| Ok((row.try_get::<_, i64>("size")?.unsigned_abs(), row.try_get("note")?))).transpose()
}
