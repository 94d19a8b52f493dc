//! How the service does for the organization at this moment.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest};
use rollcall_events::OrganizationId;
use std::time::Duration;

use super::session::{Administrator, Renewed};
use super::text::Language;
use super::view::{self, Bar, Waiting, minute, second, took};
use super::{PageResult, Pages};
use crate::read::{
    LATENCY_BUCKETS, Latency, OldestRequest, PartitionStatus, ReadError, ReplayState, Replayed, ServiceStatus, latencies, partitions,
    replayed, standing,
};

/// How high and how wide the chart is, in the units of its picture.
const HEIGHT: f64 = 100.0;
const WIDTH: usize = 480;

/// `GET /operations/standing`: the same as on the page, as it is by now. A page that is left open does not keep its session alive by this.
pub(super) async fn show(http: HttpRequest, admin: Administrator, pages: Data<Pages>, t: Language) -> PageResult {
    admin.must_administer()?;
    http.extensions_mut().remove::<Renewed>();
    Ok(view::page(StatusCode::OK, &look(&pages, admin.who.organization_id, t).await?))
}

/// How the service does.
pub(super) async fn look(pages: &Pages, organization: OrganizationId, t: Language) -> Result<view::ServiceStatus, ReadError> {
    let database = &pages.database;
    let asked = futures_util::try_join!(
        standing(database, organization),
        latencies(database, organization),
        replayed(database, organization),
        partitions(database)
    );
    let (ServiceStatus { size, signed, recent, took: within, last }, latencies, replayed, told) = asked?;
    let publisher = pages.requests.publisher();
    // That the broker does not tell is something to be told.
    let queue = publisher.queue(organization).await.inspect_err(|error| tracing::warn!(%error, "the queue is not known")).ok();
    let told = told.get(&publisher.partition(organization));
    let waiting = queue.map(|(messages, workers)| Waiting { messages, is_served: workers > 0, oldest: oldest(told, messages, t) });
    let slowest = latencies.iter().map(|latency| latency.most).fold(0.0, f64::max);
    Ok(view::ServiceStatus {
        t,
        waiting,
        size,
        signed: signed.map(|(size, at)| (size, minute(&at))),
        recent,
        took: within.map(|(median, most)| (seconds(median), seconds(most))),
        last: last.map(second),
        bars: bars(&latencies, slowest),
        slowest: seconds(slowest),
        replay: replayed.map(|replayed| replay(&replayed, t)),
    })
}

fn oldest(told: Option<&PartitionStatus>, messages: u32, t: Language) -> Option<String> {
    match PartitionStatus::oldest(told, messages) {
        OldestRequest::None => None,
        OldestRequest::For(waits) => Some(t.with("oldest-waits", "time", seconds(waits))),
        OldestRequest::AtMost(waits) => Some(t.with("oldest-waits-at-most", "time", seconds(waits))),
        OldestRequest::Unknown => Some(t.get("oldest-unknown")),
    }
}

fn seconds(seconds: f64) -> String {
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    took(duration.as_micros().try_into().unwrap_or(i64::MAX))
}

fn replay(replayed: &Replayed, t: Language) -> view::Replay {
    let (at, said) = match replayed.state {
        ReplayState::Running => (replayed.told_at, t.with("replay-begun", "at", second(replayed.begun_at))),
        ReplayState::BrokenOff => (replayed.told_at, t.get("replay-broken-off")),
        ReplayState::Ended { at, rows: 0, .. } => (at, t.get("replay-alike")),
        ReplayState::Ended { at, rows, is_mended: false } => (at, t.with("replay-differs", "rows", rows)),
        ReplayState::Ended { at, rows, is_mended: true } => (at, t.with("replay-mended", "rows", rows)),
    };
    let is_running = matches!(replayed.state, ReplayState::Running);
    view::Replay { entries: replayed.entries, size: replayed.size, is_running, at: second(at), said }
}

/// The bars of the chart: behind, how long nearly all took; before it, how long half of them did.
fn bars(latencies: &[Latency], slowest: f64) -> Vec<Bar> {
    let width = WIDTH / LATENCY_BUCKETS;
    let bar = |kind, bucket, seconds: f64| {
        // What is there at all can be seen.
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
    fn the_slowest_fills_the_picture_and_the_quickest_can_be_seen() {
        let latencies = [Latency { bucket: 0, median: 0.5, most: 2.0 }, Latency { bucket: 29, median: 0.001, most: 1.0 }];
        let told: Vec<_> = bars(&latencies, 2.0).iter().map(|bar| (bar.kind, bar.x, bar.y, bar.height)).collect();
        assert_eq!(told, [("most", 0, 0.0, 100.0), ("median", 0, 75.0, 25.0), ("most", 464, 50.0, 50.0), ("median", 464, 99.0, 1.0)]);
        let nothing: Vec<_> = bars(&[Latency { bucket: 3, median: 0.0, most: 0.0 }], 0.0).iter().map(|bar| (bar.y, bar.height)).collect();
        assert_eq!(nothing, [(99.0, 1.0); 2], "no division by nothing");
    }
}
