//! `/audit/v1/tail`: the log as it grows, as Server-Sent Events.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use rollcall_scim::ScimError;
use rollcall_service::entries::StoredEntry;
use std::fmt::Write as _;
use std::time::Duration;

use super::query::{conditions, parameter};
use crate::auth::Auditor;
use crate::error::{ApiError, ApiResult};
use crate::read::{Condition, Database, Followers, Following, Heard, Order, log_entries, log_size};
use crate::scim::Parameters;

/// The id of the last event that a client has seen, which browsers send when they connect again.
const LAST_EVENT_ID: &str = "last-event-id";
/// How often something is sent where nothing happens, so that a connection that is gone is noticed on both sides.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How many entries are sent at once.
const CHUNK: u32 = 500;

/// One tail.
struct Tail {
    database: Data<Database>,
    auditor: Auditor,
    conditions: Vec<Condition>,
    following: Following,
    after: u64,
}

/// `GET /tail`: entries from `Last-Event-ID` or `after` on, or those to come; all of them, or those that conditions choose.
pub(super) async fn tail(
    auditor: Auditor,
    http: HttpRequest,
    parameters: Parameters,
    database: Data<Database>,
    followers: Data<Followers>,
) -> ApiResult {
    // First the follower, then the size: what is logged in between is heard of.
    let following = followers.follow(auditor.organization_id).ok_or(ApiError::Unavailable("too many follow the logs"))?;
    let seen = http.headers().get(LAST_EVENT_ID).map(|value| value.to_str().ok().and_then(|id| id.parse().ok()));
    let seen =
        seen.map(|id: Option<u64>| id.ok_or_else(|| ScimError::invalid_value("Last-Event-ID is not a place in the log"))).transpose()?;
    let after = match seen.or(parameter(&parameters, "after", "a place in the log")?) {
        Some(after) => after,
        None => log_size(&database, auditor.organization_id).await?,
    };
    let conditions = conditions(&database, auditor.organization_id, &parameters).await?;
    let tail = Tail { database, auditor, conditions, following, after };
    let events = stream::try_unfold(tail, |mut tail| async { Ok::<_, ApiError>(tail.next().await?.map(|bytes| (bytes, tail))) });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        // A compressor would hold events back.
        .insert_header((CONTENT_ENCODING, "identity"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(Box::pin(events)))
}

impl Tail {
    /// What is sent next; `None` where the process stops, or the token has ended.
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        let organization = self.auditor.organization_id;
        loop {
            if !self.auditor.may_stay(&self.database).await? {
                return Ok(None);
            }
            let size = log_size(&self.database, organization).await?;
            if size > self.after {
                let order = Order::OldestFirst { after: self.after };
                let entries = log_entries(&self.database, organization, &self.conditions, order, CHUNK).await?;
                if let Some(last) = entries.last() {
                    self.after = last.header.seq;
                    return Ok(Some(events(&entries)?));
                }
            }
            self.after = self.after.max(size);
            match self.following.hear(KEEP_ALIVE).await {
                Heard::Growth => {}
                Heard::Nothing => return Ok(Some(Bytes::from_static(b": still here\n\n"))),
                Heard::Stop => return Ok(None),
            }
        }
    }
}

fn events(entries: &[StoredEntry]) -> Result<Bytes, ApiError> {
    let mut text = String::with_capacity(entries.len() * 2048);
    for entry in entries {
        let data = serde_json::to_string(entry).map_err(|error| ApiError::Internal(format!("an entry cannot be written: {error}")))?;
        // Writing to a string cannot fail.
        let _ = write!(text, "id: {}\nevent: {}\ndata: {data}\n\n", entry.header.seq, entry.header.event_type);
    }
    Ok(text.into())
}
