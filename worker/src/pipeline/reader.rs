//! The connection over which a partition reads for the next batch, while the other one writes.

use std::time::{Duration, Instant};

use super::load;
use crate::db::{Store, StoreError};
use crate::settings::Settings;
use crate::wait::{OPEN, TimedOut, within};

/// The schema of the tables.
pub(super) const SCHEMA: &str = "rollcall";

/// Time without a reader after it failed. Until then, each batch is decided when its turn comes.
const PAUSE: Duration = Duration::from_secs(30);

/// A connection that is opened when it is first needed, and again beside each new writer: both must read the same
/// server.
#[derive(Default)]
pub(super) struct Reader {
    /// The connection, and the id of the writer beside which it was opened.
    open: Option<(u64, Store)>,
    /// No connection is opened before this time.
    paused_until: Option<Instant>,
}

#[derive(Debug, thiserror::Error)]
enum ReaderError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
}

impl Reader {
    /// The connection beside a writer; `None` if it cannot be opened now.
    pub(super) async fn beside(&mut self, writer: u64, settings: &Settings, name: &str) -> Option<&Store> {
        if self.paused_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let is_usable = |(of, store): &(u64, Store)| *of == writer && !store.is_closed();
        if !self.open.as_ref().is_some_and(is_usable) {
            // If this is dropped because it takes too long, there is no connection.
            self.open = None;
            match connect(settings, name).await {
                Ok(store) => self.open = Some((writer, store)),
                Err(error) => {
                    tracing::warn!(name, %error, "no second connection to postgres; batches are not overlapped for 30 s");
                    self.pause();
                }
            }
        }
        self.open.as_ref().map(|(_, store)| store)
    }

    /// Closes the connection, and opens none for a while.
    pub(super) fn pause(&mut self) {
        *self = Self { open: None, paused_until: Some(Instant::now() + PAUSE) };
    }
}

async fn connect(settings: &Settings, name: &str) -> Result<Store, ReaderError> {
    let name = format!("{name}/read");
    let opening = Store::connect(&settings.database_url, &name, SCHEMA, load::statements());
    Ok(within("a session with postgres", OPEN, opening).await??)
}
