//! Tokens that are about to expire: told in the log 30, 7 and 1 days ahead, once each, however many workers look.

use rollcall_events::request::SettingsRequested;
use rollcall_events::{EventId, OrganizationId, Timestamp, TokenId};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::commands::{CommandError, ask_as};
use crate::settings::Settings;
use crate::store::connect;

const APPLICATION: &str = "rollcall-worker expiring";

/// Tokens in force that expire within 30 days, and which of the announcements is due.
const EXPIRING: &str = "
    SELECT organization_id, id, label, expires_at,
        CASE WHEN expires_at <= now() + interval '1 day' THEN 1 WHEN expires_at <= now() + interval '7 days' THEN 7 ELSE 30 END AS days
    FROM (
        SELECT organization_id, id, label, expires_at, revoked_at FROM scim_tokens
        UNION ALL
        SELECT organization_id, id, label, expires_at, revoked_at FROM auditor_tokens
    ) t
    WHERE revoked_at IS NULL AND expires_at > now() AND expires_at <= now() + interval '30 days'";

const TOLD: &str = "
    SELECT e.event_id FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, event_id)
    JOIN events e ON e.organization_id = k.organization_id AND e.event_id = k.event_id";

/// Looks at intervals until `stop`. A look that fails is made up for by the next.
pub(crate) async fn keep_announcing(settings: Arc<Settings>, stop: CancellationToken) {
    let mut interval = tokio::time::interval(Duration::from_secs(settings.expiring_seconds));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = interval.tick() => {}
        }
        if let Err(error) = announce(&settings).await {
            tracing::warn!(%error, "tokens that are about to expire are not announced yet");
        }
    }
}

async fn announce(settings: &Settings) -> Result<(), CommandError> {
    let client = connect(&settings.database_url, APPLICATION).await?;
    let mut due = Vec::new();
    for row in client.query(EXPIRING, &[]).await? {
        let (organization, token_id): (OrganizationId, TokenId) = (row.try_get("organization_id")?, row.try_get("id")?);
        let (expires_at, days): (Timestamp, i32) = (row.try_get("expires_at")?, row.try_get("days")?);
        // The same announcement has the same id, and so it is recorded once.
        let id = EventId::of_announcement(organization, token_id, expires_at, days.unsigned_abs());
        let change = SettingsRequested::AnnounceExpiry { token_id, label: row.try_get("label")?, expires_at, days: days.unsigned_abs() };
        due.push((organization, id, change));
    }
    let (organizations, ids): (Vec<_>, Vec<_>) = due.iter().map(|(organization, id, _)| (*organization, *id)).unzip();
    let told = client.query(TOLD, &[&organizations, &ids]).await?;
    let told: HashSet<EventId> = told.iter().map(|row| row.try_get("event_id")).collect::<Result<_, _>>()?;
    for (organization, id, change) in due.into_iter().filter(|(_, id, _)| !told.contains(id)) {
        ask_as(settings, organization, id, change).await?;
    }
    Ok(())
}
