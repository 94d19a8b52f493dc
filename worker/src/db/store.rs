//! The worker's connections to Postgres, with every statement prepared. A partition has one that writes, and one that
//! reads for the next batch.

use std::collections::HashMap;
use std::error::Error;
use std::future::poll_fn;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc::{self, Receiver};
use tokio_postgres::types::{IsNull, ToSql, Type, accepts, to_sql_checked};
use tokio_postgres::{AsyncMessage, Client, NoTls, Row};

use super::error::{StoreError, describe};
use super::parameter::Parameter;
use crate::wait::within;

/// Maximum time of a round trip. The server cancels a statement earlier (`statement_timeout`), so this is for
/// a server that does not answer at all.
pub(super) const ROUND_TRIP: Duration = Duration::from_secs(90);

/// Maximum time of a connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The worker only looks up keys, and planning each batch again would cost more than running it. A lock that
/// another session holds for long, as a replay does, is waited for in short turns, so that the error names
/// the lock.
const SESSION: &str =
    "SET statement_timeout = '60s'; SET lock_timeout = '10s'; SET jit = off; SET plan_cache_mode = force_generic_plan;
    SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";

/// Lets queries read whole tables, until the end of the transaction.
const WHOLE_TABLES: &str =
    "SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on;
    SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on";
/// Maximum number of notifications that wait for the listener.
const BACKLOG: usize = 1024;

/// The statements that begin and end a transaction.
pub(super) const TRANSACTION: [&str; 3] = ["BEGIN", "COMMIT", "ROLLBACK"];

/// The number of batches that this process has begun to write, on all connections.
static BATCHES: AtomicU64 = AtomicU64::new(0);
/// The number of connections that this process has opened.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// A connection that is ready to apply batches.
pub(crate) struct Store {
    /// Distinguishes the connections of this process.
    id: u64,
    pub(super) client: Client,
    pub(super) statements: HashMap<&'static str, tokio_postgres::Statement>,
    /// The number of batches when this connection was opened.
    opened_at: u64,
    /// The number of batches since then when the plans were discarded last.
    planned_at: AtomicU64,
    /// Whether statements run without a time limit.
    is_patient: AtomicBool,
}

/// A seq or a size as a Postgres `bigint`.
pub(crate) fn seq_column(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn config(url: &SecretString, name: &str) -> Result<tokio_postgres::Config, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::from_str(url.expose_secret())?;
    config
        .application_name(name)
        .connect_timeout(CONNECT_TIMEOUT)
        .keepalives_idle(Duration::from_secs(30))
        .tcp_user_timeout(Duration::from_mins(1));
    Ok(config)
}

/// Opens a connection. A background task drives it until either side closes it.
///
/// # Errors
/// If the URL is malformed or the server cannot be reached.
pub(crate) async fn connect(url: &SecretString, name: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config(url, name)?.connect(NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(error = describe(&error), "a connection to postgres ended");
        }
    });
    Ok(client)
}

/// A connection that listens on a channel.
pub(crate) struct Listener {
    /// The connection, for queries.
    pub(crate) client: Client,
    /// The notifications of the channel. It ends with the connection.
    pub(crate) notifications: Receiver<String>,
}

impl Listener {
    /// Connects and listens on a channel.
    ///
    /// # Errors
    /// If the server cannot be reached.
    pub(crate) async fn open(url: &SecretString, name: &str, channel: &str) -> Result<Self, tokio_postgres::Error> {
        let (client, mut connection) = config(url, name)?.connect(NoTls).await?;
        let (sender, notifications) = mpsc::channel(BACKLOG);
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(notification) = message {
                    // If the buffer is full, the notification is lost. Listeners also check at intervals.
                    let _ = sender.try_send(notification.payload().to_owned());
                }
            }
        });
        client.batch_execute(&format!("LISTEN {channel}")).await?;
        Ok(Self { client, notifications })
    }
}

impl Store {
    /// Connects and prepares the given statements, and those that begin and end a transaction. Tables are
    /// resolved in the schemas of `search_path`, in order.
    ///
    /// # Errors
    /// If the server cannot be reached, or a statement names a missing table or column.
    pub(crate) async fn connect(
        url: &SecretString,
        name: &str,
        search_path: &str,
        statements: impl Iterator<Item = &'static str>,
    ) -> Result<Self, StoreError> {
        let client = connect(url, name).await?;
        client.batch_execute(&format!("{SESSION}; SET search_path = {search_path}")).await?;
        let mut prepared = HashMap::new();
        for sql in TRANSACTION.into_iter().chain(statements) {
            prepared.insert(sql, client.prepare(sql).await?);
        }
        Ok(Self {
            id: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
            client,
            statements: prepared,
            opened_at: BATCHES.load(Ordering::Relaxed),
            planned_at: AtomicU64::new(0),
            is_patient: AtomicBool::new(false),
        })
    }

    /// The number of this connection. No other one of this process has it.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whether the connection is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Discards the query plans from time to time. Call it before the statements of a batch.
    ///
    /// While a table is empty, all its indexes cost the same, and a plan may then use an index that shares
    /// only the organization with the look-up. So plans are discarded whenever the number of batches that this process
    /// has written since it opened the connection has doubled.
    pub(crate) async fn renew_plans(&self) -> Result<(), StoreError> {
        let batches = BATCHES.load(Ordering::Relaxed) - self.opened_at;
        if batches < 2 * self.planned_at.load(Ordering::Relaxed).max(1) {
            return Ok(());
        }
        self.planned_at.store(batches, Ordering::Relaxed);
        self.command("DISCARD PLANS").await
    }

    /// Counts a batch that is about to be written.
    pub(crate) fn count_batch() {
        BATCHES.fetch_add(1, Ordering::Relaxed);
    }

    /// Runs statements without parameters, such as COMMIT.
    pub(crate) async fn command(&self, sql: &str) -> Result<(), StoreError> {
        self.bounded(self.client.batch_execute(sql)).await
    }

    /// Plans the rest of the transaction for whole tables, and lifts the time limits.
    pub(crate) async fn plan_for_whole_tables(&self) -> Result<(), StoreError> {
        self.is_patient.store(true, Ordering::Relaxed);
        self.command(WHOLE_TABLES).await
    }

    /// Runs a query that is not prepared.
    pub(crate) async fn query_once(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        self.bounded(self.client.query(sql, parameters)).await
    }

    /// Runs a prepared query.
    pub(crate) async fn query(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        match self.statements.get(sql) {
            Some(statement) => self.bounded(self.client.query(statement, parameters)).await,
            None => self.bounded(self.client.query(sql, parameters)).await,
        }
    }

    /// Waits for an answer for a limited time, because a server that hangs keeps its connections open.
    async fn bounded<T>(
        &self,
        coming: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StoreError> {
        if self.is_patient.load(Ordering::Relaxed) {
            return Ok(coming.await?);
        }
        Ok(within("an answer of postgres", ROUND_TRIP, coming).await??)
    }

    /// Runs a prepared query in a pipeline. Preparing it here would break the order.
    pub(super) async fn run_prepared(
        &self,
        sql: &'static str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let statement = self.statements.get(sql).ok_or(StoreError::NotPrepared(sql))?;
        Ok(self.client.query(statement, parameters).await?)
    }
}

/// JSON text for a `jsonb` parameter.
#[derive(Debug)]
pub(crate) struct RawJson(pub(crate) Vec<u8>);

impl ToSql for RawJson {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        // The version of jsonb's binary format.
        out.put_u8(1);
        out.put_slice(&self.0);
        Ok(IsNull::No)
    }

    accepts!(JSONB);
    to_sql_checked!();
}

/// An array as Postgres writes it: `{"a","b"}`. `unnest` flattens an array of arrays completely, so an array
/// inside a row is sent as text.
pub(crate) fn array_text(values: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut text = String::from("{");
    for value in values {
        if text.len() > 1 {
            text.push(',');
        }
        text.push('"');
        for character in value.as_ref().chars() {
            if matches!(character, '"' | '\\') {
                text.push('\\');
            }
            text.push(character);
        }
        text.push('"');
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_quoted_as_postgres_quotes_it() {
        assert_eq!(array_text(["a", "b,c", "", "NULL", r#"q"\b"#]), r#"{"a","b,c","","NULL","q\"\\b"}"#);
        assert_eq!(array_text([] as [&str; 0]), "{}");
    }
}
