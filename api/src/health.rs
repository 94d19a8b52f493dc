//! Whether the api is alive, and whether it can do its work.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::json;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::desk::Desk;
use crate::read::Database;

/// How long an answer is good for: a probe that comes more often costs nothing.
const FRESH: Duration = Duration::from_millis(500);
/// How long a check may take.
const LIMIT: Duration = Duration::from_secs(2);

/// What readiness depends on, as it was the last time.
#[derive(Default)]
pub(crate) struct Health {
    last: Mutex<Option<(Instant, Findings)>>,
}

/// What does not work; nothing where all is well.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Findings {
    database: bool,
    broker: bool,
    unserved: Vec<u16>,
}

impl Health {
    fn fresh(&self) -> Option<Findings> {
        let last = self.last.lock().ok()?;
        last.as_ref().filter(|(at, _)| at.elapsed() < FRESH).map(|(_, findings)| findings.clone())
    }

    async fn look(&self, database: &Database, desk: &Desk) -> Findings {
        if let Some(findings) = self.fresh() {
            return findings;
        }
        let database = tokio::time::timeout(LIMIT, database.query("SELECT 1", &[])).await.is_ok_and(|answer| answer.is_ok());
        let unserved = tokio::time::timeout(LIMIT, self.unserved(desk)).await.ok().flatten();
        let findings = Findings { database, broker: unserved.is_some(), unserved: unserved.unwrap_or_default() };
        if let Ok(mut last) = self.last.lock() {
            *last = Some((Instant::now(), findings.clone()));
        }
        findings
    }

    /// The partitions that no worker serves; `None` where the broker does not tell.
    async fn unserved(&self, desk: &Desk) -> Option<Vec<u16>> {
        let queues = desk.publisher().queues().await.ok()?;
        Some((0..).zip(queues).filter(|(_, (_, workers))| *workers == 0).map(|(partition, _)| partition).collect())
    }
}

/// `GET /healthz`: the process answers.
pub(crate) async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "alive"}))
}

/// `GET /readyz`: Postgres can be read, `RabbitMQ` takes requests, a worker serves every partition.
pub(crate) async fn ready(health: Data<Health>, database: Data<Database>, desk: Data<Desk>) -> HttpResponse {
    let Findings { database, broker, unserved } = health.look(&database, &desk).await;
    let ready = database && broker && unserved.is_empty();
    let body = json!({
        "status": if ready { "ready" } else { "not ready" },
        "database": if database { "ok" } else { "cannot be read" },
        "broker": if broker { "ok" } else { "cannot be reached" },
        "partitions_without_worker": unserved,
    });
    if ready { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}
