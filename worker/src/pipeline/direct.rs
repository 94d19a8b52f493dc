//! Applies single requests without the queue, for commands about logs to which no partition appends.

use rollcall_events::log::TreeHead;
use rollcall_events::outcome::Outcome;
use rollcall_events::request::Request;
use secrecy::SecretString;

use super::apply::apply;
use super::known::Expected;
use super::prepare::{Batch, BatchOutcome};
use super::reader::SCHEMA;
use super::statements;
use crate::db::{Ending, Store, StoreError};
use crate::log::signer::Guard;
use crate::settings::Prefetch;

/// A connection that applies single requests.
pub(crate) struct DirectApply(Store);

impl DirectApply {
    /// Connects.
    ///
    /// # Errors
    /// If Postgres fails.
    pub(crate) async fn open(database_url: &SecretString, name: &str) -> Result<Self, StoreError> {
        Ok(Self(Store::connect(database_url, name, SCHEMA, statements::of_batches()).await?))
    }

    /// Applies a request to a log that has exactly this tree head. A request that is recorded already has no
    /// second effect.
    ///
    /// # Errors
    /// If Postgres fails, or the log has another tree head.
    pub(crate) async fn apply(&self, request: &Request, accepted: TreeHead) -> Result<Option<Outcome>, StoreError> {
        let batch = Batch {
            requests: vec![request.clone()].into(),
            bytes: 0,
            expected: Expected::Repeats,
            prefetch: Prefetch::Full,
            guard: Guard::Accepted(accepted),
        };
        let BatchOutcome { outcomes, mut notifications, .. } = apply(&self.0, batch, Ending::Commit).await?;
        notifications.send(&self.0).await?;
        Ok(outcomes.into_iter().next())
    }
}
