//! Signs checkpoints: how far each log has come, each minute in which something was logged and each so many entries.

use rollcall_events::log::CompactRange;
use rollcall_events::log::checkpoint::{Checkpoint, InvalidCheckpoint, SigningKeys};
use rollcall_events::{OrganizationId, Timestamp};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use crate::keep::keep;
use crate::project::LOG_CHANNEL;
use crate::settings::Settings;
use crate::store::{Listener, StoreError, place};

const APPLICATION: &str = "rollcall-worker checkpoints";

/// The logs that have grown since their last checkpoint; of one organisation only, or of all where that is NULL.
const GROWN: &str = "
    SELECT h.organization_id, h.size, h.peaks FROM log_heads h
    WHERE h.size > COALESCE((SELECT max(c.size) FROM checkpoints c WHERE c.organization_id = h.organization_id), 0)
        AND ($1::uuid IS NULL OR h.organization_id = $1)";

/// Several workers may sign at once: the same size has the same root, and the same keys sign it alike.
const INSERT: &str = "
    INSERT INTO checkpoints (organization_id, size, signed_at, note)
    SELECT k.organization_id, k.size, $4, k.note FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS k (organization_id, size, note)
    ON CONFLICT DO NOTHING";

/// Why nothing could be signed.
#[derive(Debug, thiserror::Error)]
enum SignError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("postgres: {0}")]
    Postgres(#[from] tokio_postgres::Error),
    #[error(transparent)]
    Checkpoint(#[from] InvalidCheckpoint),
    #[error("the connection to postgres ended")]
    Closed,
}

/// Signs until `stop`; at the end once more, so that what was logged last is signed too.
pub(crate) async fn keep_signing(settings: Arc<Settings>, keys: SigningKeys, stop: CancellationToken) {
    let Some(name) = keys.name() else {
        tracing::warn!("checkpoints are not signed: checkpoint_keys and checkpoint_key_file are empty");
        return;
    };
    keep("checkpoints", &stop, async || run(&settings, name, &keys, &stop).await).await;
}

async fn run(settings: &Settings, name: &str, keys: &SigningKeys, stop: &CancellationToken) -> Result<(), SignError> {
    let mut listener = Listener::open(&settings.database_url, APPLICATION, LOG_CHANNEL).await?;
    let mut interval = tokio::time::interval(Duration::from_secs(settings.checkpoint_seconds));
    let mut signed = HashMap::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = interval.tick() => sign(&listener.client, name, keys, None, &mut signed).await?,
            told = listener.next() => {
                if let Some((organization, size)) = grown(&told.ok_or(SignError::Closed)?, &signed, settings.checkpoint_events) {
                    // Another worker may have signed it by now, and then there is nothing to do until it has grown again.
                    signed.insert(organization, size);
                    sign(&listener.client, name, keys, Some(organization), &mut signed).await?;
                }
            }
        }
    }
    sign(&listener.client, name, keys, None, &mut signed).await
}

/// The organisation that was told of and the size of its log, where that has grown by so much that it should not wait for its minute.
fn grown(told: &str, signed: &HashMap<OrganizationId, u64>, most: u64) -> Option<(OrganizationId, u64)> {
    let (id, size) = told.split_once(' ')?;
    let (id, size): (OrganizationId, u64) = (id.parse().ok()?, size.parse().ok()?);
    (size >= signed.get(&id).copied().unwrap_or_default() + most).then_some((id, size))
}

async fn sign(
    client: &Client,
    name: &str,
    keys: &SigningKeys,
    organization: Option<OrganizationId>,
    signed: &mut HashMap<OrganizationId, u64>,
) -> Result<(), SignError> {
    let (mut organizations, mut sizes, mut notes): (Vec<OrganizationId>, Vec<i64>, Vec<String>) = Default::default();
    for row in client.query(GROWN, &[&organization]).await? {
        let (id, size): (OrganizationId, i64) = (row.try_get("organization_id")?, row.try_get("size")?);
        let log = CompactRange::from_parts(size.unsigned_abs(), &row.try_get::<_, Vec<Vec<u8>>>("peaks")?).map_err(StoreError::from)?;
        notes.push(keys.sign(&Checkpoint::new(name, id, log.size(), log.root()))?);
        organizations.push(id);
        sizes.push(place(log.size()));
        signed.insert(id, log.size());
    }
    if !notes.is_empty() {
        client.execute(INSERT, &[&organizations, &sizes, &notes, &Timestamp::now()]).await?;
    }
    Ok(())
}
