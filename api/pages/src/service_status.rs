//! The current state of the service for an organization.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest};
use rollcall_api_core::publish::QueueStatus;
use rollcall_api_core::read::{
    LATENCY_BUCKETS, LastReplay, Latency, OldestRequest, PartitionStatus, ReadError, ReplayState, ServiceStatus,
    last_replay, latencies, partitions, refusal, service_status,
};
use rollcall_events::OrganizationId;
use std::time::Duration;

use super::context::Pages;
use super::error::PageResult;
use super::session::{Administrator, RenewedCookie};
use super::text::Language;
use super::view::{self, Bar, QueueView, minute, second, took};
use super::witnessing;

/// Height of the chart, in the units of the picture.
const HEIGHT: f64 = 100.0;
/// Width of the chart, in the units of the picture.
const WIDTH: usize = 480;

/// `GET /operations/status`: the state alone, to refresh the page. This call does not renew the session, so
/// an open page does not keep it alive.
pub(super) async fn show(http: HttpRequest, admin: Administrator, pages: Data<Pages>, t: Language) -> PageResult {
    admin.must_administer()?;
    http.extensions_mut().remove::<RenewedCookie>();
    Ok(view::page(StatusCode::OK, &read(&pages, admin.person.organization_id, t).await?))
}

/// Reads the state of the service.
///
/// # Errors
/// If Postgres fails. If the broker does not answer, the state has no queue.
pub(super) async fn read(
    pages: &Pages,
    organization: OrganizationId,
    t: Language,
) -> Result<view::ServiceStatus, ReadError> {
    let database = &pages.database;
    let found = futures_util::try_join!(
        service_status(database, organization),
        latencies(database, organization),
        last_replay(database, organization),
        partitions(database),
        witnessing::read(database, t),
        refusal(database, organization)
    );
    let (
        ServiceStatus { size, signed, recent, took: within, last },
        latencies,
        last_replay,
        reports,
        witnessing,
        refused,
    ) = found?;
    let publisher = pages.requests.publisher();
    // The page shows that the broker does not answer, so this is not an error.
    let queue = publisher.queue_status(organization).await;
    let queue = queue.inspect_err(|error| tracing::warn!(%error, "the state of a queue cannot be read")).ok();
    let report = reports.get(&publisher.partition(organization));
    let waiting = queue.map(|QueueStatus { messages, workers }| QueueView {
        messages,
        is_served: workers > 0,
        oldest: oldest(report, messages, t),
    });
    let slowest = latencies.iter().map(|latency| latency.most).fold(0.0, f64::max);
    Ok(view::ServiceStatus {
        t,
        waiting,
        size,
        signed: signed.map(|(size, at)| (size, minute(&at))),
        refused,
        recent,
        took: within.map(|(median, most)| (seconds(median), seconds(most))),
        last: last.map(second),
        bars: bars(&latencies, slowest),
        slowest: seconds(slowest),
        replay: last_replay.map(|last_replay| replay(&last_replay, t)),
        witnessing,
    })
}

fn oldest(report: Option<&PartitionStatus>, messages: u32, t: Language) -> Option<String> {
    match PartitionStatus::oldest(report, messages) {
        OldestRequest::None => None,
        OldestRequest::For(age) => Some(t.with("oldest-waits", "time", seconds(age))),
        OldestRequest::AtMost(age) => Some(t.with("oldest-waits-at-most", "time", seconds(age))),
        OldestRequest::Unknown => Some(t.get("oldest-unknown")),
    }
}

fn seconds(seconds: f64) -> String {
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    took(duration.as_micros().try_into().unwrap_or(i64::MAX))
}

fn replay(last: &LastReplay, t: Language) -> view::Replay {
    let (at, summary) = match last.state {
        ReplayState::Running => (last.reported_at, t.with("replay-begun", "at", second(last.begun_at))),
        ReplayState::Interrupted => (last.reported_at, t.get("replay-broken-off")),
        ReplayState::Ended { at, rows: 0, .. } => (at, t.get("replay-alike")),
        ReplayState::Ended { at, rows, is_repaired: false } => (at, t.with("replay-differs", "rows", rows)),
        ReplayState::Ended { at, rows, is_repaired: true } => (at, t.with("replay-repaired", "rows", rows)),
    };
    let is_running = matches!(last.state, ReplayState::Running);
    view::Replay { entries: last.entries, size: last.size, is_running, at: second(at), summary }
}

/// The bars of the chart: the 99th percentile behind, and the median in front.
fn bars(latencies: &[Latency], slowest: f64) -> Vec<Bar> {
    let width = WIDTH / LATENCY_BUCKETS;
    let bar = |kind, bucket, seconds: f64| {
        // A short time still gets a visible bar.
        let height = (HEIGHT * seconds / slowest.max(f64::MIN_POSITIVE)).clamp(1.0, HEIGHT).round();
        Bar { kind, x: bucket * width, y: HEIGHT - height, width: width - 1, height }
    };
    latencies
        .iter()
        .flat_map(|latency| [bar("most", latency.bucket, latency.most), bar("median", latency.bucket, latency.median)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_bar_fills_the_picture_and_the_quickest_is_visible() {
        let latencies =
            [Latency { bucket: 0, median: 0.5, most: 2.0 }, Latency { bucket: 29, median: 0.001, most: 1.0 }];
        let drawn: Vec<_> = bars(&latencies, 2.0).iter().map(|bar| (bar.kind, bar.x, bar.y, bar.height)).collect();
        assert_eq!(
            drawn,
            [("most", 0, 0.0, 100.0), ("median", 0, 75.0, 25.0), ("most", 464, 50.0, 50.0), ("median", 464, 99.0, 1.0)]
        );
        let nothing: Vec<_> =
            bars(&[Latency { bucket: 3, median: 0.0, most: 0.0 }], 0.0).iter().map(|bar| (bar.y, bar.height)).collect();
        assert_eq!(nothing, [(99.0, 1.0); 2], "there is no division by zero");
    }
}
