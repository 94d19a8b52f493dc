//! Tokens that are about to expire: told in the log 30, 7 and 1 days ahead, once each, however many workers look.

use rollcall_events::request::SettingsRequested;
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
use crate::submit::submit_as;
use crate::supervise::supervise;

const APPLICATION: &str = "rollcall-worker expiring";
/// How many tokens are read at once.
const PAGE: i64 = 500;

/// Tokens in force that expire within 30 days and come after ($1, $2), with the announcement that is due.
const EXPIRING: &str = "
    SELECT organization_id, id, label, expires_at,
        CASE WHEN expires_at <= now() + interval '1 day' THEN 1 WHEN expires_at <= now() + interval '7 days' THEN 7 ELSE 30 END AS days
    FROM (
        SELECT organization_id, id, label, expires_at, revoked_at FROM scim_tokens
        UNION ALL
        SELECT organization_id, id, label, expires_at, revoked_at FROM auditor_tokens
    ) t
    WHERE revoked_at IS NULL AND expires_at > now() AND expires_at <= now() + interval '30 days' AND (organization_id, id) > ($1, $2)
    ORDER BY organization_id, id LIMIT $3";

const TOLD: &str = "
    SELECT e.event_id FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, event_id)
    JOIN events e ON e.organization_id = k.organization_id AND e.event_id = k.event_id";

/// An announcement that is due.
struct Announcement {
    organization: OrganizationId,
    /// The same announcement has the same id, and so it is recorded once.
    id: EventId,
    change: SettingsRequested,
}

/// Looks at intervals until `stop`. The next look makes up for one that fails.
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
            // What was asked for is on the queue; the rest is announced by the next look.
            () = stop.cancelled() => return Ok(()),
            announced = announce(settings) => announced?,
        }
    }
}

/// Announces what is due, page by page. An announcement that fails holds up only its own partition: the next look tries again.
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
            if let Err(error) = submit_as(settings, organization, id, change).await {
                tracing::warn!(%organization, %error, "a token that is about to expire is not announced yet");
                stopped.extend((!error.is_refusal()).then_some(partition));
            }
        }
    }
}

/// The announcements of a page that are not in the log yet. A row that cannot be read is left out.
async fn due(database: &Database, rows: &[Row]) -> Result<Vec<Announcement>, TaskError> {
    let mut due = Vec::with_capacity(rows.len());
    for row in rows {
        match announcement(row) {
            Ok(announcement) => due.push(announcement),
            Err(error) => tracing::error!(%error, "a token that is about to expire cannot be read, and is not announced"),
        }
    }
    let (organizations, ids): (Vec<_>, Vec<_>) = due.iter().map(|due| (due.organization, due.id)).unzip();
    let told = database.query(TOLD, &[&organizations, &ids]).await?;
    let told: HashSet<EventId> = told.iter().map(|row| row.try_get("event_id")).collect::<Result<_, _>>()?;
    due.retain(|due| !told.contains(&due.id));
    Ok(due)
}

fn announcement(row: &Row) -> Result<Announcement, TaskError> {
    let (organization, token_id): (OrganizationId, TokenId) = (row.try_get("organization_id")?, row.try_get("id")?);
    let (expires_at, days): (Timestamp, i32) = (row.try_get("expires_at")?, row.try_get("days")?);
    let id = EventId::of_announcement(organization, token_id, expires_at, days.unsigned_abs());
    let change = SettingsRequested::AnnounceExpiry { token_id, label: row.try_get("label")?, expires_at, days: days.unsigned_abs() };
    Ok(Announcement { organization, id, change })
}
