//! A log that is watched: what is in it from a place on, and what comes, for whoever stays connected.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING};
use actix_web::web::{Bytes, Data};
use futures_util::Stream;
use rollcall_events::OrganizationId;
use rollcall_service::entries::StoredEntry;
use std::time::Duration;

use crate::error::ApiError;
use crate::read::{Condition, Database, Following, LogNotification, Order, ReadError, log_entries, log_size};

/// How often something is sent where nothing happens, so that a connection that is gone is noticed on both sides.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What is sent then: a comment, which no client takes for an event.
const STILL_HERE: &[u8] = b": still here\n\n";

/// One who watches.
pub(crate) struct Watch {
    pub(crate) database: Data<Database>,
    pub(crate) organization: OrganizationId,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) following: Following,
    /// The place after which it goes on.
    pub(crate) after: u64,
    /// How many entries are taken at once.
    pub(crate) most: u32,
}

impl Watch {
    /// What is sent next, as `write` writes entries in the order of the log; `None` where the process stops, or whoever watches may not stay.
    ///
    /// # Errors
    /// Where the log cannot be read or written out.
    pub(crate) async fn next(
        &mut self,
        may_stay: impl AsyncFn() -> Result<bool, ReadError>,
        write: impl Fn(&[StoredEntry]) -> Result<String, ApiError>,
    ) -> Result<Option<Bytes>, ApiError> {
        loop {
            if !may_stay().await? {
                return Ok(None);
            }
            let size = log_size(&self.database, self.organization).await?;
            if size > self.after {
                let order = Order::OldestFirst { after: self.after };
                let entries = log_entries(&self.database, self.organization, &self.conditions, order, self.most).await?.entries;
                if let Some(last) = entries.last() {
                    self.after = last.header.seq;
                    return Ok(Some(write(&entries)?.into()));
                }
            }
            // What no condition chooses is not looked at again.
            self.after = self.after.max(size);
            match self.following.hear(KEEP_ALIVE).await {
                LogNotification::Growth => {}
                LogNotification::Nothing => return Ok(Some(Bytes::from_static(STILL_HERE))),
                LogNotification::Stop => return Ok(None),
            }
        }
    }
}

/// An answer that goes on, as Server-Sent Events.
pub(crate) fn server_sent(events: impl Stream<Item = Result<Bytes, ApiError>> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/event-stream")
        // A compressor would hold events back.
        .insert_header((CONTENT_ENCODING, "identity"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(Box::pin(events))
}
