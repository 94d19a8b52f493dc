//! SCIM tokens by digest, cached in memory while it is certain that they have not changed.
//!
//! The worker sends a NOTIFY for every change of settings. Each one begins a new generation, and a cache
//! entry is valid only in the generation in which its row was read. So a read that overlaps with a change
//! cannot restore the old row. While the connection does not listen, no cache entry is valid.

use moka::future::Cache;
use rollcall_events::address::AllowList;
use rollcall_events::origin::ServiceOrigin;
use rollcall_events::request::Dialect;
use rollcall_events::token::TokenDigest;
use rollcall_events::{OrganizationId, Timestamp, TokenId, WorkspaceId};
use rollcall_service::backoff::Backoff;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_postgres::Row;

use crate::error::ApiError;
use crate::read::{Database, Heartbeat, ReadError};

const FIND: &str = "
    SELECT t.organization_id, t.id, t.digest, t.label, t.default_workspace_id, t.service_origin, t.origin_required,
        t.allow_list, t.dialect, t.expires_at,
        t.revoked_at, t.calls_per_second, o.bodies_until
    FROM scim_tokens t LEFT JOIN organizations o ON o.id = t.organization_id WHERE t.digest = $1";

/// The channel for changes of settings.
const LISTEN: &str = "LISTEN rollcall_settings";
/// How often the listening connection is checked. The sum is less than one second, the time within which a
/// revoked token is refused.
const HEARTBEAT: Heartbeat = Heartbeat { every: Duration::from_millis(300), answer: Duration::from_millis(500) };
/// Maximum number of tokens in the cache.
const MAX_ENTRIES: u64 = 10_000;
/// The generation while nobody listens.
const NOT_LISTENING: u64 = 0;

/// A token from the database.
#[derive(Debug, Clone)]
pub(super) struct KnownToken {
    pub(super) id: TokenId,
    pub(super) organization_id: OrganizationId,
    pub(super) label: String,
    pub(super) default_workspace: WorkspaceId,
    pub(super) service_origin: ServiceOrigin,
    pub(super) origin_required: bool,
    pub(super) allow_list: Option<AllowList>,
    pub(super) dialect: Dialect,
    pub(super) calls_per_second: Option<NonZeroU32>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) revoked_at: Option<Timestamp>,
    /// The time until which its organization's bodies are recorded.
    pub(super) bodies_until: Option<Timestamp>,
}

/// The cache of SCIM tokens.
pub struct Tokens {
    database: Database,
    cache: Cache<(TokenDigest, u64), Arc<KnownToken>>,
    /// [`NOT_LISTENING`], or the number of the current generation.
    generation: AtomicU64,
    last_generation: AtomicU64,
}

/// Why no token was found.
#[derive(Debug)]
enum Miss {
    Unknown,
    Unavailable(ReadError),
}

impl Tokens {
    /// A cache that reads tokens from the database and keeps each for at most `kept`.
    pub fn new(database: Database, kept: Duration) -> Self {
        let cache = Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(kept).build();
        Self {
            database,
            cache,
            generation: AtomicU64::new(NOT_LISTENING),
            last_generation: AtomicU64::new(NOT_LISTENING),
        }
    }

    /// Finds the token with this digest. This includes revoked and expired tokens.
    pub(super) async fn find(&self, digest: &TokenDigest) -> Result<Option<Arc<KnownToken>>, ApiError> {
        // Load the generation before reading the row. The row is then at least as new as the generation.
        let generation = self.generation.load(Ordering::Acquire);
        let found = match generation {
            NOT_LISTENING => self.read(digest).await,
            generation => {
                self.cache.try_get_with((*digest, generation), self.read(digest)).await.map_err(Arc::unwrap_or_clone)
            }
        };
        match found {
            Ok(token) => Ok(Some(token)),
            Err(Miss::Unknown) => Ok(None),
            Err(Miss::Unavailable(error)) => Err(error.into()),
        }
    }

    async fn read(&self, digest: &TokenDigest) -> Result<Arc<KnownToken>, Miss> {
        let row = self
            .database
            .sessions()
            .query_opt(FIND, &[&digest.as_bytes()])
            .await
            .map_err(Miss::Unavailable)?
            .ok_or(Miss::Unknown)?;
        let stored: &[u8] = row.try_get("digest").map_err(|error| Miss::Unavailable(error.into()))?;
        if !digest.matches(stored) {
            return Err(Miss::Unknown);
        }
        known(&row).map(Arc::new).map_err(Miss::Unavailable)
    }

    fn turn(&self) {
        let next = self.last_generation.fetch_add(1, Ordering::AcqRel) + 1;
        self.generation.store(next, Ordering::Release);
    }

    fn disable_cache(&self) {
        self.generation.store(NOT_LISTENING, Ordering::Release);
    }
}

impl Clone for Miss {
    fn clone(&self) -> Self {
        match self {
            Self::Unknown => Self::Unknown,
            Self::Unavailable(error) => Self::Unavailable(ReadError::Shared(error.to_string())),
        }
    }
}

fn known(row: &Row) -> Result<KnownToken, ReadError> {
    let malformed = |error: &dyn std::fmt::Display| ReadError::Malformed(format!("a stored token: {error}"));
    let origin: &str = row.try_get("service_origin")?;
    let allow_list: Option<&str> = row.try_get("allow_list")?;
    Ok(KnownToken {
        id: row.try_get("id")?,
        organization_id: row.try_get("organization_id")?,
        label: row.try_get("label")?,
        default_workspace: row.try_get("default_workspace_id")?,
        service_origin: origin.parse().map_err(|error| malformed(&error))?,
        origin_required: row.try_get("origin_required")?,
        dialect: row.try_get::<_, &str>("dialect")?.parse().map_err(|error| malformed(&error))?,
        allow_list: allow_list.map(str::parse).transpose().map_err(|error| malformed(&error))?,
        calls_per_second: calls_per_second(row)?,
        expires_at: row.try_get("expires_at")?,
        revoked_at: row.try_get("revoked_at")?,
        bodies_until: row.try_get("bodies_until")?,
    })
}

/// The token's own rate, if it has one.
pub fn calls_per_second(row: &Row) -> Result<Option<NonZeroU32>, ReadError> {
    Ok(row.try_get::<_, Option<i32>>("calls_per_second")?.and_then(|rate| NonZeroU32::new(rate.unsigned_abs())))
}

/// Listens for changes until the process ends.
pub async fn follow_changes(tokens: Arc<Tokens>) {
    let mut backoff = Backoff::default();
    loop {
        let why = match listen(&tokens, &mut backoff).await {
            Ok(()) => "the connection ended".to_owned(),
            Err(error) => error.to_string(),
        };
        tokens.disable_cache();
        tracing::warn!(why, "the api cannot listen for changed tokens; until it can, each call looks its token up");
        tokio::time::sleep(backoff.next_delay()).await;
    }
}

async fn listen(tokens: &Tokens, backoff: &mut Backoff) -> Result<(), ReadError> {
    let up = || {
        tokens.turn();
        *backoff = Backoff::default();
        tracing::info!("listening for changed tokens");
    };
    tokens.database.listen(LISTEN, HEARTBEAT, up, |_| tokens.turn()).await
}
