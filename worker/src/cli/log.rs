//! `log accept-restore|adopt`: commands for the signer, where its file is.

use clap::Subcommand;
use rollcall_events::actor::Actor;
use rollcall_events::log::TreeHead;
use rollcall_events::log::checkpoint::read_root_line;
use rollcall_events::name::Reason;
use rollcall_events::outcome::Outcome;
use rollcall_events::request::{AcceptRestore, Request, RequestBody};
use rollcall_events::{EventId, OrganizationId, Timestamp};
use serde_json::json;
use std::collections::BTreeSet;
use tokio_postgres::Row;

use super::error::CommandError;
use super::print::print;
use crate::db::{Database, TaskError, seq_column};
use crate::log::signer::{
    Record, Records, ReviewedLog, SignerFile, SignerFileError, Signing, flag, review, review_absent,
};
use crate::pipeline::DirectApply;
use crate::settings::Settings;

const APPLICATION: &str = "rollcall-worker log";
/// Number of checkpoints per query.
const PAGE: i64 = 1000;

/// The newest checkpoint of each log with an id above $1. The third line of a checkpoint is the root.
const CHECKPOINTS: &str = "
    SELECT DISTINCT ON (organization_id) organization_id, size, split_part(note, E'\\n', 3) AS root
    FROM checkpoints WHERE $1::uuid IS NULL OR organization_id > $1
    ORDER BY organization_id, size DESC LIMIT $2";

/// The newest checkpoint of the service log. The first line of a checkpoint is the origin.
const SERVICE_CHECKPOINT: &str = "
    SELECT size, split_part(note, E'\\n', 1) AS origin, split_part(note, E'\\n', 3) AS root
    FROM service_checkpoints ORDER BY size DESC LIMIT 1";

/// Deletes the checkpoints of lost entries: those above the restored size $2, and the one that the new entry
/// states, of size $3. New checkpoints take their place. This comes before the new entry: after it, the log can
/// have the size of a lost checkpoint.
const DELETE_LOST: &str = "DELETE FROM checkpoints WHERE organization_id = $1 AND (size > $2 OR size = $3)";

/// Waits for saves of positions that run, and lets others wait. A save that comes after this transaction reads the new
/// count of restores.
const LOCK_POSITIONS: &str = "LOCK TABLE sink_positions, stream_positions IN SHARE ROW EXCLUSIVE MODE";

/// Moves the positions of sinks and streams back to the restored size $2. Otherwise they would pass over the new
/// entries, which have the seqs of the lost ones.
const MOVE_BACK: [&str; 3] = [
    "UPDATE sink_positions SET seq = $2 WHERE organization_id = $1 AND seq > $2",
    "INSERT INTO stream_positions (organization_id, stream_id, seq, beyond)
        SELECT organization_id, id, $2, '{}' FROM event_streams WHERE organization_id = $1 AND begins_after > $2
    ON CONFLICT DO NOTHING",
    "UPDATE stream_positions SET seq = least(seq, $2),
        beyond = ARRAY (SELECT b FROM unnest(beyond) AS b WHERE b <= $2)
    WHERE organization_id = $1",
];

/// Counts the restore. Running deliveries then read their positions again, and a position that was read before is
/// ignored.
const COUNT_RESTORE: &str =
    "UPDATE log_heads SET restores = restores + 1, version = version + 1 WHERE organization_id = $1";

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Continue refused logs, although the database has lost entries that were signed. An entry of each log
    /// (`LogRestored`) has the signed size, the restored size and the reason. Run it where the signer file is, and
    /// run `verify` first.
    AcceptRestore {
        /// The organization whose log is refused.
        #[arg(long, required_unless_present = "all", conflicts_with = "all")]
        organization: Option<OrganizationId>,
        /// Continue every refused log.
        #[arg(long)]
        all: bool,
        /// Reason, which is recorded in each log.
        #[arg(long)]
        reason: Reason,
    },
    /// Write a new signer file from the newest checkpoints in the database, because the file is lost. A
    /// rollback that happened before this is not noticed.
    Adopt,
}

pub(super) async fn run(settings: &Settings, command: LogCommand) -> Result<(), CommandError> {
    let signing = Signing::read(settings)?;
    let (Some(file), Some(name)) = (signing.file, signing.keys.name()) else { return Err(CommandError::NoSigner) };
    let database = Database::open(&settings.database_url, APPLICATION).await?;
    match command {
        LogCommand::AcceptRestore { organization, reason, .. } => {
            accept_restores(settings, &database, &file, name, organization, &reason).await
        }
        LogCommand::Adopt => adopt(&database, &file, name).await,
    }
}

/// Continues the refused log of an organization, or all refused logs. The lock of the signer file keeps signers
/// away meanwhile, and the flags in the heads keep partitions away.
///
/// If this breaks off, the logs stay refused until it is repeated: the signer file is written after the entries.
async fn accept_restores(
    settings: &Settings,
    database: &Database,
    file: &SignerFile,
    name: &str,
    only: Option<OrganizationId>,
    reason: &Reason,
) -> Result<(), CommandError> {
    let file = file.lock().await?;
    let mut records = file.read()?.ok_or_else(|| SignerFileError::Missing(file.path().to_owned()))?;
    let refused = refused(database, name, &records, only).await?;
    if let (Some(organization), true) = (only, refused.is_empty()) {
        return Err(CommandError::NotRefused(organization));
    }
    let reasons = refused.iter().map(|log| (log.organization, log.refusal.map(|refusal| refusal.to_string())));
    flag(database, &reasons.collect()).await?;
    let direct = DirectApply::open(&settings.database_url, APPLICATION).await?;
    let mut accepted = Vec::new();
    for log in &refused {
        // A refused log was signed.
        let Some(signed) = log.signed else { continue };
        move_back(database, log, signed).await?;
        let restore = AcceptRestore { signed, restored: log.log.head(), reason: reason.clone() };
        match direct.apply(&request(log.organization, restore), log.log.head()).await? {
            Some(Outcome::Applied { .. }) => {}
            outcome => return Err(CommandError::NotRecorded(log.organization, format!("{outcome:?}"))),
        }
        let head = head(database, name, &records, log.organization).await?;
        records.insert(log.origin.clone(), Record { head, restored_from: Some(signed) });
        accepted.push(json!({
            "organization": log.organization, "signed_size": signed.size, "restored_size": log.log.size(),
            "size": head.size
        }));
    }
    file.write(&records)?;
    flag(database, &refused.iter().map(|log| (log.organization, None)).collect()).await?;
    accepted.iter().for_each(print);
    Ok(())
}

/// Moves the positions of receivers back to the restored size, and deletes the checkpoints of lost entries. This
/// comes before the first new entry. It is one transaction, so a delivery that reads the new count also reads the new
/// position.
async fn move_back(database: &Database, log: &ReviewedLog, signed: TreeHead) -> Result<(), TaskError> {
    let (organization, restored) = (&log.organization, &seq_column(log.log.size()));
    database.batch("BEGIN").await?;
    database.batch(LOCK_POSITIONS).await?;
    database.execute(COUNT_RESTORE, &[organization]).await?;
    for statement in MOVE_BACK {
        database.execute(statement, &[organization, restored]).await?;
    }
    database.execute(DELETE_LOST, &[organization, restored, &seq_column(signed.size)]).await?;
    database.batch("COMMIT").await
}

/// The request that continues a log. Its id depends on what was signed, so that a repeated command records it
/// once.
fn request(organization_id: OrganizationId, restore: AcceptRestore) -> Request {
    Request {
        id: EventId::of_restore(organization_id, restore.signed),
        organization_id,
        requested_at: Timestamp::now(),
        actor: Actor::operator("rollcall-worker"),
        fingerprint: None,
        body: RequestBody::settings(restore),
    }
}

/// The refused logs: of one organization, or all.
async fn refused(
    database: &Database,
    name: &str,
    records: &Records,
    only: Option<OrganizationId>,
) -> Result<Vec<ReviewedLog>, CommandError> {
    let (mut refused, mut present, mut after) = (Vec::new(), BTreeSet::new(), None);
    loop {
        let page = review(database, name, Some(records), only, after).await?;
        if let Some((organization, error)) = page.unreadable.into_iter().next() {
            let unreadable = format!("the head of the log of organization {organization} cannot be read: {error}");
            return Err(TaskError::Unreadable(unreadable).into());
        }
        present.extend(page.logs.iter().map(|log| log.organization));
        refused.extend(page.logs.into_iter().filter(|log| log.refusal.is_some()));
        after = page.last;
        if after.is_none() {
            break;
        }
    }
    let absent = review_absent(name, records, &present).into_iter();
    refused.extend(absent.filter(|log| only.is_none_or(|only| only == log.organization)));
    Ok(refused)
}

/// The tree head of a log.
async fn head(
    database: &Database,
    name: &str,
    records: &Records,
    organization: OrganizationId,
) -> Result<TreeHead, CommandError> {
    let page = review(database, name, Some(records), Some(organization), None).await?;
    let log = page.logs.into_iter().next();
    Ok(log.ok_or_else(|| TaskError::Unreadable("the head of a log is gone".to_owned()))?.log.head())
}

/// Writes a new signer file.
async fn adopt(database: &Database, file: &SignerFile, name: &str) -> Result<(), CommandError> {
    let file = file.lock().await?;
    if file.read()?.is_some() {
        return Err(SignerFileError::Exists(file.path().to_owned()).into());
    }
    let (mut records, mut after) = (Records::new(), None::<OrganizationId>);
    loop {
        let rows = database.query(CHECKPOINTS, &[&after, &PAGE]).await?;
        for row in &rows {
            let organization: OrganizationId = row.try_get("organization_id")?;
            records.insert(format!("{name}/{organization}"), record(row)?);
            after = Some(organization);
        }
        if rows.is_empty() {
            break;
        }
    }
    if let Some(row) = database.query_opt(SERVICE_CHECKPOINT, &[]).await? {
        records.insert(row.try_get::<_, String>("origin").map_err(TaskError::from)?, record(&row)?);
    }
    file.write(&records)?;
    print(&json!({"signer_file": file.path(), "logs": records.len()}));
    Ok(())
}

/// What a checkpoint signs.
fn record(row: &Row) -> Result<Record, TaskError> {
    let root = read_root_line(row.try_get("root")?)?;
    let head = TreeHead { root, size: row.try_get::<_, i64>("size")?.unsigned_abs() };
    Ok(Record { head, restored_from: None })
}
