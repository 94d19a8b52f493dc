//! The metrics (OpenMetrics 1.0). They have an address of their own, because callers of the service must not
//! see them.

use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use rollcall_events::Timestamp;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::publish::{NotConfirmed, QueueStatus};
use crate::read::{
    Database, OldestRequest, PartitionStatus, ReadError, dead_letter_count, expiring_tokens, partitions, refused_logs,
    sink_lags, stopped_partitions, witness_states, witness_status,
};
use crate::submit::RequestClient;

const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Maximum time to read the state of a server.
const LIMIT: Duration = Duration::from_secs(2);
/// The methods that have a count of their own.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
/// The upper limits of the histogram's buckets, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Partition {
    partition: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    organization: String,
    token: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WitnessLabel {
    witness: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SinkLabel {
    sink: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Server {
    server: &'static str,
}

/// The metrics. Calls are counted as they are answered. The other values are read when the metrics are
/// requested.
#[derive(Debug, Default)]
pub struct Metrics {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    seconds: Option<Histogram>,
    waiting: Gauge,
    messages: Family<Partition, Gauge>,
    workers: Family<Partition, Gauge>,
    oldest: Family<Partition, Gauge<f64, AtomicU64>>,
    stopped: Family<Partition, Gauge>,
    demand_loads: Family<Partition, Gauge>,
    refused: Gauge,
    dead_letters: Gauge,
    unwitnessed: Gauge,
    failing: Family<WitnessLabel, Gauge>,
    expiring: Family<TokenLabels, Gauge>,
    sink_entries: Family<SinkLabel, Gauge>,
    sink_oldest: Family<SinkLabel, Gauge<f64, AtomicU64>>,
    sink_failing: Family<SinkLabel, Gauge>,
    up: Family<Server, Gauge>,
}

impl Metrics {
    /// Creates all metrics, at zero.
    pub fn new() -> Self {
        let mut new = Self::default();
        let seconds = Histogram::new(BUCKETS);
        let registry = new.registry.sub_registry_with_prefix("rollcall");
        registry.register("calls", "SCIM calls that were answered", new.calls.clone());
        registry.register_with_unit("call_duration", "Duration of SCIM calls", Unit::Seconds, seconds.clone());
        registry.register("calls_waiting", "Calls that wait for an outcome", new.waiting.clone());
        registry.register(
            "queue_messages",
            "Waiting messages of a partition, each with one request or several",
            new.messages.clone(),
        );
        registry.register("queue_workers", "Workers that serve a partition or stand by", new.workers.clone());
        let about = "Upper bound on the age of the oldest request of a partition";
        registry.register_with_unit("queue_oldest", about, Unit::Seconds, new.oldest.clone());
        let about = "Whether a partition is stopped because of a fault that concerns all its requests";
        registry.register("partition_stopped", about, new.stopped.clone());
        let about = "Keys that the worker of a partition has loaded on demand during decisions, since it started";
        registry.register("demand_loads", about, new.demand_loads.clone());
        let about = "Logs that the signer refuses, because signed entries are missing or changed";
        registry.register("logs_refused", about, new.refused.clone());
        registry.register(
            "dead_letters",
            "Dead letters that are neither retried nor discarded",
            new.dead_letters.clone(),
        );
        let about = "How long the service log has been larger than its newest witnessed checkpoint";
        registry.register_with_unit("log_unwitnessed", about, Unit::Seconds, new.unwitnessed.clone());
        let about = "How long each witness of the service log has failed";
        registry.register_with_unit("witness_failing", about, Unit::Seconds, new.failing.clone());
        let about = "Expiry of each token that expires within 30 days, as a Unix time";
        registry.register_with_unit("token_expiry", about, Unit::Seconds, new.expiring.clone());
        registry.register("sink_entries", "Entries that were not delivered to a sink", new.sink_entries.clone());
        let about = "Age of the oldest entry that was not delivered to a sink";
        registry.register_with_unit("sink_oldest", about, Unit::Seconds, new.sink_oldest.clone());
        registry.register("sink_failing", "Whether the delivery to a sink fails", new.sink_failing.clone());
        registry.register("server_up", "Whether a server answers", new.up.clone());
        new.seconds = Some(seconds);
        new
    }

    /// Counts an answered call.
    pub fn count(&self, method: &str, status: u16, took: Duration) {
        // A caller can send any text as a method. Each distinct one would stay in memory.
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("other");
        self.calls.get_or_create(&CallLabels { method, status }).inc();
        if let Some(seconds) = &self.seconds {
            seconds.observe(took.as_secs_f64());
        }
    }

    async fn refresh(&self, database: &Database, requests: &RequestClient) {
        self.waiting.set(whole(requests.pending().count()));
        let reports = tokio::time::timeout(LIMIT, self.read_database(database)).await.ok().and_then(Result::ok);
        self.set_up("postgres", reports.is_some());
        let waiting = tokio::time::timeout(LIMIT, self.read_broker(requests)).await.ok().and_then(Result::ok);
        self.set_up("rabbitmq", waiting.is_some());
        self.set_oldest(&reports.unwrap_or_default(), &waiting.unwrap_or_default());
    }

    /// Sets the lag of each partition. A partition whose lag is not known now has no value.
    fn set_oldest(&self, reports: &HashMap<u16, PartitionStatus>, waiting: &[u32]) {
        self.oldest.clear();
        for (partition, &waiting) in (0..).zip(waiting) {
            let seconds = match PartitionStatus::oldest(reports.get(&partition), waiting) {
                OldestRequest::None => 0.0,
                OldestRequest::For(seconds) | OldestRequest::AtMost(seconds) => seconds,
                OldestRequest::Unknown => continue,
            };
            self.oldest.get_or_create(&Partition { partition }).set(seconds);
        }
    }

    fn set_up(&self, server: &'static str, is_up: bool) {
        self.up.get_or_create(&Server { server }).set(is_up.into());
    }

    async fn read_database(&self, database: &Database) -> Result<HashMap<u16, PartitionStatus>, ReadError> {
        self.dead_letters.set(dead_letter_count(database).await?);
        let refused = refused_logs(database).await?;
        self.refused.set(refused.count + i64::from(refused.service_log.is_some()));
        let expiring = expiring_tokens(database).await?;
        // A token that was renewed or revoked in the meantime has no value any more.
        self.expiring.clear();
        for (organization, token, at) in expiring {
            self.expiring
                .get_or_create(&TokenLabels { organization: organization.to_string(), token: token.to_string() })
                .set(at.as_second());
        }
        self.read_witnesses(database).await?;
        self.read_sinks(database).await?;
        let reports = partitions(database).await?;
        let stopped = stopped_partitions(database).await?;
        for (&partition, report) in &reports {
            let is_stopped = stopped.iter().any(|(stopped, _)| *stopped == partition);
            self.stopped.get_or_create(&Partition { partition }).set(is_stopped.into());
            self.demand_loads.get_or_create(&Partition { partition }).set(report.demand_loads());
        }
        Ok(reports)
    }

    async fn read_witnesses(&self, database: &Database) -> Result<(), ReadError> {
        let (now, status) = (Timestamp::now(), witness_status(database).await?);
        self.unwitnessed.set(seconds(status.unwitnessed_seconds(now)));
        self.failing.clear();
        for witness in witness_states(database).await? {
            let failing = witness.failing.map_or(0, |(since, _)| now.seconds_since(since));
            self.failing.get_or_create(&WitnessLabel { witness: witness.name }).set(seconds(failing));
        }
        Ok(())
    }

    async fn read_sinks(&self, database: &Database) -> Result<(), ReadError> {
        let lags = sink_lags(database).await?;
        // A sink that was forgotten in the meantime has no value any more.
        self.sink_entries.clear();
        self.sink_oldest.clear();
        self.sink_failing.clear();
        for lag in lags {
            let label = SinkLabel { sink: lag.sink };
            self.sink_entries.get_or_create(&label).set(lag.entries);
            self.sink_oldest.get_or_create(&label).set(lag.seconds);
            self.sink_failing.get_or_create(&label).set(lag.is_failing.into());
        }
        Ok(())
    }

    async fn read_broker(&self, requests: &RequestClient) -> Result<Vec<u32>, NotConfirmed> {
        let queues = requests.publisher().queue_statuses().await?;
        for (partition, &QueueStatus { messages, workers }) in (0..).zip(&queues) {
            self.messages.get_or_create(&Partition { partition }).set(messages.into());
            self.workers.get_or_create(&Partition { partition }).set(workers.into());
        }
        Ok(queues.into_iter().map(|queue| queue.messages).collect())
    }
}

fn seconds(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Serves the metrics at their own address until the process ends.
///
/// # Errors
/// If the address cannot be listened on.
pub fn serve(
    address: SocketAddr,
    counted: Data<Metrics>,
    database: Data<Database>,
    requests: Data<RequestClient>,
) -> std::io::Result<()> {
    let app = move || {
        let app = App::new().app_data(counted.clone()).app_data(database.clone()).app_data(requests.clone());
        app.route("/metrics", web::get().to(metrics))
    };
    tokio::spawn(HttpServer::new(app).workers(1).disable_signals().bind(address)?.run());
    Ok(())
}

/// `GET /metrics`.
async fn metrics(metrics: Data<Metrics>, database: Data<Database>, requests: Data<RequestClient>) -> HttpResponse {
    metrics.refresh(&database, &requests).await;
    let mut text = String::new();
    match encode(&mut text, &metrics.registry) {
        Ok(()) => HttpResponse::Ok().content_type(MEDIA_TYPE).body(text),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be encoded");
            HttpResponse::InternalServerError().finish()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_method_and_status_and_unknown_methods_share_a_count() {
        let metrics = Metrics::new();
        for method in ["GET", "GET", "BREW", "SPILL"] {
            metrics.count(method, 200, Duration::from_millis(3));
        }
        let mut text = String::new();
        encode(&mut text, &metrics.registry).unwrap();
        assert!(text.contains("rollcall_calls_total{method=\"GET\",status=\"200\"} 2"), "{text}");
        assert!(text.contains("rollcall_calls_total{method=\"other\",status=\"200\"} 2"), "{text}");
        assert!(text.contains("rollcall_call_duration_seconds_bucket{le=\"0.005\"} 4"), "{text}");
    }
}
