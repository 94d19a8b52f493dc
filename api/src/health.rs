//! Liveness and readiness.

use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig};
use rollcall_api_core::openapi::{Endpoints, Errors, endpoint};
use rollcall_api_core::read::{Database, ReadError, RefusedLogs, refused_logs, stopped_partitions};
use rollcall_api_core::submit::RequestClient;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// The tag of these endpoints at `/openapi.json`.
const TAG: &str = "Health";
/// How long a result is reused. Further probes in this time cost nothing.
const FRESH: Duration = Duration::from_millis(500);
/// Maximum time of a check.
const LIMIT: Duration = Duration::from_secs(2);

/// The probe of Postgres. If it succeeds, the schema exists and the role can read it.
const PROBE: &str = "SELECT FROM organizations LIMIT 1";

/// The last check of readiness. Probes that arrive during a check wait for it and share its result.
#[derive(Default)]
pub(crate) struct Health {
    last: Mutex<Option<(Instant, Findings)>>,
}

/// The result of a check. `None` if a server does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Findings {
    /// The stopped partitions, each with its reason.
    stopped: Option<Vec<(u16, String)>>,
    /// The logs that the signer refuses.
    refused: Option<RefusedLogs>,
    /// The partitions without a worker. Their queues still accept requests.
    unserved: Option<Vec<u16>>,
}

impl Health {
    async fn check(&self, database: &Database, requests: &RequestClient) -> Findings {
        let mut last = self.last.lock().await;
        if let Some((_, findings)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return findings.clone();
        }
        let (faults, unserved) = tokio::join!(
            tokio::time::timeout(LIMIT, faults(database)),
            tokio::time::timeout(LIMIT, unserved(requests))
        );
        let (stopped, refused) = faults.ok().and_then(Result::ok).unzip();
        let findings = Findings { stopped, refused, unserved: unserved.ok().flatten() };
        *last = Some((Instant::now(), findings.clone()));
        findings
    }
}

/// The stopped partitions and the refused logs.
async fn faults(database: &Database) -> Result<(Vec<(u16, String)>, RefusedLogs), ReadError> {
    database.sessions().query(PROBE, &[]).await?;
    Ok((stopped_partitions(database).await?, refused_logs(database).await?))
}

/// The partitions without a worker. `None` if the broker does not answer, or lacks a queue.
async fn unserved(requests: &RequestClient) -> Option<Vec<u16>> {
    let queues = requests.publisher().queue_statuses().await.ok()?;
    Some((0..).zip(queues).filter(|(_, queue)| queue.workers == 0).map(|(partition, _)| partition).collect())
}

impl Findings {
    /// Whether this api is ready. A missing worker does not matter, because the queue buffers requests in the
    /// meantime. A stopped partition matters: its requests are not applied until somebody repairs the fault. So
    /// does a refused log: the database has lost what it had confirmed. A refused service log delays no request.
    fn is_ready(&self) -> bool {
        self.unserved.is_some()
            && self.stopped.as_ref().is_some_and(Vec::is_empty)
            && self.refused.as_ref().is_some_and(|refused| refused.count == 0)
    }

    fn body(&self) -> Value {
        let stopped =
            self.stopped.iter().flatten().map(|(partition, reason)| json!({"partition": partition, "reason": reason}));
        let refused = self.refused.iter().flat_map(|refused| &refused.named);
        let refused = refused.map(|(organization, reason)| json!({"organization": organization, "reason": reason}));
        json!({
            "status": if self.is_ready() { "ready" } else { "not ready" },
            "database": if self.stopped.is_some() { "ok" } else { "cannot be read" },
            "broker": if self.unserved.is_some() { "ok" } else { "cannot be reached, or lacks a queue" },
            "partitions_stopped": stopped.collect::<Vec<_>>(),
            "logs_refused": refused.collect::<Vec<_>>(),
            "service_log_refused": self.refused.as_ref().and_then(|refused| refused.service_log.as_deref()),
            "partitions_without_worker": self.unserved.clone().unwrap_or_default(),
        })
    }
}

/// The endpoints.
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::below("").with(endpoint!(alive)).with(endpoint!(ready))
}

/// The routes. They need no authentication.
pub(crate) fn routes(config: &mut ServiceConfig) {
    endpoints().register(config);
}

/// Answers if the process is alive.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = TAG,
    operation_id = "alive",
    security(),
    responses(
        Errors, (status = 200, description = "The process is alive.", body = Object, content_type = "application/json")
    )
)]
pub(crate) async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "alive"}))
}

/// Answers 200 if the service is ready for calls.
///
/// It is ready if Postgres can be read, `RabbitMQ` has the queues, no partition is stopped, and no log is
/// refused. Otherwise the answer is 503. The body has the findings.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = TAG,
    operation_id = "ready",
    security(),
    responses(
        Errors,
        (status = 200, description = "The service is ready.", body = Object, content_type = "application/json"),
        (
            status = 503, description = "The service is not ready, and why.", body = Object,
            content_type = "application/json"
        ),
    )
)]
pub(crate) async fn ready(
    health: Data<Health>,
    database: Data<Database>,
    requests: Data<RequestClient>,
) -> HttpResponse {
    let findings = health.check(&database, &requests).await;
    let mut response = if findings.is_ready() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(findings.body())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_events::OrganizationId;
    use test_case::test_case;

    #[test_case(Some(vec![]), Some(vec![]) => true; "all servers answer")]
    #[test_case(Some(vec![]), Some(vec![0, 7]) => true; "workers restart")]
    #[test_case(None, Some(vec![]) => false; "no database")]
    #[test_case(Some(vec![]), None => false; "no broker")]
    #[test_case(Some(vec![(3, "a column is missing".to_owned())]), Some(vec![]) => false; "a partition was stopped")]
    fn readiness(stopped: Option<Vec<(u16, String)>>, unserved: Option<Vec<u16>>) -> bool {
        Findings { stopped, refused: Some(RefusedLogs::default()), unserved }.is_ready()
    }

    #[test]
    fn the_body_names_the_stopped_partition_and_the_refused_log_with_their_reasons() {
        let organization = OrganizationId::SYSTEM;
        let reason = "12 entries were signed, and the database has 8".to_owned();
        let findings = Findings {
            stopped: Some(vec![(3, "a column is missing".to_owned())]),
            refused: Some(RefusedLogs { named: vec![(organization, reason.clone())], count: 1, service_log: None }),
            unserved: Some(vec![5]),
        };
        let body = findings.body();
        assert_eq!(body["partitions_stopped"], json!([{"partition": 3, "reason": "a column is missing"}]));
        assert_eq!(body["logs_refused"], json!([{"organization": organization, "reason": reason}]));
        assert_eq!(body["partitions_without_worker"], json!([5]));
        let repaired = Findings { stopped: Some(Vec::new()), ..findings };
        assert!(!repaired.is_ready(), "a refused log is enough");
        let service_log = RefusedLogs { service_log: Some(reason.clone()), ..RefusedLogs::default() };
        let witnessed = Findings { refused: Some(service_log), ..repaired };
        assert!(witnessed.is_ready(), "no request waits for the service log");
        assert_eq!(witnessed.body()["service_log_refused"], reason);
    }
}
