//! Thins out what would grow without bound: checkpoints, and the hashes by which erased persons are recognized.
//!
//! All checkpoints of the newest days are kept, then the newest of each hour, then the newest of each day. An auditor's copy of a removed checkpoint still holds:
//! proofs are computed from the tree, at any size.

use rollcall_events::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::db::{Database, TaskError};
use crate::settings::Settings;
use crate::supervise::supervise;

const APPLICATION: &str = "rollcall-worker pruning";
/// How often it is looked for what is too old.
const LOOK: Duration = Duration::from_mins(10);
/// How many rows one statement looks at.
const STEP: i64 = 2000;
/// How many seconds a day has.
const DAY: u32 = 86_400;
/// How far a look goes back behind the one before it: checkpoints are met twice rather than never.
const OVERLAP: u32 = DAY;

/// The end of a step through the checkpoints in the order of their times; all that were signed at that moment belong to it.
const END: &str = "
    SELECT max(signed_at) AS signed_at FROM (
        SELECT signed_at FROM checkpoints WHERE signed_at > $1 AND signed_at < $2 ORDER BY signed_at LIMIT $3
    ) c";

/// Removes checkpoints that are followed by another of the same log in the same hour or day.
const THIN: &str = "
    DELETE FROM checkpoints c USING (
        SELECT c.organization_id, c.size FROM checkpoints c
        CROSS JOIN LATERAL (
            SELECT n.signed_at FROM checkpoints n WHERE n.organization_id = c.organization_id AND n.size > c.size ORDER BY n.size LIMIT 1
        ) n
        WHERE c.signed_at > $1 AND c.signed_at <= $2 AND date_trunc($3, n.signed_at, 'UTC') = date_trunc($3, c.signed_at, 'UTC')
    ) k
    WHERE c.organization_id = k.organization_id AND c.size = k.size";

/// Removes hashes of names that nothing late can mention any more.
const NAMES: &str = "
    DELETE FROM erased_names WHERE ctid = ANY (ARRAY (
        SELECT n.ctid FROM erased_names n JOIN erased_users u ON u.organization_id = n.organization_id AND u.user_id = n.user_id
        WHERE u.erased_at < now() - make_interval(days => $1) LIMIT $2
    ))";

/// Prunes until `stop`.
pub(crate) async fn prune_regularly(settings: Arc<Settings>, stop: CancellationToken) {
    supervise("old checkpoints", &stop, async || run(&settings, &stop).await).await;
}

async fn run(settings: &Settings, stop: &CancellationToken) -> Result<(), TaskError> {
    let mut look = tokio::time::interval(LOOK);
    // The first look goes through everything, the others through what has become old since.
    let mut seen: Option<Timestamp> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = look.tick() => {}
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            pruned = prune(settings, seen) => seen = Some(pruned?),
        }
    }
}

/// Prunes what has become old since an earlier look; answers when this one began.
async fn prune(settings: &Settings, seen: Option<Timestamp>) -> Result<Timestamp, TaskError> {
    let (now, database) = (Timestamp::now(), Database::open(&settings.database_url, APPLICATION).await?);
    for (unit, days) in [("hour", settings.checkpoint_all_days), ("day", settings.checkpoint_hourly_days)] {
        let age = u32::from(days) * DAY;
        let from = seen.map_or(Timestamp::EPOCH, |seen| seen.before_seconds(age + OVERLAP));
        thin(&database, unit, from, now.before_seconds(age)).await?;
    }
    while database.execute(NAMES, &[&i32::from(settings.erased_name_days), &STEP]).await? > 0 {}
    Ok(now)
}

/// Thins out the checkpoints of a time, step by step.
async fn thin(database: &Database, unit: &str, mut from: Timestamp, until: Timestamp) -> Result<(), TaskError> {
    while let Some(row) = database.query_opt(END, &[&from, &until, &STEP]).await? {
        let Some(end) = row.try_get::<_, Option<Timestamp>>("signed_at")? else { return Ok(()) };
        database.execute(THIN, &[&from, &end, &unit]).await?;
        from = end;
    }
    Ok(())
}
