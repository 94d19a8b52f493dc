//! Enters the checkpoints of organizations' logs into the service log.

use rollcall_events::OrganizationId;
use rollcall_events::log::checkpoint::Checkpoint;
use rollcall_events::log::service_log::LogSecret;
use rollcall_events::log::tile::NewTiles;
use rollcall_events::log::{CompactRange, Hash};
use std::collections::HashSet;
use tokio_postgres::Row;

use super::guard::head;
use crate::db::{Database, StoreError, TaskError, seq_column};

/// Maximum number of entries per transaction.
const PAGE: i64 = 500;

/// The newest checkpoints of logs that have grown since their last entry. The order is random: a fixed order would
/// tell entries of one organization from those of another.
const GROWN: &str = "
    SELECT h.organization_id, c.size, c.note, s.secret FROM log_heads h
    CROSS JOIN LATERAL (
        SELECT size, note FROM checkpoints WHERE organization_id = h.organization_id ORDER BY size DESC LIMIT 1
    ) c
    LEFT JOIN log_secrets s ON s.organization_id = h.organization_id
    WHERE c.size > COALESCE((SELECT max(e.size) FROM service_entries e WHERE e.organization_id = h.organization_id), 0)
    ORDER BY random() LIMIT $1";

const ADVANCE: &str = "UPDATE service_head SET size = $2, peaks = $3 WHERE size = $1";
const ADD_SECRETS: &str = "
    INSERT INTO log_secrets (organization_id, secret) SELECT * FROM unnest($1::uuid[], $2::bytea[])";
const INSERT: &str = "
    INSERT INTO service_entries (service_index, organization_id, size, origin, root, entry, leaf)
    SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::text[], $5::bytea[], $6::text[], $7::bytea[])";
const EXTEND: &str = "
    INSERT INTO service_tiles AS t (level, tile, hashes) SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[])
    ON CONFLICT (level, tile) DO UPDATE SET hashes = t.hashes || excluded.hashes";

/// Enters checkpoints.
#[derive(Default)]
pub(super) struct Appender {
    /// Logs whose newest checkpoint cannot be read. Each is logged once until it can be read again.
    unreadable: HashSet<OrganizationId>,
}

/// A checkpoint that is to be entered.
struct Grown {
    organization: OrganizationId,
    checkpoint: Checkpoint,
    secret: LogSecret,
    is_new_secret: bool,
}

/// The new rows.
#[derive(Default)]
struct Columns {
    indexes: Vec<i64>,
    organizations: Vec<OrganizationId>,
    sizes: Vec<i64>,
    origins: Vec<String>,
    roots: Vec<Vec<u8>>,
    entries: Vec<String>,
    leaves: Vec<Vec<u8>>,
    secrets: (Vec<OrganizationId>, Vec<Vec<u8>>),
}

impl Appender {
    /// Enters the newest checkpoint of each log that has grown.
    pub(super) async fn append(&mut self, database: &Database) -> Result<(), TaskError> {
        loop {
            let rows = database.query(GROWN, &[&PAGE]).await?;
            let grown: Vec<_> = rows.iter().map(|row| self.read(row)).collect::<Result<_, _>>()?;
            let grown: Vec<_> = grown.into_iter().flatten().collect();
            if grown.is_empty() {
                return Ok(());
            }
            let is_last = rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            database.in_transaction(insert(database, &grown)).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// Reads a checkpoint; `None` if it is not one of this size.
    fn read(&mut self, row: &Row) -> Result<Option<Grown>, TaskError> {
        let (organization, note): (OrganizationId, &str) = (row.try_get("organization_id")?, row.try_get("note")?);
        let size = row.try_get::<_, i64>("size")?.unsigned_abs();
        let secret: Option<&[u8]> = row.try_get("secret")?;
        let Some(checkpoint) = Checkpoint::parse(note.as_bytes()).ok().filter(|checkpoint| checkpoint.size == size)
        else {
            if self.unreadable.insert(organization) {
                tracing::error!(%organization, "a checkpoint cannot be read; it is not entered into the service log");
            }
            return Ok(None);
        };
        self.unreadable.remove(&organization);
        let known = secret.and_then(LogSecret::from_bytes);
        let is_new_secret = known.is_none();
        let secret = match known {
            Some(secret) => secret,
            None => LogSecret::generate().map_err(StoreError::from)?,
        };
        Ok(Some(Grown { organization, checkpoint, secret, is_new_secret }))
    }
}

/// Appends the entries. Two workers cannot append at the same size: the second one finds that the head has moved.
async fn insert(database: &Database, grown: &[Grown]) -> Result<(), TaskError> {
    let mut log = head(database).await?;
    let size = seq_column(log.size());
    let mut tiles = NewTiles::default();
    let columns = Columns::of(grown, &mut log, &mut tiles)?;
    let peaks: Vec<&[u8]> = log.peaks().iter().map(Hash::as_bytes).collect();
    if database.execute(ADVANCE, &[&size, &seq_column(log.size()), &peaks]).await? != 1 {
        return Err(TaskError::Unreadable("another worker has appended to the service log".to_owned()));
    }
    database.execute(ADD_SECRETS, &[&columns.secrets.0, &columns.secrets.1]).await?;
    let Columns { indexes, organizations, sizes, origins, roots, entries, leaves, .. } = &columns;
    database.execute(INSERT, &[indexes, organizations, sizes, origins, roots, entries, leaves]).await?;
    let (levels, numbers): (Vec<i16>, Vec<i64>) =
        tiles.more.keys().map(|tile| (i16::from(tile.level), seq_column(tile.index))).unzip();
    let hashes: Vec<_> = tiles.more.into_values().collect();
    database.execute(EXTEND, &[&levels, &numbers, &hashes]).await?;
    Ok(())
}

impl Columns {
    fn of(grown: &[Grown], log: &mut CompactRange, tiles: &mut NewTiles) -> Result<Self, StoreError> {
        let mut columns = Self::default();
        for Grown { organization, checkpoint, secret, is_new_secret } in grown {
            let index = log.size();
            let entry = secret.open(index, checkpoint).entry()?;
            let leaf = entry.leaf()?;
            tiles.append(log, leaf);
            columns.indexes.push(seq_column(index));
            columns.organizations.push(*organization);
            columns.sizes.push(seq_column(checkpoint.size));
            columns.origins.push(checkpoint.origin.clone());
            columns.roots.push(checkpoint.root.as_bytes().to_vec());
            columns.entries.push(String::from_utf8_lossy(&entry.canonical()?).into_owned());
            columns.leaves.push(leaf.as_bytes().to_vec());
            if *is_new_secret {
                columns.secrets.0.push(*organization);
                columns.secrets.1.push(secret.as_bytes().to_vec());
            }
        }
        Ok(columns)
    }
}
