//! Checks the stored service log: it has no gaps, every entry hides the checkpoint beside it, and the tree and the
//! checkpoints match the entries.

use rollcall_events::OrganizationId;
use rollcall_events::log::checkpoint::{Checkpoint, root_line};
use rollcall_events::log::service_log::LogSecret;
use rollcall_events::log::tile::{NewTiles, Tile};
use rollcall_events::log::{CompactRange, Hash};
use secrecy::SecretString;
use std::collections::BTreeMap;
use tokio_postgres::Row;

use crate::db::{Database, StoreError, TaskError, seq_column};

const APPLICATION: &str = "rollcall-worker verify";
/// Number of entries per query.
const CHUNK: u64 = 5000;
/// Maximum number of faults reported.
const MAX_REPORTED: usize = 100;

const HEAD: &str = "SELECT size, peaks FROM rollcall.service_head";
/// Entries from $1, each with the secret of its log and the organization's checkpoint of this size, if it is kept.
const ENTRIES: &str = "
    SELECT e.service_index, e.organization_id, e.size, e.origin, e.root, e.entry, e.leaf, s.secret, c.note
    FROM rollcall.service_entries e LEFT JOIN rollcall.log_secrets s ON s.organization_id = e.organization_id
    LEFT JOIN rollcall.checkpoints c ON c.organization_id = e.organization_id AND c.size = e.size
    WHERE e.service_index >= $1 ORDER BY e.service_index LIMIT $2";
const TILES: &str = "SELECT level, tile, hashes FROM rollcall.service_tiles ORDER BY level, tile";
const CHECKPOINTS: &str = "SELECT size, note FROM rollcall.service_checkpoints";

/// The result of checking the service log.
#[derive(Default)]
pub(crate) struct VerifiedServiceLog {
    pub(crate) entries: u64,
    /// The faults.
    pub(crate) broken: Vec<String>,
}

/// The values recomputed from the entries.
#[derive(Default)]
struct Recomputed {
    tree: CompactRange,
    tiles: BTreeMap<Tile, Vec<u8>>,
    /// The checkpoints that are not reached yet, by size.
    checkpoints: BTreeMap<u64, String>,
    broken: Vec<String>,
}

/// Checks the service log in one snapshot, while the service runs.
///
/// # Errors
/// If Postgres fails.
pub(crate) async fn verify_service_log(url: &SecretString) -> Result<VerifiedServiceLog, TaskError> {
    let database = Database::open(url, APPLICATION).await?;
    database.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let mut found = Recomputed { checkpoints: checkpoints(&database).await?, ..Recomputed::default() };
    loop {
        let from = seq_column(found.tree.size());
        let rows = database.query(ENTRIES, &[&from, &seq_column(CHUNK)]).await?;
        for row in &rows {
            found.add(row)?;
        }
        if rows.is_empty() {
            break;
        }
    }
    found.compare_head(&database).await?;
    found.compare_tiles(&database).await?;
    for size in std::mem::take(&mut found.checkpoints).into_keys() {
        found.add_fault(format!("a checkpoint signs {size} entries, and there are {}", found.tree.size()));
    }
    Ok(VerifiedServiceLog { entries: found.tree.size(), broken: found.broken })
}

async fn checkpoints(database: &Database) -> Result<BTreeMap<u64, String>, TaskError> {
    let rows = database.query(CHECKPOINTS, &[]).await?;
    rows.iter().map(|row| Ok((row.try_get::<_, i64>("size")?.unsigned_abs(), row.try_get("note")?))).collect()
}

impl Recomputed {
    fn add_fault(&mut self, what: String) {
        if self.broken.len() < MAX_REPORTED {
            self.broken.push(what);
        }
    }

    fn add(&mut self, row: &Row) -> Result<(), TaskError> {
        let (index, expected) = (row.try_get::<_, i64>("service_index")?.unsigned_abs(), self.tree.size());
        if index != expected {
            self.add_fault(format!("entry {index} of the service log is in the position of entry {expected}"));
        }
        if let Err(fault) = check(row, index)? {
            self.add_fault(format!("entry {index} of the service log: {fault}"));
        }
        let entry: &str = row.try_get("entry")?;
        let mut new = NewTiles::default();
        new.append(&mut self.tree, Hash::of_entry(entry.as_bytes()));
        for (tile, hashes) in new.more {
            self.tiles.entry(tile).or_default().extend(hashes);
        }
        let size = self.tree.size();
        if let Some(note) = self.checkpoints.remove(&size)
            && note.lines().nth(2) != Some(&root_line(self.tree.root()))
        {
            self.add_fault(format!("the checkpoint of the service log at {size} has another root than its entries"));
        }
        Ok(())
    }

    async fn compare_head(&mut self, database: &Database) -> Result<(), TaskError> {
        let Some(row) = database.query_opt(HEAD, &[]).await? else {
            self.add_fault("the service log has no head".to_owned());
            return Ok(());
        };
        let (size, peaks): (i64, Vec<Vec<u8>>) = (row.try_get("size")?, row.try_get("peaks")?);
        match CompactRange::from_parts(size.unsigned_abs(), &peaks) {
            Ok(head) if head.head() == self.tree.head() => {}
            Ok(_) => self.add_fault("the head of the service log does not match its entries".to_owned()),
            Err(error) => self.add_fault(format!("the head of the service log: {error}")),
        }
        Ok(())
    }

    async fn compare_tiles(&mut self, database: &Database) -> Result<(), TaskError> {
        let mut expected = std::mem::take(&mut self.tiles);
        for row in &database.query(TILES, &[]).await? {
            let (level, index): (i16, i64) = (row.try_get("level")?, row.try_get("tile")?);
            let tile = Tile { level: u8::try_from(level).unwrap_or(u8::MAX), index: index.unsigned_abs() };
            if expected.remove(&tile).as_deref() != Some(row.try_get::<_, &[u8]>("hashes")?) {
                self.add_fault(format!("tile {index} of level {level} of the service log does not match its entries"));
            }
        }
        for Tile { level, index } in expected.into_keys() {
            self.add_fault(format!("tile {index} of level {level} of the service log is missing"));
        }
        Ok(())
    }
}

/// Checks that an entry hides the checkpoint beside it, and that this is the one that was signed.
fn check(row: &Row, index: u64) -> Result<Result<(), String>, TaskError> {
    let organization: OrganizationId = row.try_get("organization_id")?;
    let of = |fault: &str| Ok(Err(format!("{fault} (organization {organization})")));
    let entry: &str = row.try_get("entry")?;
    if row.try_get::<_, &[u8]>("leaf")? != Hash::of_entry(entry.as_bytes()).as_bytes() {
        return of("the leaf is not the hash of the entry");
    }
    let size = row.try_get::<_, i64>("size")?.unsigned_abs();
    let secret = row.try_get::<_, Option<&[u8]>>("secret")?.and_then(LogSecret::from_bytes);
    let (Some(secret), Some(root)) = (secret, Hash::from_bytes(row.try_get("root")?)) else {
        return of("the secret of the log is missing, or the root is malformed");
    };
    let checkpoint = Checkpoint { origin: row.try_get("origin")?, size, root };
    let hiding = secret.open(index, &checkpoint).entry().map_err(StoreError::from)?;
    if hiding.canonical().map_err(StoreError::from)? != entry.as_bytes() {
        return of("it does not hide the checkpoint that is stored beside it");
    }
    let signed: Option<&str> = row.try_get("note")?;
    if signed.is_some_and(|note| note.lines().nth(2) != Some(&root_line(root))) {
        return of("another root was signed for this size");
    }
    Ok(Ok(()))
}
