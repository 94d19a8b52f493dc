//! `/streams/v1/{id}/poll`: new events as signed Security Event Tokens. Each is returned again until the
//! receiver acknowledges it (RFC 8936 section 2).

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path};
use rollcall_api_core::auth::Receiver;
use rollcall_api_core::error::{ApiError, ApiResult};
use rollcall_api_core::http::{Base, Prefer, ScimBody};
use rollcall_api_core::openapi::Errors;
use rollcall_api_core::read::{Database, LogNotification, existing, find_stream, log_size, next_changes};
use rollcall_api_core::submit::RequestClient;
use rollcall_events::actor::Actor;
use rollcall_events::request::{Request, RequestBody, StreamAcknowledged};
use rollcall_events::set::SetKeys;
use rollcall_events::stream::Position;
use rollcall_events::{EventId, Timestamp};
use rollcall_scim::ScimError;
use rollcall_service::feed::{SeqRange, Stream};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Polling;
use super::poll_parameters::PollParameters;
use super::schemas::{PollRequest, PollResponse};

/// A position that moved by this number of entries is saved even without an acknowledgement, so that the same
/// entries are not read again.
const WORTH_KEEPING: u64 = 1000;
/// Limits of the search in one request: the number of ranges of the log, and the time after which no further
/// range is begun. If nothing was found by then, the answer has no events and says that there are more (RFC
/// 8936 section 2.3), and the receiver polls again.
const MAX_RANGES: usize = 5;
const MAX_SEARCH_TIME: Duration = Duration::from_secs(2);

/// The unacknowledged events, and whether there are more.
struct UnacknowledgedEvents {
    sets: BTreeMap<u64, Value>,
    more: bool,
}

impl UnacknowledgedEvents {
    /// Whether the search ended at a limit before it found an event.
    fn is_unfinished(&self) -> bool {
        self.sets.is_empty() && self.more
    }
}

/// Returns the events that are not acknowledged yet (RFC 8936).
#[utoipa::path(
    post,
    path = "/{id}/poll",
    tag = "Event streams",
    operation_id = "pollStream",
    params(("id" = String, Path)),
    request_body(content = inline(PollRequest), content_type = "application/json"),
    responses(
        Errors,
        (status = 200, description = "The events.", body = inline(PollResponse), content_type = "application/json"),
    )
)]
pub(super) async fn poll(receiver: Receiver, id: Path<String>, body: ScimBody, polling: Data<Polling>) -> ApiResult {
    let Polling { database, requests, base, keys, followers, longest } = &**polling;
    if id.parse() != Ok(receiver.stream_id) {
        return Err(ScimError::new(404, "there is no such event stream").into());
    }
    if !keys.can_sign() {
        return Err(ApiError::Unavailable("event_keys, which sign what streams deliver"));
    }
    let parameters = PollParameters::read(&body.json, receiver.stream_id)?;
    parameters.errors.iter().for_each(|error| tracing::warn!(error, "a receiver cannot use an event"));
    // Follow first, then read the log. Otherwise an entry in between would be missed.
    let mut following = followers
        .follow(receiver.organization_id)
        .ok_or(ApiError::Unavailable("too many connections follow the logs"))?;
    let mut stream = current(database, receiver).await?;
    let (from, deadline) = (stream.position.clone(), Instant::now() + *longest);
    if !parameters.done.is_empty() {
        // Only an event that exists can be acknowledged, and not the one that had its seq before a restore.
        let done = existing(database, receiver.organization_id, &parameters.done).await?;
        for seq in done {
            stream.position.acknowledge(seq);
        }
    }
    let mut found = look(database, base, &mut stream, parameters.most).await?;
    if !parameters.done.is_empty() {
        save_position(requests, receiver, &stream.position).await?;
    }
    while found.sets.is_empty() && !found.more && parameters.most > 0 && !parameters.return_immediately {
        match following.wait(deadline.saturating_duration_since(Instant::now())).await {
            // The stream may have been deleted in the meantime.
            LogNotification::Growth => current(database, receiver).await.map(|_| ())?,
            LogNotification::Timeout | LogNotification::Stop => break,
        }
        found = look(database, base, &mut stream, parameters.most).await?;
    }
    let is_kept = !parameters.done.is_empty() && !found.is_unfinished();
    let moved = stream.position.seq.saturating_sub(from.seq);
    if moved >= WORTH_KEEPING && !is_kept || moved > 0 && found.is_unfinished() {
        // If this fails, the next poll only takes longer.
        if let Err(error) = save_position(requests, receiver, &stream.position).await {
            tracing::warn!(%error, stream = %receiver.stream_id, "the position of a stream was not saved");
        }
    }
    Ok(answer(&receiver, &found, keys))
}

async fn current(database: &Database, receiver: Receiver) -> Result<Stream, ApiError> {
    let stream = find_stream(database, receiver.organization_id, receiver.stream_id).await?;
    stream.ok_or(ApiError::Unauthenticated { presented: true })
}

/// Moves a stream's position up to the first unacknowledged event, and finds the unacknowledged events,
/// within the limits of one request.
async fn look(
    database: &Database,
    base: &Base,
    stream: &mut Stream,
    most: usize,
) -> Result<UnacknowledgedEvents, ApiError> {
    let size = log_size(database, stream.organization_id).await?;
    let begun = Instant::now();
    for _ in 0..MAX_RANGES {
        let (changes, read) = next_changes(database, stream, SeqRange::after(stream.position.seq, size)).await?;
        let claims = changes.iter().filter_map(|change| Some((change.seq, stream.feed.claims(base.as_str(), change)?)));
        let mut claims: BTreeMap<_, _> = claims.collect();
        let waiting = stream.position.advance(claims.keys().copied(), read.until);
        let is_end = read.until >= size;
        if !waiting.is_empty() || is_end {
            let more = waiting.len() > most || !is_end;
            let sets = waiting.into_iter().take(most).filter_map(|seq| claims.remove_entry(&seq));
            return Ok(UnacknowledgedEvents { sets: sets.collect(), more });
        }
        if begun.elapsed() >= MAX_SEARCH_TIME {
            break;
        }
    }
    Ok(UnacknowledgedEvents { sets: BTreeMap::new(), more: true })
}

/// Asks the worker to save the position of a receiver.
async fn save_position(requests: &RequestClient, receiver: Receiver, position: &Position) -> Result<(), ApiError> {
    let acknowledged = StreamAcknowledged { stream_id: receiver.stream_id, position: position.clone() };
    let request = Request {
        id: EventId::generate(),
        organization_id: receiver.organization_id,
        requested_at: Timestamp::now(),
        actor: Actor::service("rollcall-api"),
        fingerprint: None,
        body: RequestBody::StreamAcknowledged(acknowledged),
    };
    requests.submit(request, &Prefer::default()).await.map(|_| ())
}

fn answer(receiver: &Receiver, found: &UnacknowledgedEvents, keys: &SetKeys) -> HttpResponse {
    let sets = found
        .sets
        .values()
        .map(|claims| (claims["jti"].as_str().unwrap_or_default().to_owned(), json!(keys.sign(claims))));
    let sets: Map<String, Value> = sets.collect();
    tracing::debug!(stream = %receiver.stream_id, sets = sets.len(), "a stream was polled");
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(json!({"sets": sets, "moreAvailable": found.more}).to_string())
}
