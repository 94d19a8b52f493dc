//! Watches a log for a connection that stays open: the entries after a seq, and new ones as they are
//! recorded.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING};
use actix_web::web::{Bytes, Data};
use futures_util::Stream;
use rollcall_events::OrganizationId;
use rollcall_service::entries::StoredRow;
use std::time::Duration;

use super::selection::Selection;
use crate::error::ApiError;
use crate::read::{Database, Following, LogNotification, Order, ReadError, log_rows, log_size};

/// Interval at which a heartbeat is sent if nothing happens, so that both sides notice a broken
/// connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The heartbeat: a comment, which clients ignore.
const STILL_HERE: &[u8] = b": still here\n\n";

/// A connection that watches a log.
pub struct Watch {
    /// The database.
    pub database: Data<Database>,
    /// The organization whose log is watched.
    pub organization: OrganizationId,
    /// The entries that are wanted.
    pub selection: Selection,
    /// Wakes the watch when the log grows.
    pub following: Following,
    /// The seq after which it continues.
    pub after: u64,
    /// Maximum number of entries to read at once.
    pub most: u32,
}

impl Watch {
    /// The next text to send: rows in the order of the log, written by `write`. `None` if the process
    /// stops, or if the client may no longer read the log.
    ///
    /// # Errors
    /// If the log cannot be read or an entry cannot be written.
    pub async fn next(
        &mut self,
        is_still_valid: impl AsyncFn() -> Result<bool, ReadError>,
        write: impl Fn(&[StoredRow]) -> Result<String, ApiError>,
    ) -> Result<Option<Bytes>, ApiError> {
        loop {
            if !is_still_valid().await? {
                return Ok(None);
            }
            let size = log_size(&self.database, self.organization).await?;
            if size > self.after {
                let order = Order::OldestFirst { after: self.after };
                let conditions = &self.selection.conditions;
                let entries = log_rows(&self.database, self.organization, conditions, order, self.most).await?.entries;
                if let Some(last) = entries.last() {
                    self.after = last.seq();
                    let entries = self.selection.matching(entries).await?;
                    if entries.is_empty() {
                        continue;
                    }
                    return Ok(Some(write(&entries)?.into()));
                }
            }
            // Entries that match no condition need not be read again.
            self.after = self.after.max(size);
            match self.following.wait(KEEP_ALIVE).await {
                LogNotification::Growth => {}
                LogNotification::Timeout => return Ok(Some(Bytes::from_static(STILL_HERE))),
                LogNotification::Stop => return Ok(None),
            }
        }
    }
}

/// A streaming answer of Server-Sent Events.
pub fn server_sent(events: impl Stream<Item = Result<Bytes, ApiError>> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/event-stream")
        // Compression would delay events.
        .insert_header((CONTENT_ENCODING, "identity"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(Box::pin(events))
}
