//! Prunes data that would grow without bound: checkpoints, and the name hashes of erased persons.
//!
//! All checkpoints of the newest days are kept, then the newest of each hour, then the newest of each day. A
//! removed checkpoint in an auditor's copy still verifies, because proofs are computed from the tree at any
//! size.

use rollcall_events::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::db::{Database, TaskError};
use crate::settings::Settings;
use crate::supervise::supervise;

const APPLICATION: &str = "rollcall-worker pruning";
/// Interval between runs.
const INTERVAL: Duration = Duration::from_mins(10);
/// Number of rows that one statement reads.
const STEP: i64 = 2000;
/// One day in seconds.
const DAY: u32 = 86_400;
/// Overlap with the previous run in seconds, so that no checkpoint is missed.
const OVERLAP: u32 = DAY;

/// The end of a step through the checkpoints, ordered by time. A step includes all checkpoints of its last
/// timestamp.
const END: &str = "
    SELECT max(signed_at) AS signed_at FROM (
        SELECT signed_at FROM checkpoints WHERE signed_at > $1 AND signed_at < $2 ORDER BY signed_at LIMIT $3
    ) c";

/// Deletes checkpoints that are followed by another checkpoint of the same log in the same hour or day.
const THIN: &str = "
    DELETE FROM checkpoints c USING (
        SELECT c.organization_id, c.size FROM checkpoints c
        CROSS JOIN LATERAL (
            SELECT n.signed_at FROM checkpoints n WHERE n.organization_id = c.organization_id AND n.size > c.size
            ORDER BY n.size LIMIT 1
        ) n
        WHERE c.signed_at > $1 AND c.signed_at <= $2
            AND date_trunc($3, n.signed_at, 'UTC') = date_trunc($3, c.signed_at, 'UTC')
    ) k
    WHERE c.organization_id = k.organization_id AND c.size = k.size";

/// Deletes checkpoints of the service log by the same rule. A witnessed one stays unless a later witnessed one is in
/// the same hour or day. The cosignatures go with the checkpoint.
const THIN_SERVICE: &str = "
    DELETE FROM service_checkpoints c
    WHERE c.signed_at > $1 AND c.signed_at <= $2 AND EXISTS (
        SELECT FROM service_checkpoints n
        WHERE n.signed_at >= c.signed_at AND n.size > c.size
            AND n.signed_at < date_trunc($3, c.signed_at, 'UTC') + ('1 ' || $3)::interval
            AND (n.witnessed_at IS NOT NULL OR c.witnessed_at IS NULL)
    )";

/// Deletes the name hashes of erasures that are so old that no late message can mention the person.
const NAMES: &str = "
    DELETE FROM erased_names WHERE ctid = ANY (ARRAY (
        SELECT n.ctid FROM erased_names n
        JOIN erased_users u ON u.organization_id = n.organization_id AND u.user_id = n.user_id
        WHERE u.erased_at < now() - make_interval(days => $1) LIMIT $2
    ))";

/// Prunes until `stop`.
pub(crate) async fn prune_regularly(settings: Arc<Settings>, stop: CancellationToken) {
    supervise("old checkpoints", &stop, async || run(&settings, &stop).await).await;
}

async fn run(settings: &Settings, stop: &CancellationToken) -> Result<(), TaskError> {
    let mut interval = tokio::time::interval(INTERVAL);
    // The first run reads all checkpoints. Later runs read those that have become old since the previous run.
    let mut seen: Option<Timestamp> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = interval.tick() => {}
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            pruned = prune(settings, seen) => seen = Some(pruned?),
        }
    }
}

/// Prunes data that has become old since the run that began at `seen`. Returns the time at which this run
/// began.
async fn prune(settings: &Settings, seen: Option<Timestamp>) -> Result<Timestamp, TaskError> {
    let (now, database) = (Timestamp::now(), Database::open(&settings.database_url, APPLICATION).await?);
    for (unit, days) in [("hour", settings.checkpoint_all_days), ("day", settings.checkpoint_hourly_days)] {
        let age = u32::from(days) * DAY;
        let from = seen.map_or(Timestamp::EPOCH, |seen| seen.before_seconds(age + OVERLAP));
        thin(&database, unit, from, now.before_seconds(age)).await?;
        database.execute(THIN_SERVICE, &[&from, &now.before_seconds(age), &unit]).await?;
    }
    while database.execute(NAMES, &[&i32::from(settings.erased_name_days), &STEP]).await? > 0 {}
    Ok(now)
}

/// Thins out the checkpoints of a period, step by step.
async fn thin(database: &Database, unit: &str, mut from: Timestamp, until: Timestamp) -> Result<(), TaskError> {
    while let Some(row) = database.query_opt(END, &[&from, &until, &STEP]).await? {
        let Some(end) = row.try_get::<_, Option<Timestamp>>("signed_at")? else { return Ok(()) };
        database.execute(THIN, &[&from, &end, &unit]).await?;
        from = end;
    }
    Ok(())
}
