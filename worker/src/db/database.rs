//! Connections of background tasks and commands. Every statement has a time limit, in the server and in the
//! client.

use lapin::{Connection, ConnectionProperties};
use rollcall_events::log::checkpoint::InvalidCheckpoint;
use rollcall_queue::publish::PublishError;
use secrecy::{ExposeSecret, SecretString};
use std::io;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use super::{StoreError, connect};
use crate::log::signer::SignerFileError;
use crate::wait::{ANSWER, OPEN, STATEMENT, TimedOut, within};

/// The server's limits are shorter than the client's, so a slow statement fails in the server first.
const SESSION: &str =
    "SET statement_timeout = '30s'; SET lock_timeout = '20s'; SET idle_in_transaction_session_timeout = '2min'";

/// Number of rows per page of a long result.
const PAGE: i32 = 1000;

/// The reason why a background task or a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TaskError {
    /// Postgres refused a statement or could not be reached.
    #[error("postgres: {}", describe(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// `RabbitMQ` refused a command or could not be reached.
    #[error("rabbitmq: {0}")]
    Broker(#[from] lapin::Error),
    /// A server hangs.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// The broker ended the consumer.
    #[error("rabbitmq closed the queue's consumer")]
    ConsumerClosed,
    /// The connection that receives notifications ended.
    #[error("the connection to postgres ended")]
    Closed,
    /// The broker did not confirm a message.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A checkpoint cannot be signed.
    #[error(transparent)]
    Checkpoint(#[from] InvalidCheckpoint),
    /// TLS cannot be set up.
    #[error("the system's certificates cannot be read: {0}; is the package ca-certificates installed?")]
    Certificates(#[from] io::Error),
    /// A computation panicked.
    #[error("a computation failed: {0}")]
    ComputationFailed(#[from] tokio::task::JoinError),
    /// A stored value is malformed.
    #[error("{0}")]
    Unreadable(String),
    /// The signer file cannot be used.
    #[error(transparent)]
    SignerFile(#[from] SignerFileError),
    /// The partition's connection failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The server's message without its detail, which can contain values of a row.
fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(refusal) => format!("{} ({})", refusal.message(), refusal.code().code()),
        None => error.to_string(),
    }
}

impl TaskError {
    /// Whether the failure is an outage of a server, its connection or its resources. Other failures concern
    /// one row or message, and the next one may succeed.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            // The SQLSTATE classes cover connections, resources, operator intervention, system errors and
            // rollbacks, and also missing privileges or objects after a bad upgrade.
            Self::Postgres(error) => error.code().map_or(error.is_closed(), is_outage_code),
            Self::Publish(error) => matches!(error, PublishError::Broker(_) | PublishError::TimedOut(_)),
            Self::Unreadable(_) | Self::Checkpoint(_) | Self::ComputationFailed(_) | Self::SignerFile(_) => false,
            Self::Broker(_)
            | Self::TimedOut(_)
            | Self::ConsumerClosed
            | Self::Closed
            | Self::Certificates(_)
            | Self::Store(_) => true,
        }
    }
}

fn is_outage_code(code: &SqlState) -> bool {
    let code = code.code();
    ["08", "40", "53", "55", "57", "58", "42", "25", "3D", "3F"].iter().any(|class| code.starts_with(class))
}

/// A connection to Postgres that limits the time of every statement.
pub(crate) struct Database {
    client: Client,
}

impl Database {
    /// Connects.
    ///
    /// # Errors
    /// If the address is malformed, or the server refuses the connection.
    pub(crate) async fn open(url: &SecretString, name: &str) -> Result<Self, TaskError> {
        let client = within("a connection to postgres", OPEN, connect(url, name)).await??;
        Self::bounded(client).await
    }

    /// Sets the time limits of a connection.
    ///
    /// # Errors
    /// If Postgres fails.
    pub(crate) async fn bounded(client: Client) -> Result<Self, TaskError> {
        let database = Self { client };
        database.batch(SESSION).await?;
        Ok(database)
    }

    /// Runs a query.
    ///
    /// # Errors
    /// If Postgres refuses, or does not answer in time.
    pub(crate) async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, TaskError> {
        Ok(within("an answer of postgres", STATEMENT, self.client.query(sql, parameters)).await??)
    }

    /// Runs a query that returns at most one row.
    ///
    /// # Errors
    /// If Postgres refuses, or does not answer in time.
    pub(crate) async fn query_opt(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, TaskError> {
        Ok(within("an answer of postgres", STATEMENT, self.client.query_opt(sql, parameters)).await??)
    }

    /// Runs a statement. Returns the number of affected rows.
    ///
    /// # Errors
    /// If Postgres refuses, or does not answer in time.
    pub(crate) async fn execute(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64, TaskError> {
        Ok(within("an answer of postgres", STATEMENT, self.client.execute(sql, parameters)).await??)
    }

    /// Runs statements without parameters.
    ///
    /// # Errors
    /// If Postgres refuses, or does not answer in time.
    pub(crate) async fn batch(&self, sql: &str) -> Result<(), TaskError> {
        Ok(within("an answer of postgres", STATEMENT, self.client.batch_execute(sql)).await??)
    }

    /// Runs a query with any number of rows, and reads them page by page.
    ///
    /// # Errors
    /// If Postgres refuses or does not answer in time, or `take` fails.
    pub(crate) async fn pages(
        &mut self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
        mut take: impl FnMut(&Row) -> Result<(), TaskError>,
    ) -> Result<(), TaskError> {
        let transaction = within("an answer of postgres", STATEMENT, self.client.transaction()).await??;
        let portal = within("an answer of postgres", STATEMENT, transaction.bind(sql, parameters)).await??;
        loop {
            let rows = within("an answer of postgres", STATEMENT, transaction.query_portal(&portal, PAGE)).await??;
            rows.iter().try_for_each(&mut take)?;
            if rows.is_empty() {
                return Ok(());
            }
        }
    }

    /// Runs `work` in a transaction.
    ///
    /// # Errors
    /// If Postgres refuses, or `work` fails.
    pub(crate) async fn in_transaction<T>(
        &self,
        work: impl Future<Output = Result<T, TaskError>>,
    ) -> Result<T, TaskError> {
        self.batch("BEGIN").await?;
        match work.await {
            Ok(done) => self.batch("COMMIT").await.map(|()| done),
            Err(error) => {
                // After an outage the connection is dropped, and the transaction with it.
                if !matches!(error, TaskError::TimedOut(_)) && !self.client.is_closed() {
                    let _ = self.batch("ROLLBACK").await;
                }
                Err(error)
            }
        }
    }
}

/// Connects to `RabbitMQ`.
///
/// # Errors
/// If the address is malformed, or the broker refuses the connection.
pub(crate) async fn broker(url: &SecretString, name: &str) -> Result<Connection, TaskError> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    Ok(within("a connection to rabbitmq", OPEN, Connection::connect(url.expose_secret(), properties)).await??)
}

/// Waits for a response of the broker.
///
/// # Errors
/// If the broker refuses, or does not answer in time.
pub(crate) async fn answered<T>(coming: impl Future<Output = Result<T, lapin::Error>>) -> Result<T, TaskError> {
    Ok(within("an answer of rabbitmq", ANSWER, coming).await??)
}
