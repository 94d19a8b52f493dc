//! Reads nodes of several logs' trees at once, from the stored tiles and from the leaves after them.

use rollcall_events::OrganizationId;
use rollcall_events::log::Hash;
use rollcall_events::log::proof::Node;
use rollcall_events::log::tile::{Tile, node_in};
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::db::{Database, TaskError, seq_column};

/// Tiles. The leaves of a tile that is not full yet are in the log only.
const TILES: &str = "
    SELECT k.organization_id, k.level, k.tile, COALESCE(t.hashes, CASE WHEN k.level = 0 THEN (
        SELECT string_agg(e.leaf, ''::bytea ORDER BY e.seq) FROM events e
        WHERE e.organization_id = k.organization_id AND e.seq BETWEEN k.tile * 256 + 1 AND k.tile * 256 + 256
    ) END) AS hashes
    FROM unnest($1::uuid[], $2::smallint[], $3::bigint[]) AS k (organization_id, level, tile)
    LEFT JOIN log_tiles t ON t.organization_id = k.organization_id AND t.level = k.level AND t.tile = k.tile";

/// Reads nodes of the trees of some organizations' logs. A node that is not stored is missing in the result.
///
/// # Errors
/// If Postgres fails.
pub(super) async fn read_nodes(
    database: &Database,
    wanted: &BTreeMap<OrganizationId, Vec<Node>>,
) -> Result<HashMap<OrganizationId, BTreeMap<Node, Hash>>, TaskError> {
    let tiles: BTreeSet<(OrganizationId, Tile)> = wanted
        .iter()
        .flat_map(|(organization, nodes)| nodes.iter().map(|node| (*organization, Tile::of(*node))))
        .collect();
    if tiles.is_empty() {
        return Ok(HashMap::new());
    }
    let (mut organizations, mut levels, mut indexes) = (Vec::new(), Vec::new(), Vec::new());
    for (organization, tile) in tiles {
        organizations.push(organization);
        levels.push(i16::from(tile.level));
        indexes.push(seq_column(tile.index));
    }
    let rows = database.query(TILES, &[&organizations, &levels, &indexes]).await?;
    let mut stored: HashMap<(OrganizationId, Tile), &[u8]> = HashMap::new();
    for row in &rows {
        let (level, index): (i16, i64) = (row.try_get("level")?, row.try_get("tile")?);
        let tile = Tile { level: u8::try_from(level).unwrap_or(u8::MAX), index: index.unsigned_abs() };
        let hashes: Option<&[u8]> = row.try_get("hashes")?;
        stored.insert((row.try_get("organization_id")?, tile), hashes.unwrap_or_default());
    }
    let node = |organization: OrganizationId, node: Node| {
        stored.get(&(organization, Tile::of(node))).and_then(|hashes| node_in(hashes, node))
    };
    Ok(wanted
        .iter()
        .map(|(organization, nodes)| {
            let found = nodes.iter().filter_map(|index| Some((*index, node(*organization, *index)?)));
            (*organization, found.collect())
        })
        .collect())
}
