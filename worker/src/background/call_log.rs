//! Stores call records from the apis, and deletes old ones. A fault here does not affect other tasks.

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use rollcall_events::OrganizationId;
use rollcall_events::call_log::CallRecord;
use rollcall_queue::topology::{self, OBSERVED};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::types::Json;
use tokio_util::sync::CancellationToken;

use crate::db::{Database, TaskError, answered, broker};
use crate::erasure::{BESIDE, CUT_CHARS, CallTexts, RecordMentions, Verdict, judge, newest_erasures};
use crate::settings::Settings;
use crate::supervise::{close, supervise};

const NAME: &str = "rollcall-worker observed";
/// Consumer prefetch. A message holds the call records of one api for one second.
const PREFETCH: u16 = 10;
/// Interval between sweeps for old call records.
const SWEEP: Duration = Duration::from_mins(10);
/// Interval between the steps of a sweep. Call records are stored in between.
const STEP: Duration = Duration::from_millis(200);
/// Maximum number of rows per step.
const STEP_ROWS: i64 = 5000;

/// A redelivered message changes nothing.
const INSERT: &str = "
    INSERT INTO requests (
        organization_id, id, at, micros, method, path, query, meaning, subject, subject_id, status, scim_type, detail,
        txn, token_id, label, address, user_agent, request_body, response_body
    )
    SELECT
        organization_id, id, at, micros, method, path, query, meaning, subject, subject_id, status, scim_type, detail,
        txn, token_id, label, address, user_agent, request_body, response_body
    FROM jsonb_to_recordset($1) AS r (
        organization_id uuid, id uuid, at timestamptz, micros bigint, method text, path text, query text, meaning text,
        subject text, subject_id uuid, status smallint, scim_type text, detail text, txn uuid, token_id uuid,
        label text, address text, user_agent text, request_body text, response_body text
    )
    ON CONFLICT DO NOTHING";

/// Deletes some old call records. Rows that another worker has locked are left for the next step.
const DELETE: &str = "
    DELETE FROM requests WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM requests WHERE at < now() - make_interval(days => $1) LIMIT $2 FOR UPDATE SKIP LOCKED
    ))";

/// Removes bodies. They have a shorter retention time than the rest of a record.
const CLEAR: &str = "
    UPDATE requests SET request_body = NULL, response_body = NULL
    WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM requests
        WHERE (request_body IS NOT NULL OR response_body IS NOT NULL) AND at < now() - make_interval(days => $1)
        LIMIT $2 FOR UPDATE SKIP LOCKED
    ))";

/// Stores and deletes call records until `stop`.
pub(crate) async fn store_call_log(settings: Arc<Settings>, stop: CancellationToken) {
    supervise("call records", &stop, async || run(&settings, &stop).await).await;
}

async fn run(settings: &Settings, stop: &CancellationToken) -> Result<(), TaskError> {
    let database = Database::open(&settings.database_url, NAME).await?;
    let connection = broker(&settings.amqp_url, NAME).await?;
    let channel = answered(connection.create_channel()).await?;
    let mut consumer = answered(consume(&channel, settings.partitions)).await?;
    let (mut sweep, mut pace) = (tokio::time::interval(SWEEP), tokio::time::interval(STEP));
    let mut is_sweeping = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = sweep.tick() => is_sweeping = true,
            _ = pace.tick(), if is_sweeping => is_sweeping = sweep_step(&database, settings).await?,
            delivery = consumer.next() => receive(&database, delivery.ok_or(TaskError::ConsumerClosed)??).await?,
        }
    }
    close(&connection).await;
    Ok(())
}

async fn consume(channel: &Channel, partitions: u16) -> Result<Consumer, lapin::Error> {
    topology::declare(channel, partitions).await?;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    channel.basic_consume(OBSERVED.into(), NAME.into(), BasicConsumeOptions::default(), FieldTable::default()).await
}

async fn receive(database: &Database, delivery: Delivery) -> Result<(), TaskError> {
    let mut remaining = vec![calls(&delivery.data)];
    while let Some(mut calls) = remaining.pop() {
        match store(database, &calls).await {
            Ok(()) => {}
            Err(error) if error.is_outage() => return Err(error),
            // Skip only the record that cannot be stored.
            Err(error) if calls.len() <= 1 => tracing::warn!(%error, "a call record cannot be stored"),
            Err(_) => {
                remaining.push(calls.split_off(calls.len() / 2));
                remaining.push(calls);
            }
        }
    }
    answered(delivery.acker.ack(BasicAckOptions::default())).await.map(|_| ())
}

/// Reads the call records of a message. Skips records that cannot be read.
fn calls(message: &[u8]) -> Vec<CallRecord> {
    let read = |error: serde_json::Error| {
        tracing::warn!(%error, "a call record cannot be read; do api and worker have the same version?");
    };
    let raw: Vec<Box<RawValue>> = serde_json::from_slice(message).map_err(read).unwrap_or_default();
    raw.iter().filter_map(|call| serde_json::from_str(call.get()).map_err(read).ok()).collect()
}

/// Stores call records, without the data of erased persons. The check and the insertion share a transaction
/// that is ordered with erasures (see `erasure`).
async fn store(database: &Database, calls: &[CallRecord]) -> Result<(), TaskError> {
    if calls.is_empty() {
        return Ok(());
    }
    let storing = async {
        database.query(BESIDE, &[]).await?;
        let kept = without_erased(database, calls).await?;
        database.execute(INSERT, &[&Json(&kept)]).await.map(|_| ())
    };
    database.in_transaction(storing).await
}

/// Removes the data of erased persons from call records.
async fn without_erased(database: &Database, calls: &[CallRecord]) -> Result<Vec<CallRecord>, TaskError> {
    let mut kept = Vec::with_capacity(calls.len());
    let mut of: BTreeMap<OrganizationId, Vec<CallRecord>> = BTreeMap::new();
    for call in calls {
        of.entry(call.organization_id).or_default().push(call.clone());
    }
    let organizations: Vec<_> = of.keys().copied().collect();
    let newest = newest_erasures(database, &organizations).await?;
    for (organization, observed) in of {
        let Some(&newest) = newest.get(&organization) else {
            kept.extend(observed);
            continue;
        };
        // Reading bodies takes CPU time, so it runs on a blocking thread.
        let (observed, readings) = tokio::task::spawn_blocking(move || {
            let readings: Vec<_> = observed.iter().map(|call| RecordMentions::call(&texts(call), newest)).collect();
            (observed, readings)
        })
        .await?;
        let verdicts = judge(database, organization, &readings).await?;
        kept.extend(observed.into_iter().zip(verdicts).filter_map(|(call, verdict)| redacted(call, verdict)));
    }
    Ok(kept)
}

fn texts(call: &CallRecord) -> CallTexts<'_> {
    CallTexts {
        organization: call.organization_id,
        at: call.at,
        path: &call.path,
        query: call.query.as_deref(),
        subject: call.subject.as_deref(),
        subject_id: call.subject_id,
        detail: call.detail.as_deref(),
        bodies: [call.request_body.as_deref(), call.response_body.as_deref()],
    }
}

/// Redacts a call record according to the verdict. Returns `None` if the record must be dropped.
fn redacted(mut call: CallRecord, verdict: Verdict) -> Option<CallRecord> {
    match verdict {
        Verdict::Keep => {}
        Verdict::Drop => return None,
        Verdict::Redact { cut_texts, bodies } => {
            if cut_texts {
                let is_whole = |text: &String| text.chars().nth(CUT_CHARS - 1).is_none();
                (call.query, call.detail) = (call.query.filter(is_whole), call.detail.filter(is_whole));
            }
            if bodies {
                (call.request_body, call.response_body) = (None, None);
            }
        }
    }
    Some(call)
}

/// Deletes one step of old records and bodies. Returns whether there may be more.
async fn sweep_step(database: &Database, settings: &Settings) -> Result<bool, TaskError> {
    let mut is_more = false;
    for (sql, days) in [(DELETE, settings.observed_days), (CLEAR, settings.observed_body_days)] {
        is_more |= database.execute(sql, &[&i32::from(days), &STEP_ROWS]).await? > 0;
    }
    Ok(is_more)
}
