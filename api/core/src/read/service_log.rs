//! The service log: its checkpoints, its tiles, its entries, and how long it has been unwitnessed.

use rollcall_events::log::proof::Question;
use rollcall_events::log::service_log::LogSecret;
use rollcall_events::log::tile::Tile;
use rollcall_events::log::tile_path::TilePath;
use rollcall_events::log::{Hash, checkpoint::Checkpoint};
use rollcall_events::{OrganizationId, Timestamp};
use rollcall_service::service_log::{TILES, nodes_in, tiles_of};
use std::collections::BTreeSet;
use tokio_postgres::Row;

use super::database::Reader;
use super::{Database, ReadError};

/// How long the newest checkpoint may stay unwitnessed before it is served instead of an older, witnessed one.
const PATIENCE_SECONDS: i32 = 600;

/// The checkpoint that is served, with its cosignatures: the newest witnessed one; or the newest, if none is
/// witnessed, or the log has been unwitnessed for $1 seconds.
const SERVED: &str = "
    WITH w AS (SELECT max(size) AS size FROM service_checkpoints WHERE witnessed_at IS NOT NULL),
    served AS (
        SELECT size, note FROM service_checkpoints WHERE size = COALESCE(
            (SELECT w.size FROM w WHERE NOT EXISTS (
                SELECT FROM service_checkpoints n
                WHERE n.size > w.size AND n.signed_at < now() - make_interval(secs => $1)
            )),
            (SELECT max(size) FROM service_checkpoints)
        )
    )
    SELECT s.size, s.note || COALESCE((
        SELECT string_agg(c.line, '' ORDER BY c.cosigned_at, c.witness, c.key_id) FROM service_cosignatures c
        WHERE c.size = s.size
    ), '') AS note
    FROM served s";

/// The checkpoint that proves entry $1 to an outsider: the newest witnessed one with the entry, or else the newest.
const PROVING: &str = "
    SELECT s.size, s.note || COALESCE((
        SELECT string_agg(c.line, '' ORDER BY c.cosigned_at, c.witness, c.key_id) FROM service_cosignatures c
        WHERE c.size = s.size
    ), '') AS note
    FROM (
        SELECT size, note FROM service_checkpoints WHERE size > $1 ORDER BY (witnessed_at IS NULL), size DESC LIMIT 1
    ) s";

const SIGNED_SIZE: &str = "SELECT COALESCE(max(size), 0) AS size FROM service_checkpoints";

const ENTRIES: &str = "
    SELECT entry FROM service_entries WHERE service_index >= $1 AND service_index < $2 ORDER BY service_index";

const ENTRY_OF: &str = "
    SELECT e.service_index, e.origin, e.root, e.size, s.secret FROM service_entries e
    JOIN log_secrets s ON s.organization_id = e.organization_id
    WHERE e.organization_id = $1 AND e.size = $2";

const ENTRIES_OF: &str = "
    SELECT service_index, origin, root, size FROM service_entries
    WHERE organization_id = $1 AND service_index >= $2 ORDER BY service_index LIMIT $3";

const SECRET: &str = "SELECT secret FROM log_secrets WHERE organization_id = $1";

/// The newest witnessed checkpoint, and the first checkpoint after it.
const STATE: &str = "
    SELECT w.size, w.witnessed_at, (SELECT count(*) FROM service_witnesses) AS witnesses, h.refused, COALESCE(
        (SELECT n.signed_at FROM service_checkpoints n WHERE n.size > COALESCE(w.size, 0) ORDER BY n.size LIMIT 1),
        CASE WHEN h.refused IS NOT NULL THEN w.witnessed_at END
    ) AS unwitnessed_since
    FROM (SELECT 1) one LEFT JOIN service_head h ON true LEFT JOIN LATERAL (
        SELECT size, witnessed_at FROM service_checkpoints WHERE witnessed_at IS NOT NULL ORDER BY size DESC LIMIT 1
    ) w ON true";

const WITNESSES: &str = "
    SELECT witness, size, cosigned_at, failed_since, failure FROM service_witnesses ORDER BY witness, key_id";

const WITNESSED_SIZE: &str = "
    SELECT max(e.size) AS size FROM service_entries e
    WHERE e.organization_id = $1
        AND e.service_index < (SELECT max(size) FROM service_checkpoints WHERE witnessed_at IS NOT NULL)";

/// An entry of an organization in the service log.
#[derive(Debug, Clone)]
pub struct EnteredCheckpoint {
    /// The index in the service log, from 0.
    pub index: u64,
    /// The organization's checkpoint.
    pub checkpoint: Checkpoint,
}

/// How far the service log is witnessed.
#[derive(Debug, Clone, Default)]
pub struct WitnessStatus {
    /// The number of configured witnesses.
    pub witnesses: u64,
    /// The size of the newest witnessed checkpoint, and when enough witnesses had cosigned it.
    pub witnessed: Option<(u64, Timestamp)>,
    /// When the first checkpoint after it was signed; `None` if the newest checkpoint is witnessed. If the signer
    /// refuses the log, no checkpoint is entered any more; then it is when the last one was witnessed.
    pub unwitnessed_since: Option<Timestamp>,
    /// Why the signer refuses the log, if it does.
    pub refused: Option<String>,
}

/// The state of one witness.
#[derive(Debug, Clone)]
pub struct WitnessState {
    /// The name of the witness.
    pub name: String,
    /// The size that it has cosigned last.
    pub size: u64,
    /// When that was.
    pub cosigned_at: Option<Timestamp>,
    /// Since when it fails, and why it failed last.
    pub failing: Option<(Timestamp, String)>,
}

impl WitnessStatus {
    /// How long the log has been unwitnessed, in seconds; 0 if its newest checkpoint is witnessed.
    pub fn unwitnessed_seconds(&self, now: Timestamp) -> u64 {
        self.unwitnessed_since.map_or(0, |since| now.seconds_since(since))
    }
}

/// The connections for readers of the public log. They share the part of the system organization.
fn public(database: &Database) -> Reader<'_> {
    database.queries(OrganizationId::SYSTEM)
}

fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The checkpoint of the service log with its cosignatures, if there is one.
pub async fn service_checkpoint(database: &Database) -> Result<Option<String>, ReadError> {
    let row = public(database).query_opt(SERVED, &[&f64::from(PATIENCE_SECONDS)]).await?;
    Ok(row.map(|row| row.try_get("note")).transpose()?)
}

/// The size of the newest checkpoint of the service log.
pub async fn service_size(database: &Database) -> Result<u64, ReadError> {
    let row = public(database).query_opt(SIGNED_SIZE, &[]).await?;
    Ok(row.map(|row| row.try_get::<_, i64>("size")).transpose()?.unwrap_or_default().unsigned_abs())
}

/// The hashes of a tile; `None` if it does not have all of them.
pub async fn service_tile(database: &Database, path: TilePath) -> Result<Option<Vec<u8>>, ReadError> {
    let Tile { level, index } = path.tile;
    let (levels, indexes) = (vec![i16::from(level)], vec![column(index)]);
    let row = public(database).query_opt(TILES, &[&levels, &indexes]).await?;
    let hashes: Option<Vec<u8>> = row.map(|row| row.try_get("hashes")).transpose()?.flatten();
    let length = usize::try_from(path.width).unwrap_or(usize::MAX).saturating_mul(32);
    Ok(hashes.and_then(|hashes| hashes.get(..length).map(<[u8]>::to_vec)))
}

/// The entries of a bundle.
pub async fn service_entries(database: &Database, path: TilePath) -> Result<Vec<String>, ReadError> {
    let (first, end) = (path.seqs().start() - 1, *path.seqs().end());
    let rows = public(database).query(ENTRIES, &[&column(first), &column(end)]).await?;
    Ok(rows.iter().map(|row| row.try_get("entry")).collect::<Result<_, _>>()?)
}

/// The secret of an organization's log, if the log has an entry in the service log.
pub async fn log_secret(database: &Database, organization: OrganizationId) -> Result<Option<LogSecret>, ReadError> {
    let row = database.points(organization).query_opt(SECRET, &[&organization]).await?;
    row.map(|row| secret(&row)).transpose()
}

/// The entries of an organization in the service log, from an index on.
pub async fn entered_checkpoints(
    database: &Database,
    organization: OrganizationId,
    from: u64,
    count: u32,
) -> Result<Vec<EnteredCheckpoint>, ReadError> {
    let parameters = (column(from), i64::from(count));
    let rows = database.queries(organization).query(ENTRIES_OF, &[&organization, &parameters.0, &parameters.1]).await?;
    rows.iter().map(entered).collect()
}

/// The entry for the checkpoint of an organization's log at a size, with the log's secret.
pub async fn entered_checkpoint(
    database: &Database,
    organization: OrganizationId,
    size: u64,
) -> Result<Option<(EnteredCheckpoint, LogSecret)>, ReadError> {
    let row = database.points(organization).query_opt(ENTRY_OF, &[&organization, &column(size)]).await?;
    row.map(|row| Ok((entered(&row)?, secret(&row)?))).transpose()
}

/// The largest checkpoint of an organization's log that a witnessed checkpoint of the service log covers.
pub async fn witnessed_size(database: &Database, organization: OrganizationId) -> Result<Option<u64>, ReadError> {
    let row = database.points(organization).query_opt(WITNESSED_SIZE, &[&organization]).await?;
    let size: Option<i64> = row.map(|row| row.try_get("size")).transpose()?.flatten();
    Ok(size.map(i64::unsigned_abs))
}

/// The checkpoint that proves an entry of the service log, with its cosignatures, and the inclusion proof; `None` if
/// no checkpoint has the entry yet.
pub async fn service_proof(
    database: &Database,
    organization: OrganizationId,
    index: u64,
) -> Result<Option<(Vec<Hash>, String)>, ReadError> {
    let Some(row) = database.points(organization).query_opt(PROVING, &[&column(index)]).await? else { return Ok(None) };
    let (size, note): (i64, String) = (row.try_get("size")?, row.try_get("note")?);
    let holes = || ReadError::Malformed("the tree of the service log has holes".to_owned());
    let question = Question::Inclusion { seq: index.saturating_add(1), size: size.unsigned_abs() };
    let nodes: BTreeSet<_> = question.nodes().map_err(|_| holes())?.into_iter().collect();
    let (levels, tiles) = tiles_of(&nodes);
    let rows = database.queries(organization).query(TILES, &[&levels, &tiles]).await?;
    let nodes = nodes_in(&rows, &nodes)?.ok_or_else(holes)?;
    Ok(Some((question.answer(&nodes).map_err(|_| holes())?, note)))
}

/// How far the service log is witnessed.
pub async fn witness_status(database: &Database) -> Result<WitnessStatus, ReadError> {
    let Some(row) = database.sessions().query_opt(STATE, &[]).await? else { return Ok(WitnessStatus::default()) };
    let size: Option<i64> = row.try_get("size")?;
    Ok(WitnessStatus {
        witnesses: row.try_get::<_, i64>("witnesses")?.unsigned_abs(),
        witnessed: size.map(i64::unsigned_abs).zip(row.try_get("witnessed_at")?),
        unwitnessed_since: row.try_get("unwitnessed_since")?,
        refused: row.try_get("refused")?,
    })
}

/// The state of each witness.
pub async fn witness_states(database: &Database) -> Result<Vec<WitnessState>, ReadError> {
    let rows = database.sessions().query(WITNESSES, &[]).await?;
    let state = |row: &Row| {
        let failed_since: Option<Timestamp> = row.try_get("failed_since")?;
        Ok(WitnessState {
            name: row.try_get("witness")?,
            size: row.try_get::<_, i64>("size")?.unsigned_abs(),
            cosigned_at: row.try_get("cosigned_at")?,
            failing: failed_since.zip(row.try_get("failure")?),
        })
    };
    rows.iter().map(state).collect()
}

fn entered(row: &Row) -> Result<EnteredCheckpoint, ReadError> {
    let root = Hash::from_bytes(row.try_get("root")?);
    let root = root.ok_or_else(|| ReadError::Malformed("an entry of the service log has no root".to_owned()))?;
    let size = row.try_get::<_, i64>("size")?.unsigned_abs();
    let checkpoint = Checkpoint { origin: row.try_get("origin")?, size, root };
    Ok(EnteredCheckpoint { index: row.try_get::<_, i64>("service_index")?.unsigned_abs(), checkpoint })
}

fn secret(row: &Row) -> Result<LogSecret, ReadError> {
    let secret = LogSecret::from_bytes(row.try_get("secret")?);
    secret.ok_or_else(|| ReadError::Malformed("the secret of a log has not 32 bytes".to_owned()))
}
