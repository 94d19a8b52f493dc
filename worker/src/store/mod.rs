//! The worker's connection to Postgres: one per partition, with every statement prepared.

mod error;
mod probe;
pub(crate) mod rows;
mod statement;

pub(crate) use error::{Remedy, StoreError};
pub(crate) use rows::rows;
pub(crate) use statement::{Ending, Parameter, Statement, StatementBatch};

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

use crate::wait::within;
use error::describe;

/// How long a round trip may take. The server gives a statement up earlier (`statement_timeout`), so this is for a server that does not answer at all.
const ROUND_TRIP: Duration = Duration::from_secs(90);

/// How long to try to reach the server before a connection attempt has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Key look-ups are all that the worker reads, and to plan every batch anew would cost more than to run it. A lock that somebody else holds for long, as a replay does,
/// is waited for in short turns: the error says that it is a lock.
const SESSION: &str = "SET statement_timeout = '60s'; SET lock_timeout = '10s'; SET jit = off; SET plan_cache_mode = force_generic_plan;
    SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";

/// How queries over many rows are planned until the end of a transaction.
const WHOLE_TABLES: &str =
    "SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on; SET LOCAL enable_hashjoin = on;
    SET LOCAL enable_mergejoin = on";
/// How many notifications may wait for whoever listens.
const BACKLOG: usize = 1024;

/// What begins and ends a transaction, prepared like everything else.
const TRANSACTION: [&str; 3] = ["BEGIN", "COMMIT", "ROLLBACK"];

/// A connection that is ready to apply batches.
pub(crate) struct Store {
    client: Client,
    statements: HashMap<&'static str, tokio_postgres::Statement>,
    batches: AtomicU64,
    /// Whether a statement may take as long as it takes.
    is_patient: AtomicBool,
}

/// A place in a log, or its size, as the database counts.
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

/// Opens a connection and drives it in the background until either side closes it.
///
/// # Errors
/// Where the address is malformed or the server cannot be reached.
pub(crate) async fn connect(url: &SecretString, name: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config(url, name)?.connect(NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(error = describe(&error), "a connection to postgres ended");
        }
    });
    Ok(client)
}

/// A connection that hears what is told on a channel.
pub(crate) struct Listener {
    /// The connection, for queries.
    pub(crate) client: Client,
    /// What is told on the channel; ends with the connection.
    pub(crate) told: Receiver<String>,
}

impl Listener {
    /// Connects and listens.
    ///
    /// # Errors
    /// Where the server cannot be reached.
    pub(crate) async fn open(url: &SecretString, name: &str, channel: &str) -> Result<Self, tokio_postgres::Error> {
        let (client, mut connection) = config(url, name)?.connect(NoTls).await?;
        let (tell, told) = mpsc::channel(BACKLOG);
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(notification) = message {
                    // One that finds no room is lost: whoever listens looks for itself from time to time.
                    let _ = tell.try_send(notification.payload().to_owned());
                }
            }
        });
        client.batch_execute(&format!("LISTEN {channel}")).await?;
        Ok(Self { client, told })
    }
}

impl Store {
    /// Connects and prepares statements, besides those that begin and end a transaction. Tables are looked for in the schemas of `search_path`, in their order.
    ///
    /// # Errors
    /// Where the server cannot be reached, or a table or column that a statement names is not there.
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
        Ok(Self { client, statements: prepared, batches: AtomicU64::new(0), is_patient: AtomicBool::new(false) })
    }

    /// Whether the connection is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Has plans made anew now and then, at the beginning of a batch.
    ///
    /// While a table is empty all its indexes cost the same, and a plan made then may look through one that has only the organization in
    /// common with the look-up. So plans are made anew whenever the number of batches has doubled: since all events of an organization
    /// come through one connection, no plan is older than half of what it looks through.
    pub(crate) async fn renew_plans(&self) -> Result<(), StoreError> {
        let batches = self.batches.fetch_add(1, Ordering::Relaxed) + 1;
        if batches.is_power_of_two() { self.command("DISCARD PLANS").await } else { Ok(()) }
    }

    /// Runs statements without parameters, such as COMMIT.
    pub(crate) async fn command(&self, sql: &str) -> Result<(), StoreError> {
        self.bounded(self.client.batch_execute(sql)).await
    }

    /// Has what follows in the transaction planned for whole tables, and takes as long as it takes.
    pub(crate) async fn plan_for_whole_tables(&self) -> Result<(), StoreError> {
        self.is_patient.store(true, Ordering::Relaxed);
        self.command(WHOLE_TABLES).await
    }

    /// Runs a query that was made for once.
    pub(crate) async fn query_once(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        self.bounded(self.client.query(sql, parameters)).await
    }

    /// Runs a prepared query.
    pub(crate) async fn query(&self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        match self.statements.get(sql) {
            Some(statement) => self.bounded(self.client.query(statement, parameters)).await,
            None => self.bounded(self.client.query(sql, parameters)).await,
        }
    }

    /// Waits for an answer, but not without end: a server that hangs keeps its connections.
    async fn bounded<T>(&self, coming: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, StoreError> {
        if self.is_patient.load(Ordering::Relaxed) {
            return Ok(coming.await?);
        }
        Ok(within("an answer of postgres", ROUND_TRIP, coming).await??)
    }

    /// Runs a prepared query in a batch. One that would have to be prepared first would lose its place.
    async fn run_prepared(&self, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, StoreError> {
        let statement = self.statements.get(sql).ok_or(StoreError::NotPrepared(sql))?;
        Ok(self.client.query(statement, parameters).await?)
    }
}

/// JSON that is written already, for a jsonb parameter.
#[derive(Debug)]
pub(crate) struct RawJson(pub(crate) Vec<u8>);

impl ToSql for RawJson {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        // The version of jsonb's binary form.
        out.put_u8(1);
        out.put_slice(&self.0);
        Ok(IsNull::No)
    }

    accepts!(JSONB);
    to_sql_checked!();
}

/// An array as Postgres writes one: `{"a","b"}`. An array of arrays cannot be unnested by one level, so arrays that belong to a row travel as text.
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
