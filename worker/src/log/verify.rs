//! Checks a stored log: it has no gaps, every hash is correct, and the tree and the checkpoints match the
//! entries.

use rollcall_events::OrganizationId;
use rollcall_events::log::checkpoint::root_line;
use rollcall_events::log::erasure::Erasures;
use rollcall_events::log::tile::{NewTiles, Tile, WIDTH};
use rollcall_events::log::{CompactRange, Entry, EventType, Hash, Mismatch, NotCanonical, Restore, canonical};
use rollcall_service::entries::{COLUMNS, MalformedRow, StoredEntry, StoredRow, row};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::db::{Database, TaskError};
use crate::db::{StoreError, seq_column};

const APPLICATION: &str = "rollcall-worker verify";
/// Number of entries per query.
const CHUNK: u64 = 5000;
/// Maximum number of faults reported per log.
const MAX_REPORTED: usize = 100;

const HEAD: &str = "SELECT size, peaks FROM rollcall.log_heads WHERE organization_id = $1";
/// The tiles, in the requested order.
const TILES: &str = "
    SELECT t.hashes FROM unnest($2::smallint[], $3::bigint[]) WITH ORDINALITY AS k (level, tile, place)
    LEFT JOIN rollcall.log_tiles t ON t.organization_id = $1 AND t.level = k.level AND t.tile = k.tile
    ORDER BY k.place";
/// Checkpoints in a range of the log: sizes above $2 and up to $3, at most $4 of them.
const CHECKPOINTS: &str = "
    SELECT size, note FROM rollcall.checkpoints WHERE organization_id = $1 AND size > $2 AND size <= $3
    ORDER BY size LIMIT $4";

/// The result of checking a log.
pub(crate) struct Verified {
    pub(crate) entries: u64,
    /// What the entries state about restores of the database that lost signed entries.
    pub(crate) restores: Vec<String>,
    /// The faults.
    pub(crate) broken: Vec<String>,
}

/// The values recomputed from the entries.
#[derive(Default)]
struct Recomputed {
    tree: CompactRange,
    /// The seq of the last entry. It equals the size of the tree if there is no gap.
    last: u64,
    tiles: BTreeMap<Tile, Vec<u8>>,
    /// The checkpoints of the entries in the current chunk, by size.
    checkpoints: BTreeMap<u64, String>,
    erasures: Erasures,
    restores: Vec<String>,
    broken: Vec<String>,
}

/// Checks a log in one snapshot, while the service runs.
///
/// # Errors
/// If Postgres fails. A row that is not an entry is a fault, and the check goes on after it.
pub(crate) async fn verify_log(
    url: &SecretString,
    organization: OrganizationId,
    report: impl Fn(u64, u64),
) -> Result<Verified, TaskError> {
    let database = Database::open(url, APPLICATION).await?;
    database.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let head = database.query_opt(HEAD, &[&organization]).await?;
    let (size, peaks): (i64, Vec<Vec<u8>>) = match &head {
        Some(row) => (row.try_get("size")?, row.try_get("peaks")?),
        None => (0, Vec::new()),
    };
    let mut found = Recomputed::default();
    while found.read_chunk(&database, organization).await? {
        found.compare_full_tiles(&database, organization).await?;
        report(found.tree.size(), size.unsigned_abs());
    }
    match CompactRange::from_parts(size.unsigned_abs(), &peaks) {
        Ok(head) if head.size() != found.tree.size() => {
            found.broken.push(format!(
                "the head of the log counts {} entries, and there are {}",
                head.size(),
                found.tree.size()
            ));
        }
        Ok(head) if head.root() != found.tree.root() => {
            found.broken.push("the head of the log has another root than its entries".to_owned());
        }
        Ok(_) => {}
        Err(error) => found.broken.push(error.to_string()),
    }
    for (seq, part) in found.erasures.unexplained() {
        found.add_fault(format!("entry {seq} has lost its {part}, and no later entry records an erasure"));
    }
    // A tile of leaves is stored once it is full. The levels above are stored as they grow.
    let above = found.tiles.split_off(&Tile { level: 1, index: 0 });
    found.compare_tiles(&database, organization, above).await?;
    for size in checkpoints(&database, organization, found.tree.size()..=i64::MAX.unsigned_abs(), MAX_REPORTED as u64)
        .await?
        .into_keys()
    {
        found.add_fault(no_root(size));
    }
    Ok(Verified { entries: found.tree.size(), restores: found.restores, broken: found.broken })
}

/// The size and the signed note of each checkpoint in a range of the log: sizes above its start and up to its
/// end, at most `most`.
async fn checkpoints(
    database: &Database,
    organization: OrganizationId,
    range: RangeInclusive<u64>,
    most: u64,
) -> Result<BTreeMap<u64, String>, TaskError> {
    let (start, end) = (seq_column(*range.start()), seq_column(*range.end()));
    let rows = database.query(CHECKPOINTS, &[&organization, &start, &end, &seq_column(most)]).await?;
    rows.iter().map(|row| Ok((row.try_get::<_, i64>("size")?.unsigned_abs(), row.try_get("note")?))).collect()
}

fn no_root(size: u64) -> String {
    format!("the checkpoint at {size} has another root than the entries")
}

/// The entry of a row, with its parts parsed.
fn parsed(stored: StoredEntry) -> Result<Entry, StoreError> {
    Ok(Entry {
        actor: stored.actor.map(serde_json::to_value).transpose().map_err(NotCanonical::from)?,
        actor_salt: stored.actor_salt,
        header: stored.header,
        leaf: stored.leaf,
        payload: stored.payload.and_then(|payload| serde_json::from_str(payload.get()).ok()),
        payload_salt: stored.payload_salt,
    })
}

impl Recomputed {
    fn add_fault(&mut self, what: String) {
        if self.broken.len() < MAX_REPORTED {
            self.broken.push(what);
        }
    }

    /// Reads the next entries. Returns whether there were any.
    async fn read_chunk(&mut self, database: &Database, organization: OrganizationId) -> Result<bool, TaskError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM rollcall.events e WHERE e.organization_id = $1 AND e.seq > $2
            ORDER BY e.seq LIMIT $3"
        );
        let rows = database.query(&sql, &[&organization, &seq_column(self.last), &seq_column(CHUNK)]).await?;
        let before = self.tree.size();
        self.checkpoints = checkpoints(database, organization, before..=before + rows.len() as u64, CHUNK).await?;
        for of in &rows {
            match row(of)? {
                StoredRow::Entry(stored) => self.add(&parsed(stored)?)?,
                StoredRow::Malformed(row) => self.add_malformed(&row)?,
            }
        }
        Ok(!rows.is_empty())
    }

    fn add(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let seq = entry.header.seq;
        self.add_place(seq);
        if let Err(mismatch) = entry.check()? {
            self.add_fault(format!("entry {seq}: {mismatch}"));
        }
        self.erasures.add(&entry.header, entry.missing());
        if entry.header.event_type == EventType::LogRestored {
            self.add_restore(entry);
        }
        self.add_leaf(entry.leaf);
        Ok(())
    }

    /// Reports a row that is not an entry. Its leaf is in the tree all the same, so that it hides no other fault.
    fn add_malformed(&mut self, row: &MalformedRow) -> Result<(), StoreError> {
        self.add_place(row.seq);
        self.add_fault(format!("entry {}: {}", row.seq, row.reason));
        let header = Hash::of_entry(&canonical(&row.line["header"])?);
        if row.leaf != Some(header) {
            self.add_fault(format!("entry {}: {}", row.seq, Mismatch::Leaf));
        }
        self.add_leaf(row.leaf.unwrap_or(header));
        Ok(())
    }

    fn add_place(&mut self, seq: u64) {
        let expected = self.tree.size() + 1;
        self.last = seq;
        if seq != expected {
            self.add_fault(format!("entry {seq} is in the position of entry {expected}"));
        }
    }

    fn add_leaf(&mut self, leaf: Hash) {
        let mut new = NewTiles::default();
        new.append(&mut self.tree, leaf);
        self.tiles.entry(Tile { level: 0, index: (self.tree.size() - 1) / WIDTH }).or_default().extend(leaf.as_bytes());
        for (tile, hashes) in new.more {
            self.tiles.entry(tile).or_default().extend(hashes);
        }
        let size = self.tree.size();
        if let Some(note) = self.checkpoints.remove(&size)
            && note.lines().nth(2) != Some(&root_line(self.tree.root()))
        {
            self.add_fault(no_root(size));
        }
    }

    /// Reports what an entry states about a restore, if it fits the entries before it.
    fn add_restore(&mut self, entry: &Entry) {
        let seq = entry.header.seq;
        let read = Restore::read(entry.payload.as_ref());
        match read.and_then(|restore| restore.follows(&self.tree).map(|()| restore)) {
            Ok(restore) if self.restores.len() < MAX_REPORTED => {
                self.restores.push(format!("entry {seq} records {restore}"));
            }
            Ok(_) => {}
            Err(error) => self.add_fault(format!("entry {seq} records a restore: {error}")),
        }
    }

    /// Compares the full tiles of leaves and then drops them, so that memory is bounded for a log of any
    /// size.
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
            expected.keys().map(|tile| (i16::from(tile.level), seq_column(tile.index))).unzip();
        let rows = database.query(TILES, &[&organization, &levels, &indexes]).await?;
        for ((tile, hashes), row) in expected.iter().zip(&rows) {
            if row.try_get::<_, Option<&[u8]>>("hashes")? != Some(hashes) {
                self.add_fault(format!(
                    "tile {} of level {} is missing or does not match the entries",
                    tile.index, tile.level
                ));
            }
        }
        Ok(())
    }
}
