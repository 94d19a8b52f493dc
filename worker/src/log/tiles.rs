//! Stores new tiles of the logs' trees.

use rollcall_events::OrganizationId;
use rollcall_events::log::tile::{NewTiles, Tile};

use crate::db::{Parameter, StatementBatch, seq_column};

/// All statements of this module, for preparation.
pub(crate) const STATEMENTS: &[&str] = &[FILL, EXTEND];

/// Stores the tiles of leaves that have become full.
pub(crate) const FILL: &str = "
    INSERT INTO log_tiles (organization_id, level, tile, hashes)
    SELECT k.organization_id, 0, k.tile, string_agg(e.leaf, ''::bytea ORDER BY e.seq)
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[]) AS k (organization_id, tile, first, last)
    JOIN events e ON e.organization_id = k.organization_id AND e.seq BETWEEN k.first AND k.last
    GROUP BY k.organization_id, k.tile";

/// Appends nodes to the tiles of the levels above.
pub(crate) const EXTEND: &str = "
    INSERT INTO log_tiles AS t (organization_id, level, tile, hashes)
    SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::bytea[])
    ON CONFLICT (organization_id, level, tile) DO UPDATE SET hashes = t.hashes || excluded.hashes";

/// The columns of the statements.
#[derive(Default)]
pub(crate) struct TileColumns {
    full: (Vec<OrganizationId>, Vec<i64>, Vec<i64>, Vec<i64>),
    more: (Vec<OrganizationId>, Vec<i16>, Vec<i64>, Vec<Vec<u8>>),
}

impl TileColumns {
    /// Adds the new tiles and nodes of an organization's tree.
    pub(crate) fn push(&mut self, organization: OrganizationId, new: &NewTiles) {
        for &index in &new.full {
            let seqs = Tile { level: 0, index }.seqs();
            self.full.0.push(organization);
            self.full.1.push(seq_column(index));
            self.full.2.push(seq_column(*seqs.start()));
            self.full.3.push(seq_column(*seqs.end()));
        }
        for (tile, hashes) in &new.more {
            self.more.0.push(organization);
            self.more.1.push(i16::from(tile.level));
            self.more.2.push(seq_column(tile.index));
            self.more.3.push(hashes.clone());
        }
    }

    /// The parameters of [`FILL`].
    pub(crate) fn full(&self) -> [Parameter<'_>; 4] {
        [&self.full.0, &self.full.1, &self.full.2, &self.full.3]
    }

    /// The parameters of [`EXTEND`].
    pub(crate) fn more(&self) -> [Parameter<'_>; 4] {
        [&self.more.0, &self.more.1, &self.more.2, &self.more.3]
    }

    /// Adds the statements. The entries must be inserted first.
    pub(crate) fn add_to<'a>(&'a self, batch: &mut StatementBatch<'a>) {
        batch.add_if(!self.full.1.is_empty(), FILL, || self.full().into());
        batch.add_if(!self.more.2.is_empty(), EXTEND, || self.more().into());
    }
}
