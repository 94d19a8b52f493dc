//! The worker's connection to Postgres: one per partition, with every statement prepared.

use std::collections::HashMap;
use std::future::poll_fn;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use secrecy::{ExposeSecret, SecretString};
use std::error::Error;
use tokio::sync::mpsc::{self, Receiver};
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::types::{IsNull, ToSql, Type, accepts, to_sql_checked};
use tokio_postgres::{AsyncMessage, Client, NoTls, Row, Statement};

use crate::decide::MalformedFact;
use crate::{load, news, positions, project, record, tiles};
use rollcall_events::log::{InvalidRange, NotCanonical};

/// How long to try to reach the server before a connection attempt has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Key look-ups are all that the worker reads, and to plan every batch anew would cost more than to run it.
const SESSION: &str = "SET statement_timeout = '60s'; SET jit = off; SET plan_cache_mode = force_generic_plan;
    SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";

/// How queries over many rows are planned until the end of a transaction.
const WHOLE_TABLES: &str =
    "SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on; SET LOCAL enable_hashjoin = on;
    SET LOCAL enable_mergejoin = on";
/// How many notifications may wait for whoever listens.
const BACKLOG: usize = 1024;

/// A connection that is ready to apply batches.
pub(crate) struct Store {
    client: Client,
    statements: HashMap<&'static str, Statement>,
    batches: AtomicU64,
}

/// Why a batch could not be applied. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Postgres refused or could not be reached.
    #[error("postgres: {}", describe(.0))]
    Postgres(tokio_postgres::Error),
    /// Somebody else has appended to a log since its head was read, or has mended what it adds up to.
    #[error("a log has moved on since it was read")]
    Overtaken,
    /// A log head does not make sense.
    #[error(transparent)]
    Head(#[from] InvalidRange),
    /// A fact cannot be hashed.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
    /// A fact cannot be projected.
    #[error(transparent)]
    Malformed(#[from] MalformedFact),
    /// There is no randomness for a salt.
    #[error("the operating system gives no random bytes: {0}")]
    NoRandomness(#[from] getrandom::Error),
    /// What is stored cannot be read.
    #[error("a stored value cannot be read: {0}")]
    Unreadable(String),
    /// Somebody else replays.
    #[error("another replay or verification is running")]
    Busy,
    /// The decision itself failed.
    #[error("the decision panicked")]
    Panicked,
}

/// A server's message without its detail, which can hold the values of a row.
fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(refusal) => format!("{} ({})", refusal.message(), refusal.code().code()),
        None => error.to_string(),
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let is_overtaken = |refusal: &DbError| *refusal.code() == SqlState::NOT_NULL_VIOLATION && refusal.table() == Some("log_heads");
        if error.as_db_error().is_some_and(is_overtaken) { Self::Overtaken } else { Self::Postgres(error) }
    }
}

impl StoreError {
    /// Whether something that a batch would add is there already.
    pub(crate) fn is_repeat(&self) -> bool {
        matches!(self, Self::Postgres(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION))
    }

    /// Whether the same batch would fail again however often it is tried, because of something that is in it.
    pub(crate) fn is_lasting(&self) -> bool {
        match self {
            Self::Postgres(error) => match error.code() {
                // Data exceptions, integrity violations, limits exceeded.
                Some(code) => ["22", "23", "54"].contains(&class(code)),
                // Not closed and without a code: a parameter that could not be encoded.
                None => !error.is_closed() && error.to_string().contains("serializing parameter"),
            },
            Self::NotCanonical(_) | Self::Malformed(_) | Self::Panicked => true,
            Self::Overtaken | Self::Head(_) | Self::NoRandomness(_) | Self::Unreadable(_) | Self::Busy => false,
        }
    }
}

/// A place in a log, or its size, as the database counts.
pub(crate) fn place(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn class(code: &SqlState) -> &str {
    code.code().get(..2).unwrap_or_default()
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
    /// Connects and prepares every statement.
    ///
    /// # Errors
    /// Where the server cannot be reached or the schema is not there yet.
    pub(crate) async fn connect(url: &SecretString, name: &str) -> Result<Self, StoreError> {
        Self::connect_in(url, name, "rollcall").await
    }

    /// The same in other schemas: what a statement names is looked for in them in turn.
    ///
    /// # Errors
    /// Where the server cannot be reached or something that is named is not there.
    pub(crate) async fn connect_in(url: &SecretString, name: &str, search_path: &str) -> Result<Self, StoreError> {
        let client = connect(url, name).await?;
        client.batch_execute(&format!("{SESSION}; SET search_path = {search_path}")).await?;
        let mut statements = HashMap::new();
        for sql in load::STATEMENTS
            .into_iter()
            .flatten()
            .chain(record::STATEMENTS)
            .chain(tiles::STATEMENTS)
            .chain(positions::STATEMENTS)
            .chain(news::STATEMENTS)
            .chain(project::STATEMENTS.into_iter().flatten())
        {
            statements.insert(*sql, client.prepare(sql).await?);
        }
        Ok(Self { client, statements, batches: AtomicU64::new(0) })
    }

    /// Whether the connection is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Has plans made anew now and then, at the beginning of a batch.
    ///
    /// While a table is empty all its indexes cost the same, and a plan made then may look through one that has only the organisation in
    /// common with the look-up. So plans are made anew whenever the number of batches has doubled: since all events of an organisation
    /// come through one connection, no plan is older than half of what it looks through.
    pub(crate) async fn renew_plans(&self) -> Result<(), StoreError> {
        let batches = self.batches.fetch_add(1, Ordering::Relaxed) + 1;
        if batches.is_power_of_two() { self.command("DISCARD PLANS").await } else { Ok(()) }
    }

    /// Runs statements without parameters, such as COMMIT.
    pub(crate) async fn command(&self, sql: &str) -> Result<(), StoreError> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Has what follows in the transaction planned for whole tables, and takes as long as it takes.
    pub(crate) async fn plan_for_whole_tables(&self) -> Result<(), StoreError> {
        self.command(WHOLE_TABLES).await
    }

    /// Runs a query that was made for once.
    pub(crate) async fn query_once(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        Ok(self.client.query(sql, parameters).await?)
    }

    /// Runs a prepared query. Several that are polled together go to the server in one round trip, in the order of their first poll.
    pub(crate) async fn query(&self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        match self.statements.get(sql) {
            Some(statement) => Ok(self.client.query(statement, parameters).await?),
            None => Ok(self.client.query(sql, parameters).await?),
        }
    }

    /// Runs a prepared query where there is something for it to do.
    pub(crate) async fn query_if(
        &self,
        needed: bool,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        if needed { self.query(sql, parameters).await } else { Ok(Vec::new()) }
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
