//! What a monitoring system is told (OpenMetrics 1.0), at an address of its own: who may call the service may not look into it.

use actix_web::HttpResponse;
use actix_web::web::Data;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::publish::{NotConfirmed, QueueStatus};
use crate::read::{
    Database, OldestRequest, PartitionStatus, ReadError, dead_letter_count, expiring_tokens, partitions, stopped_partitions,
};
use crate::submit::RequestClient;

const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How long a server may take to tell.
const LIMIT: Duration = Duration::from_secs(2);
/// The methods that calls are counted by.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
/// Up to how long calls take, in seconds, from the fastest to the slowest.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Partition {
    partition: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Expiring {
    organization: String,
    token: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Server {
    server: &'static str,
}

/// What is counted, and what is asked for when somebody looks.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    registry: Registry,
    calls: Family<Answered, Counter>,
    seconds: Option<Histogram>,
    waiting: Gauge,
    messages: Family<Partition, Gauge>,
    workers: Family<Partition, Gauge>,
    oldest: Family<Partition, Gauge<f64, AtomicU64>>,
    stopped: Family<Partition, Gauge>,
    demand_loads: Family<Partition, Gauge>,
    letters: Gauge,
    expiring: Family<Expiring, Gauge>,
    up: Family<Server, Gauge>,
}

impl Metrics {
    /// Everything at zero.
    pub(crate) fn new() -> Self {
        let mut new = Self::default();
        let seconds = Histogram::new(BUCKETS);
        let registry = new.registry.sub_registry_with_prefix("rollcall");
        registry.register("calls", "SCIM calls that were answered", new.calls.clone());
        registry.register_with_unit("call_duration", "How long SCIM calls took", Unit::Seconds, seconds.clone());
        registry.register("calls_waiting", "Calls that wait for their outcomes", new.waiting.clone());
        registry.register(
            "queue_messages",
            "Messages that wait in a partition, each with one request or with several",
            new.messages.clone(),
        );
        registry.register("queue_workers", "Workers that serve a partition or stand by", new.workers.clone());
        let about = "For how long the oldest request of a partition waits, at the most";
        registry.register_with_unit("queue_oldest", about, Unit::Seconds, new.oldest.clone());
        let about = "Whether a partition was stopped for an error that concerns all of its requests";
        registry.register("partition_stopped", about, new.stopped.clone());
        let about = "Keys that the worker of a partition has loaded only when a decision asked for them, since the worker started";
        registry.register("demand_loads", about, new.demand_loads.clone());
        registry.register("dead_letters", "Requests that could not be applied and that nobody has decided about", new.letters.clone());
        let about = "When a token expires that does within 30 days, as a Unix time";
        registry.register_with_unit("token_expiry", about, Unit::Seconds, new.expiring.clone());
        registry.register("server_up", "Whether a server answers", new.up.clone());
        new.seconds = Some(seconds);
        new
    }

    /// Counts a call.
    pub(crate) fn count(&self, method: &str, status: u16, took: Duration) {
        // A method that nobody has heard of could be any text, and each would be kept.
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("other");
        self.calls.get_or_create(&Answered { method, status }).inc();
        if let Some(seconds) = &self.seconds {
            seconds.observe(took.as_secs_f64());
        }
    }

    async fn look(&self, database: &Database, requests: &RequestClient) {
        self.waiting.set(whole(requests.pending().len()));
        let told = tokio::time::timeout(LIMIT, self.ask_database(database)).await.ok().and_then(Result::ok);
        self.tell_up("postgres", told.is_some());
        let waiting = tokio::time::timeout(LIMIT, self.ask_broker(requests)).await.ok().and_then(Result::ok);
        self.tell_up("rabbitmq", waiting.is_some());
        self.tell_oldest(&told.unwrap_or_default(), &waiting.unwrap_or_default());
    }

    /// What is not known now is not told.
    fn tell_oldest(&self, told: &HashMap<u16, PartitionStatus>, waiting: &[u32]) {
        self.oldest.clear();
        for (partition, &waiting) in (0..).zip(waiting) {
            let seconds = match PartitionStatus::oldest(told.get(&partition), waiting) {
                OldestRequest::None => 0.0,
                OldestRequest::For(seconds) | OldestRequest::AtMost(seconds) => seconds,
                OldestRequest::Unknown => continue,
            };
            self.oldest.get_or_create(&Partition { partition }).set(seconds);
        }
    }

    fn tell_up(&self, server: &'static str, is_up: bool) {
        self.up.get_or_create(&Server { server }).set(is_up.into());
    }

    async fn ask_database(&self, database: &Database) -> Result<HashMap<u16, PartitionStatus>, ReadError> {
        self.letters.set(dead_letter_count(database).await?);
        let expiring = expiring_tokens(database).await?;
        // Those that were mended are not told of any more.
        self.expiring.clear();
        for (organization, token, at) in expiring {
            self.expiring.get_or_create(&Expiring { organization: organization.to_string(), token: token.to_string() }).set(at.as_second());
        }
        let told = partitions(database).await?;
        let stopped = stopped_partitions(database).await?;
        for (&partition, told) in &told {
            let is_stopped = stopped.iter().any(|(stopped, _)| *stopped == partition);
            self.stopped.get_or_create(&Partition { partition }).set(is_stopped.into());
            self.demand_loads.get_or_create(&Partition { partition }).set(told.demand_loads());
        }
        Ok(told)
    }

    async fn ask_broker(&self, requests: &RequestClient) -> Result<Vec<u32>, NotConfirmed> {
        let queues = requests.publisher().queue_statuses().await?;
        for (partition, &QueueStatus { messages, workers }) in (0..).zip(&queues) {
            self.messages.get_or_create(&Partition { partition }).set(messages.into());
            self.workers.get_or_create(&Partition { partition }).set(workers.into());
        }
        Ok(queues.into_iter().map(|queue| queue.messages).collect())
    }
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// `GET /metrics`.
pub(crate) async fn metrics(metrics: Data<Metrics>, database: Data<Database>, requests: Data<RequestClient>) -> HttpResponse {
    metrics.look(&database, &requests).await;
    let mut text = String::new();
    match encode(&mut text, &metrics.registry) {
        Ok(()) => HttpResponse::Ok().content_type(MEDIA_TYPE).body(text),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_method_and_status_and_nobody_can_make_methods_up() {
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
