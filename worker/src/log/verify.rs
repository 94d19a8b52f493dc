//! Checks a log where it is kept: gapless, every hash right, the tree and its checkpoints what the entries add up to.

use rollcall_events::OrganizationId;
use rollcall_events::log::checkpoint::root_line;
use rollcall_events::log::tile::{NewTiles, Tile, WIDTH};
use rollcall_events::log::{CompactRange, Entry};
use rollcall_service::entries::{COLUMNS, MalformedEntry, entry};
use secrecy::SecretString;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::db::{Database, TaskError};
use crate::db::{StoreError, seq_column};

const APPLICATION: &str = "rollcall-worker verify";
/// How many entries are read at once.
const CHUNK: u64 = 5000;
/// How many faults of a log are told.
const MAX_TOLD: usize = 100;

const HEAD: &str = "SELECT size, peaks FROM rollcall.log_heads WHERE organization_id = $1";
/// Tiles in the order in which they are asked for.
const TILES: &str = "
    SELECT t.hashes FROM unnest($2::smallint[], $3::bigint[]) WITH ORDINALITY AS k (level, tile, place)
    LEFT JOIN rollcall.log_tiles t ON t.organization_id = $1 AND t.level = k.level AND t.tile = k.tile
    ORDER BY k.place";
/// Checkpoints of a stretch of the log: behind $2, up to $3, and at most $4.
const CHECKPOINTS: &str = "
    SELECT size, note FROM rollcall.checkpoints WHERE organization_id = $1 AND size > $2 AND size <= $3 ORDER BY size LIMIT $4";

/// What was found in a log.
pub(crate) struct Verified {
    pub(crate) entries: u64,
    /// What does not hold.
    pub(crate) broken: Vec<String>,
}

/// What the entries add up to.
#[derive(Default)]
struct Recomputed {
    tree: CompactRange,
    /// The place of the last entry, which is the size of the tree where there is no gap.
    last: u64,
    tiles: BTreeMap<Tile, Vec<u8>>,
    /// The checkpoints of the entries that are being read, by their sizes.
    checkpoints: BTreeMap<u64, String>,
    broken: Vec<String>,
}

/// Checks a log in one snapshot, while the service runs.
///
/// # Errors
/// If Postgres fails, or an entry cannot be read.
pub(crate) async fn verify_log(url: &SecretString, organization: OrganizationId, tell: impl Fn(u64, u64)) -> Result<Verified, TaskError> {
    let database = Database::open(url, APPLICATION).await?;
    database.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let head = database.query_opt(HEAD, &[&organization]).await?;
    let (size, peaks): (i64, Vec<Vec<u8>>) = match &head {
        Some(row) => (row.try_get("size")?, row.try_get("peaks")?),
        None => (0, Vec::new()),
    };
    let mut found = Recomputed::default();
    while found.take_chunk(&database, organization).await? {
        found.compare_full_tiles(&database, organization).await?;
        tell(found.tree.size(), size.unsigned_abs());
    }
    match CompactRange::from_parts(size.unsigned_abs(), &peaks) {
        Ok(head) if head.size() != found.tree.size() => {
            found.broken.push(format!("the head of the log counts {} entries, and there are {}", head.size(), found.tree.size()));
        }
        Ok(head) if head.root() != found.tree.root() => {
            found.broken.push("the head of the log has another root than its entries".to_owned());
        }
        Ok(_) => {}
        Err(error) => found.broken.push(error.to_string()),
    }
    // Leaves are stored once their tile is full, the levels above as they grow.
    let above = found.tiles.split_off(&Tile { level: 1, index: 0 });
    found.compare_tiles(&database, organization, above).await?;
    for size in checkpoints(&database, organization, found.tree.size()..=i64::MAX.unsigned_abs(), MAX_TOLD as u64).await?.into_keys() {
        found.is_broken(no_root(size));
    }
    Ok(Verified { entries: found.tree.size(), broken: found.broken })
}

/// The checkpoints behind the start of a stretch of the log and up to its end, at most so many: the size and the signed note of each.
async fn checkpoints(
    database: &Database,
    organization: OrganizationId,
    stretch: RangeInclusive<u64>,
    most: u64,
) -> Result<BTreeMap<u64, String>, TaskError> {
    let (start, end) = (seq_column(*stretch.start()), seq_column(*stretch.end()));
    let rows = database.query(CHECKPOINTS, &[&organization, &start, &end, &seq_column(most)]).await?;
    rows.iter().map(|row| Ok((row.try_get::<_, i64>("size")?.unsigned_abs(), row.try_get("note")?))).collect()
}

fn no_root(size: u64) -> String {
    format!("the checkpoint at {size} has another root than the entries")
}

impl Recomputed {
    fn is_broken(&mut self, what: String) {
        if self.broken.len() < MAX_TOLD {
            self.broken.push(what);
        }
    }

    /// Takes in the next entries; whether there were any.
    async fn take_chunk(&mut self, database: &Database, organization: OrganizationId) -> Result<bool, TaskError> {
        let sql = format!("SELECT {COLUMNS} FROM rollcall.events e WHERE e.organization_id = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3");
        let rows = database.query(&sql, &[&organization, &seq_column(self.last), &seq_column(CHUNK)]).await?;
        let before = self.tree.size();
        self.checkpoints = checkpoints(database, organization, before..=before + rows.len() as u64, CHUNK).await?;
        for row in &rows {
            let stored = entry(row).map_err(|error| match error {
                MalformedEntry::Column(error) => TaskError::Postgres(error),
                unknown @ MalformedEntry::Unknown(_) => TaskError::Unreadable(unknown.to_string()),
            })?;
            let payload: Option<Value> = stored.payload.and_then(|payload| serde_json::from_str(payload.get()).ok());
            self.take(&Entry { header: stored.header, leaf: stored.leaf, payload, salt: stored.salt })?;
        }
        Ok(!rows.is_empty())
    }

    fn take(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let (seq, expected) = (entry.header.seq, self.tree.size() + 1);
        self.last = seq;
        if seq != expected {
            self.is_broken(format!("entry {seq} stands in the place of entry {expected}"));
        }
        if let Err(mismatch) = entry.check()? {
            self.is_broken(format!("entry {seq}: {mismatch}"));
        }
        let mut new = NewTiles::default();
        new.append(&mut self.tree, entry.leaf);
        self.tiles.entry(Tile { level: 0, index: (self.tree.size() - 1) / WIDTH }).or_default().extend(entry.leaf.as_bytes());
        for (tile, hashes) in new.more {
            self.tiles.entry(tile).or_default().extend(hashes);
        }
        let size = self.tree.size();
        if let Some(note) = self.checkpoints.remove(&size)
            && note.lines().nth(2) != Some(&root_line(self.tree.root()))
        {
            self.is_broken(no_root(size));
        }
        Ok(())
    }

    /// Compares the tiles of leaves that are full by now, and forgets them, so that a log of any size can be checked.
    async fn compare_full_tiles(&mut self, database: &Database, organization: OrganizationId) -> Result<(), TaskError> {
        let full = self.tree.size() / WIDTH;
        let rest = self.tiles.split_off(&Tile { level: 0, index: full });
        let done = std::mem::replace(&mut self.tiles, rest);
        self.compare_tiles(database, organization, done).await
    }

    async fn compare_tiles(
        &mut self,
        database: &Database,
        organization: OrganizationId,
        expected: BTreeMap<Tile, Vec<u8>>,
    ) -> Result<(), TaskError> {
        let (levels, indexes): (Vec<_>, Vec<_>) =
            expected.keys().map(|tile| (i16::try_from(tile.level).unwrap_or(i16::MAX), seq_column(tile.index))).unzip();
        let rows = database.query(TILES, &[&organization, &levels, &indexes]).await?;
        for ((tile, hashes), row) in expected.iter().zip(&rows) {
            if row.try_get::<_, Option<&[u8]>>("hashes")? != Some(hashes) {
                self.is_broken(format!("tile {} of level {} is not what the entries add up to, or missing", tile.index, tile.level));
            }
        }
        Ok(())
    }
}
