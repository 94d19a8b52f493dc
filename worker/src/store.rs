//! The worker's connection to Postgres: one per partition, with every statement prepared.

use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, Statement};

use crate::decide::MalformedFact;
use crate::{load, project, record};
use rollcall_events::log::{InvalidRange, NotCanonical};

/// How long to try to reach the server before a connection attempt has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Key look-ups are all that the worker reads. A plan made while a table was empty must not become a scan of it once it is full.
const SESSION: &str =
    "SET statement_timeout = '60s'; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off";

/// A connection that is ready to apply batches.
pub(crate) struct Store {
    client: Client,
    statements: HashMap<&'static str, Statement>,
}

/// Why a batch could not be applied. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Postgres refused or could not be reached.
    #[error("postgres: {}", describe(.0))]
    Postgres(#[from] tokio_postgres::Error),
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

impl StoreError {
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
            Self::Head(_) | Self::NoRandomness(_) | Self::Unreadable(_) => false,
        }
    }
}

fn class(code: &SqlState) -> &str {
    code.code().get(..2).unwrap_or_default()
}

/// Opens a connection and drives it in the background until either side closes it.
///
/// # Errors
/// Where the address is malformed or the server cannot be reached.
pub(crate) async fn connect(url: &SecretString, name: &str) -> Result<Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::from_str(url.expose_secret())?;
    config
        .application_name(name)
        .connect_timeout(CONNECT_TIMEOUT)
        .keepalives_idle(Duration::from_secs(30))
        .tcp_user_timeout(Duration::from_mins(1));
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(error = describe(&error), "a connection to postgres ended");
        }
    });
    Ok(client)
}

impl Store {
    /// Connects and prepares every statement.
    ///
    /// # Errors
    /// Where the server cannot be reached or the schema is not there yet.
    pub(crate) async fn connect(url: &SecretString, name: &str) -> Result<Self, StoreError> {
        let client = connect(url, name).await?;
        client.batch_execute(SESSION).await?;
        let mut statements = HashMap::new();
        for sql in load::STATEMENTS.iter().chain(record::STATEMENTS).chain(project::STATEMENTS) {
            statements.insert(*sql, client.prepare(sql).await?);
        }
        Ok(Self { client, statements })
    }

    /// Whether the connection is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs a statement without parameters, such as BEGIN.
    pub(crate) async fn command(&self, sql: &'static str) -> Result<(), StoreError> {
        Ok(self.client.batch_execute(sql).await?)
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
