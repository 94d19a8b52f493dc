//! Announces in the log that a token is about to expire: once 30, 7 and 1 days ahead, however many workers
//! run.

use rollcall_events::name::Label;
use rollcall_events::request::AnnounceExpiry;
use rollcall_events::{EventId, OrganizationId, Timestamp, TokenId};
use rollcall_queue::topology::partition;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Row;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::db::{Database, TaskError};
use crate::settings::Settings;
use crate::submit::submit_by_service;
use crate::supervise::supervise;

const APPLICATION: &str = "rollcall-worker expiring";
/// Number of tokens per query.
const PAGE: i64 = 500;

/// Valid tokens that expire within 30 days, with keys above ($1, $2), and the announcement that is due.
const EXPIRING: &str = "
    SELECT organization_id, id, label, expires_at,
        CASE WHEN expires_at <= now() + interval '1 day' THEN 1 WHEN expires_at <= now() + interval '7 days' THEN 7
            ELSE 30 END AS days
    FROM (
        SELECT organization_id, id, label, expires_at, revoked_at FROM scim_tokens
        UNION ALL
        SELECT organization_id, id, label, expires_at, revoked_at FROM auditor_tokens
    ) t
    WHERE revoked_at IS NULL AND expires_at > now() AND expires_at <= now() + interval '30 days'
        AND (organization_id, id) > ($1, $2)
    ORDER BY organization_id, id LIMIT $3";

const ANNOUNCED: &str = "
    SELECT e.event_id FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, event_id)
    JOIN events e ON e.organization_id = k.organization_id AND e.event_id = k.event_id";

/// A due announcement.
struct Announcement {
    organization: OrganizationId,
    /// Derived from the announcement, so a repeated one has the same id and is recorded once.
    id: EventId,
    change: AnnounceExpiry,
}

/// Announces expiring tokens at an interval, until `stop`. If a run fails, the next run repeats it.
pub(crate) async fn announce_expiring_tokens(settings: Arc<Settings>, stop: CancellationToken) {
    supervise("tokens that are about to expire", &stop, async || run(&settings, &stop).await).await;
}

async fn run(settings: &Settings, stop: &CancellationToken) -> Result<(), TaskError> {
    let mut interval = tokio::time::interval(Duration::from_secs(settings.expiring_seconds));
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = interval.tick() => {}
        }
        tokio::select! {
            // Submitted announcements are on the queue. The next run submits the rest.
            () = stop.cancelled() => return Ok(()),
            announced = announce(settings) => announced?,
        }
    }
}

/// Submits the due announcements, page by page. A failed announcement stops only the others of its partition;
/// the next run tries them again.
async fn announce(settings: &Settings) -> Result<(), TaskError> {
    let database = Database::open(&settings.database_url, APPLICATION).await?;
    let mut stopped = HashSet::new();
    let mut last = (OrganizationId::SYSTEM, TokenId(Uuid::nil()));
    loop {
        let rows = database.query(EXPIRING, &[&last.0, &last.1, &PAGE]).await?;
        let Some(end) = rows.last() else { return Ok(()) };
        last = (end.try_get("organization_id")?, end.try_get("id")?);
        for Announcement { organization, id, change } in due(&database, &rows).await? {
            let partition = partition(organization, settings.partitions);
            if stopped.contains(&partition) {
                continue;
            }
            if let Err(error) = submit_by_service(settings, organization, id, change).await {
                tracing::warn!(%organization, %error, "the expiry of a token cannot be announced yet");
                stopped.extend((!error.is_refusal()).then_some(partition));
            }
        }
    }
}

/// The announcements of a page that are not in the log yet. Rows that cannot be read are skipped.
async fn due(database: &Database, rows: &[Row]) -> Result<Vec<Announcement>, TaskError> {
    let mut due = Vec::with_capacity(rows.len());
    for row in rows {
        match announcement(row) {
            Ok(announcement) => due.push(announcement),
            Err(error) => tracing::error!(%error, "an expiring token cannot be read; its expiry is not announced"),
        }
    }
    let (organizations, ids): (Vec<_>, Vec<_>) = due.iter().map(|due| (due.organization, due.id)).unzip();
    let announced = database.query(ANNOUNCED, &[&organizations, &ids]).await?;
    let announced: HashSet<EventId> = announced.iter().map(|row| row.try_get("event_id")).collect::<Result<_, _>>()?;
    due.retain(|due| !announced.contains(&due.id));
    Ok(due)
}

fn announcement(row: &Row) -> Result<Announcement, TaskError> {
    let (organization, token_id): (OrganizationId, TokenId) = (row.try_get("organization_id")?, row.try_get("id")?);
    let (expires_at, days): (Timestamp, i32) = (row.try_get("expires_at")?, row.try_get("days")?);
    let id = EventId::of_announcement(organization, token_id, expires_at, days.unsigned_abs());
    let change = AnnounceExpiry {
        token_id,
        label: Label::recorded(row.try_get("label")?),
        expires_at,
        days: days.unsigned_abs(),
    };
    Ok(Announcement { organization, id, change })
}
