//! Reads the logs of the organizations, page by page, and compares each with the tree head that was signed last.

use rollcall_events::OrganizationId;
use rollcall_events::log::checkpoint::read_root_line;
use rollcall_events::log::{CompactRange, TreeHead};
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Row;

use super::compare::{Refusal, check_growth, compare};
use super::format::Records;
use super::nodes::read_nodes;
use crate::db::{Database, StoreError, TaskError};

/// Number of logs per page. The proofs of a page need about 20 kB for each log that has grown.
const PAGE: i64 = 250;

/// The heads of logs with ids above $2, in order, each with its newest checkpoint. If $1 is not NULL, only this
/// organization. The third line of a checkpoint is the root.
const HEADS: &str = "
    SELECT h.organization_id, h.size, h.peaks, h.refused, c.size AS checkpoint_size,
        split_part(c.note, E'\\n', 3) AS checkpoint_root
    FROM log_heads h
    LEFT JOIN LATERAL (
        SELECT c.size, c.note FROM checkpoints c WHERE c.organization_id = h.organization_id ORDER BY c.size DESC LIMIT 1
    ) c ON true
    WHERE ($1::uuid IS NULL OR h.organization_id = $1) AND ($2::uuid IS NULL OR h.organization_id > $2)
    ORDER BY h.organization_id LIMIT $3";

/// Writes the refusal of each log into its head, or removes it. A new version makes a batch that was decided
/// before start again, so it sees the refusal. A log without a head gets one.
const FLAG: &str = "
    INSERT INTO log_heads AS h (organization_id, refused)
    SELECT k.organization_id, k.refused FROM unnest($1::uuid[], $2::text[]) AS k (organization_id, refused)
    ON CONFLICT (organization_id) DO UPDATE SET refused = excluded.refused, version = h.version + 1
        WHERE h.refused IS DISTINCT FROM excluded.refused";

/// A log in the database, compared with its last signed tree head.
#[derive(Debug)]
pub(crate) struct ReviewedLog {
    pub(crate) organization: OrganizationId,
    /// The name of the log in checkpoints.
    pub(crate) origin: String,
    pub(crate) log: CompactRange,
    /// The size of the newest checkpoint in the database; 0 if there is none.
    pub(crate) checkpoint_size: u64,
    /// Whether the head in the database says that the log is refused.
    pub(crate) is_flagged: bool,
    /// The last signed tree head: that of the signer file, or that of the newest checkpoint if the file has none.
    pub(crate) signed: Option<TreeHead>,
    /// Why the log is refused, if it is.
    pub(crate) refusal: Option<Refusal>,
}

/// Some logs, in the order of their organizations.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) logs: Vec<ReviewedLog>,
    /// Logs whose heads cannot be read, and why.
    pub(crate) unreadable: Vec<(OrganizationId, TaskError)>,
    /// The last organization of the page; `None` if the page is empty, so there are no more.
    pub(crate) last: Option<OrganizationId>,
}

/// The origin of an organization's log.
fn origin(name: &str, organization: OrganizationId) -> String {
    format!("{name}/{organization}")
}

/// The organization of a log, if the signer with this name signs it.
pub(super) fn organization(name: &str, origin: &str) -> Option<OrganizationId> {
    origin.strip_prefix(name)?.strip_prefix('/')?.parse().ok()
}

/// Reads and compares the logs after an organization, or one log. Without `records`, nothing is compared.
///
/// # Errors
/// If Postgres fails.
pub(crate) async fn review(
    database: &Database,
    name: &str,
    records: Option<&Records>,
    only: Option<OrganizationId>,
    after: Option<OrganizationId>,
) -> Result<Page, TaskError> {
    let rows = database.query(HEADS, &[&only, &after, &PAGE]).await?;
    let mut page = Page::default();
    for row in &rows {
        let organization: OrganizationId = row.try_get("organization_id")?;
        page.last = Some(organization);
        match read(row, name, organization, records) {
            Ok(log) => page.logs.push(log),
            Err(error) => page.unreadable.push((organization, error)),
        }
    }
    compare_all(database, &mut page.logs).await?;
    Ok(page)
}

fn read(
    row: &Row,
    name: &str,
    organization: OrganizationId,
    records: Option<&Records>,
) -> Result<ReviewedLog, TaskError> {
    let (size, peaks): (i64, Vec<Vec<u8>>) = (row.try_get("size")?, row.try_get("peaks")?);
    let log = CompactRange::from_parts(size.unsigned_abs(), &peaks).map_err(StoreError::from)?;
    let origin = origin(name, organization);
    let checkpoint_size = row.try_get::<_, Option<i64>>("checkpoint_size")?.map_or(0, i64::unsigned_abs);
    let checkpoint = || {
        let root: Option<&str> = row.try_get("checkpoint_root")?;
        let root = root.map(read_root_line).transpose()?;
        Ok::<_, TaskError>(root.map(|root| TreeHead { root, size: checkpoint_size }))
    };
    let signed = match records {
        None => None,
        Some(records) => match records.get(&origin) {
            Some(record) => Some(record.head),
            None => checkpoint()?,
        },
    };
    let is_flagged = row.try_get::<_, Option<&str>>("refused")?.is_some();
    Ok(ReviewedLog { organization, origin, log, checkpoint_size, is_flagged, signed, refusal: None })
}

/// Compares each log with its last signed tree head. The nodes of all proofs are read at once.
async fn compare_all(database: &Database, logs: &mut [ReviewedLog]) -> Result<(), TaskError> {
    let mut wanted = BTreeMap::new();
    for log in logs.iter_mut() {
        match log.signed.map_or(Ok(None), |signed| compare(signed, &log.log)) {
            Ok(None) => {}
            Ok(Some(proof)) => {
                let nodes = proof.nodes().map_err(|error| TaskError::Unreadable(error.to_string()))?;
                wanted.insert(log.organization, nodes);
            }
            Err(refusal) => log.refusal = Some(refusal),
        }
    }
    let nodes = read_nodes(database, &wanted).await?;
    for log in logs.iter_mut() {
        if let (Some(signed), Some(nodes)) = (log.signed, nodes.get(&log.organization)) {
            log.refusal = check_growth(signed, &log.log, nodes).err();
        }
    }
    Ok(())
}

/// The signed logs that have no head in the database. `present` are the organizations that have one.
pub(crate) fn review_absent(name: &str, records: &Records, present: &BTreeSet<OrganizationId>) -> Vec<ReviewedLog> {
    let absent = |(origin, record): (&String, &super::Record)| {
        let organization = organization(name, origin).filter(|organization| !present.contains(organization))?;
        Some(ReviewedLog {
            organization,
            origin: origin.clone(),
            log: CompactRange::default(),
            checkpoint_size: 0,
            is_flagged: false,
            signed: Some(record.head),
            refusal: Some(Refusal::Shorter { signed: record.head.size, stored: 0 }),
        })
    };
    records.iter().filter_map(absent).collect()
}

/// Writes into the heads of logs why they are refused, or that they are not. The logs must be in the order of
/// their organizations, because their heads are locked in this order.
///
/// # Errors
/// If Postgres fails.
pub(crate) async fn flag(
    database: &Database,
    flags: &BTreeMap<OrganizationId, Option<String>>,
) -> Result<(), TaskError> {
    let (organizations, reasons): (Vec<_>, Vec<_>) = flags.iter().map(|(id, reason)| (*id, reason.clone())).unzip();
    if !organizations.is_empty() {
        database.execute(FLAG, &[&organizations, &reasons]).await?;
    }
    Ok(())
}
