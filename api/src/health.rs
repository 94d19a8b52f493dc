//! Whether the api is alive, and whether it can do its work.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

use crate::read::{Database, ReadError, stopped_partitions};
use crate::submit::RequestClient;

/// How long an answer is good for: a probe that comes more often costs nothing.
const FRESH: Duration = Duration::from_millis(500);
/// How long a check may take.
const LIMIT: Duration = Duration::from_secs(2);

/// What an api reads first: that it can be read tells that the schema is there and may be looked into.
const PROBE: &str = "SELECT FROM organizations LIMIT 1";

/// What readiness depends on, as it was the last time. Probes that come during a check wait for it and share what it finds.
#[derive(Default)]
pub(crate) struct Health {
    last: Mutex<Option<(Instant, Findings)>>,
}

/// What was found; `None` where a server does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Findings {
    /// The partitions that were stopped, each with its reason.
    stopped: Option<Vec<(u16, String)>>,
    /// The partitions that no worker serves now. Their queues take requests all the same.
    unserved: Option<Vec<u16>>,
}

impl Health {
    async fn look(&self, database: &Database, requests: &RequestClient) -> Findings {
        let mut last = self.last.lock().await;
        if let Some((_, findings)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return findings.clone();
        }
        let (stopped, unserved) =
            tokio::join!(tokio::time::timeout(LIMIT, stopped(database)), tokio::time::timeout(LIMIT, unserved(requests)));
        let findings = Findings { stopped: stopped.ok().and_then(Result::ok), unserved: unserved.ok().flatten() };
        *last = Some((Instant::now(), findings.clone()));
        findings
    }
}

async fn stopped(database: &Database) -> Result<Vec<(u16, String)>, ReadError> {
    database.sessions().query(PROBE, &[]).await?;
    stopped_partitions(database).await
}

/// The partitions that no worker serves; `None` where the broker does not tell, or lacks one of their queues.
async fn unserved(requests: &RequestClient) -> Option<Vec<u16>> {
    let queues = requests.publisher().queue_statuses().await.ok()?;
    Some((0..).zip(queues).filter(|(_, queue)| queue.workers == 0).map(|(partition, _)| partition).collect())
}

impl Findings {
    /// Whether this api can do its work. A worker that is away is not needed for that: the queue absorbs what comes meanwhile. A partition that was
    /// stopped is: nothing of it is worked on until somebody mends what stopped it.
    fn is_ready(&self) -> bool {
        self.unserved.is_some() && self.stopped.as_ref().is_some_and(Vec::is_empty)
    }

    fn body(&self) -> Value {
        let stopped = self.stopped.iter().flatten().map(|(partition, reason)| json!({"partition": partition, "reason": reason}));
        json!({
            "status": if self.is_ready() { "ready" } else { "not ready" },
            "database": if self.stopped.is_some() { "ok" } else { "cannot be read" },
            "broker": if self.unserved.is_some() { "ok" } else { "cannot be reached, or lacks a queue" },
            "partitions_stopped": stopped.collect::<Vec<_>>(),
            "partitions_without_worker": self.unserved.clone().unwrap_or_default(),
        })
    }
}

/// `GET /healthz`: the process answers.
pub(crate) async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "alive"}))
}

/// `GET /readyz`: Postgres can be read, `RabbitMQ` has the queues, and no partition was stopped.
pub(crate) async fn ready(health: Data<Health>, database: Data<Database>, requests: Data<RequestClient>) -> HttpResponse {
    let findings = health.look(&database, &requests).await;
    let mut response = if findings.is_ready() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(findings.body())
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case(Some(vec![]), Some(vec![]) => true; "all is well")]
    #[test_case(Some(vec![]), Some(vec![0, 7]) => true; "workers restart")]
    #[test_case(None, Some(vec![]) => false; "no database")]
    #[test_case(Some(vec![]), None => false; "no broker")]
    #[test_case(Some(vec![(3, "a column is missing".to_owned())]), Some(vec![]) => false; "a partition was stopped")]
    fn readiness(stopped: Option<Vec<(u16, String)>>, unserved: Option<Vec<u16>>) -> bool {
        Findings { stopped, unserved }.is_ready()
    }

    #[test]
    fn it_is_told_which_partition_was_stopped_and_why() {
        let findings = Findings { stopped: Some(vec![(3, "a column is missing".to_owned())]), unserved: Some(vec![5]) };
        let body = findings.body();
        assert_eq!(body["partitions_stopped"], json!([{"partition": 3, "reason": "a column is missing"}]));
        assert_eq!(body["partitions_without_worker"], json!([5]));
    }
}
