//! Keeps what the apis have observed of calls, and lets go of what is too old. A trouble of its own is nobody else's.

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, Consumer};
use rollcall_events::observed::ObservedCall;
use rollcall_events::topology::{self, OBSERVED};
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Client;
use tokio_postgres::types::Json;
use tokio_util::sync::CancellationToken;

use crate::consume::RunError;
use crate::keep::{close, keep};
use crate::settings::Settings;
use crate::store::{StoreError, connect};

const NAME: &str = "rollcall-worker observed";
/// How many messages are taken ahead; each holds what an api has observed in a second.
const AHEAD: u16 = 10;
/// How often what is too old is looked for.
const SWEEP: Duration = Duration::from_mins(10);

/// A message that comes again changes nothing.
const INSERT: &str = "
    INSERT INTO requests (
        organization_id, id, at, micros, method, path, query, meaning, subject, subject_id, status, scim_type, detail, txn, token_id, label, address, user_agent,
        request_body, response_body
    )
    SELECT
        organization_id, id, at, micros, method, path, query, meaning, subject, subject_id, status, scim_type, detail, txn, token_id, label, address, user_agent,
        request_body, response_body
    FROM jsonb_to_recordset($1) AS r (
        organization_id uuid, id uuid, at timestamptz, micros bigint, method text, path text, query text, meaning text, subject text, subject_id uuid,
        status smallint, scim_type text, detail text, txn uuid, token_id uuid, label text, address text, user_agent text,
        request_body text, response_body text
    )
    ON CONFLICT DO NOTHING";

/// So many at a time, so that nobody waits for it.
const DELETE: &str =
    "DELETE FROM requests WHERE ctid = ANY (ARRAY (SELECT ctid FROM requests WHERE at < now() - make_interval(days => $1) LIMIT 10000))";

/// Bodies go before the rest does.
const CLEAR: &str = "
    UPDATE requests SET request_body = NULL, response_body = NULL
    WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM requests WHERE (request_body IS NOT NULL OR response_body IS NOT NULL) AND at < now() - make_interval(days => $1) LIMIT 10000
    ))";

/// Keeps and lets go until `stop`.
pub(crate) async fn keep_observed(settings: Arc<Settings>, stop: CancellationToken) {
    keep("observed calls", &stop, async || run(&settings, &stop).await).await;
}

async fn run(settings: &Settings, stop: &CancellationToken) -> Result<(), RunError> {
    let client = connect(&settings.database_url, NAME).await.map_err(StoreError::from)?;
    let properties = ConnectionProperties::default().with_connection_name(NAME.into());
    let connection = Connection::connect(settings.amqp_url.expose_secret(), properties).await?;
    let mut consumer = consume(&connection, settings.partitions).await?;
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = sweep.tick() => let_go(&client, settings).await?,
            delivery = consumer.next() => take_in(&client, delivery.ok_or(RunError::ConsumerClosed)??).await?,
        }
    }
    close(&connection).await;
    Ok(())
}

async fn consume(connection: &Connection, partitions: u16) -> Result<Consumer, lapin::Error> {
    let channel = connection.create_channel().await?;
    topology::declare(&channel, partitions).await?;
    channel.basic_qos(AHEAD, BasicQosOptions::default()).await?;
    channel.basic_consume(OBSERVED.into(), NAME.into(), BasicConsumeOptions::default(), FieldTable::default()).await
}

async fn take_in(client: &Client, delivery: Delivery) -> Result<(), RunError> {
    match serde_json::from_slice::<Vec<ObservedCall>>(&delivery.data) {
        Ok(calls) => match client.execute(INSERT, &[&Json(&calls)]).await.map_err(StoreError::from) {
            Ok(_) => {}
            // The same calls would be refused again and again.
            Err(error) if error.is_lasting() => tracing::warn!(%error, calls = calls.len(), "observed calls cannot be kept"),
            Err(error) => return Err(error.into()),
        },
        Err(error) => tracing::warn!(%error, "observed calls cannot be read; are api and worker of the same version?"),
    }
    delivery.acker.ack(BasicAckOptions::default()).await?;
    Ok(())
}

async fn let_go(client: &Client, settings: &Settings) -> Result<(), RunError> {
    for (sql, days) in [(DELETE, settings.observed_days), (CLEAR, settings.observed_body_days)] {
        while client.execute(sql, &[&i32::from(days)]).await.map_err(StoreError::from)? > 0 {}
    }
    Ok(())
}
