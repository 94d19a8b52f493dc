//! Reads the tree of the service log from rows.

use rollcall_events::log::Hash;
use rollcall_events::log::proof::Node;
use rollcall_events::log::tile::{Tile, node_in};
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Row;

/// Tiles of the service log: $1 their levels, $2 their numbers. A tile of leaves is read from the entries.
pub const TILES: &str = "
    SELECT k.level, k.tile, t.hashes
    FROM unnest($1::smallint[], $2::bigint[]) AS k (level, tile)
    JOIN service_tiles t ON t.level = k.level AND t.tile = k.tile
    UNION ALL
    SELECT k.level, k.tile, (
        SELECT string_agg(e.leaf, ''::bytea ORDER BY e.service_index) FROM service_entries e
        WHERE e.service_index BETWEEN k.tile * 256 AND k.tile * 256 + 255
    )
    FROM unnest($1::smallint[], $2::bigint[]) AS k (level, tile) WHERE k.level = 0";

/// The parameters of [`TILES`] for the tiles of these nodes.
pub fn tiles_of(nodes: &BTreeSet<Node>) -> (Vec<i16>, Vec<i64>) {
    let tiles: BTreeSet<Tile> = nodes.iter().copied().map(Tile::of).collect();
    tiles.iter().map(|tile| (i16::from(tile.level), i64::try_from(tile.index).unwrap_or(i64::MAX))).unzip()
}

/// The nodes, from the rows of [`TILES`]; `None` if one is missing.
///
/// # Errors
/// If a row has other columns.
pub fn nodes_in(rows: &[Row], nodes: &BTreeSet<Node>) -> Result<Option<BTreeMap<Node, Hash>>, tokio_postgres::Error> {
    let mut tiles: BTreeMap<Tile, &[u8]> = BTreeMap::new();
    for row in rows {
        let (level, index): (i16, i64) = (row.try_get("level")?, row.try_get("tile")?);
        let hashes: Option<&[u8]> = row.try_get("hashes")?;
        let tile = Tile { level: u8::try_from(level).unwrap_or(u8::MAX), index: index.unsigned_abs() };
        tiles.insert(tile, hashes.unwrap_or_default());
    }
    let node = |node: Node| tiles.get(&Tile::of(node)).and_then(|hashes| node_in(hashes, node));
    Ok(nodes.iter().map(|index| Some((*index, node(*index)?))).collect())
}
