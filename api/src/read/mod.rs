//! Reads from Postgres, as a role that can do nothing else. Every query has the organisation in it.

mod cursor;
mod events;
mod feed;
mod filter_sql;
mod find;
mod follow;
mod list;
mod log;
mod memberships;
mod operations;
mod organizations;
mod partitions;
mod places;
mod requests;
mod sessions;
mod table;
mod timeline;
mod tokens;
mod tree;
mod version;
mod workspaces;

pub(crate) use events::{LogEntry, find_event};
pub(crate) use feed::{find_stream, next_changes};
pub(crate) use find::{complete, find_by_id, find_by_key};
pub(crate) use follow::{Followers, Following, Growth, Heard};
pub(crate) use list::{ListError, ListQuery, Listed, Walks, list, single};
pub(crate) use log::{Condition, Order, from_network, known_as, last_entries_of_users, log_entries, log_size, users_named};
pub(crate) use memberships::{Belonging, belongings};
pub(crate) use operations::{
    DeadLetter, LATENCY_BUCKETS, Latency, ReplayState, Replayed, Standing, dead_letter_count, dead_letters, expiring_tokens, latencies,
    replayed, standing,
};
pub(crate) use organizations::organization_names;
pub(crate) use partitions::{Oldest, Told, partitions};
pub(crate) use places::{
    COUNTED, ListedGroup, ListedWorkspace, WorkspaceMember, group_mapping, list_groups, list_workspaces, workspace_members,
};
pub(crate) use requests::{FoundCall, Wanted, find_call, find_calls, recording};
pub(crate) use sessions::{FoundLink, Who, find_link, find_session, session_lasts};
pub(crate) use table::{GROUPS, Table, USERS};
pub(crate) use timeline::{KINDS, Moment, log_timeline};
pub(crate) use tokens::{ListedToken, find_token, list_tokens};
pub(crate) use tree::{checkpoint, roots};
pub(crate) use workspaces::{first_workspaces, named_workspaces, workspaces_named};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use rollcall_scim::{ScimError, ScimType};
use rollcall_service::entries::MalformedEntry;
use secrecy::{ExposeSecret, SecretString};
use std::str::FromStr;
use std::time::Duration;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Connection, NoTls, Row, Socket};

use crate::error::ApiError;

const CONNECT: Duration = Duration::from_secs(3);
/// How long a call may wait for a connection of the pool.
const WAIT: Duration = Duration::from_secs(2);
/// No read may run longer.
const SESSION: &str = "-c statement_timeout=5s -c jit=off -c enable_seqscan=off";
/// After how many uses of a connection its plans are made anew at the latest.
const PLANS_KEPT: usize = 4096;

/// A pool of connections with prepared statements.
#[derive(Clone)]
pub(crate) struct Database {
    pool: Pool,
    config: Config,
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// Postgres refused or is away.
    #[error("postgres: {0}")]
    Postgres(#[from] tokio_postgres::Error),
    /// No connection could be had in time.
    #[error("no connection to postgres: {0}")]
    Pool(#[from] PoolError),
    /// What another call that asked for the same was told.
    #[error("{0}")]
    Shared(String),
    /// What is stored does not have the form that it needs.
    #[error("{0}")]
    Malformed(String),
}

impl From<MalformedEntry> for ReadError {
    fn from(error: MalformedEntry) -> Self {
        match error {
            MalformedEntry::Column(error) => Self::Postgres(error),
            unknown @ MalformedEntry::Unknown(_) => Self::Malformed(unknown.to_string()),
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Malformed(reason) => Self::Internal(reason),
            ReadError::Postgres(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => ApiError::Scim(ScimError::bad_request(
                ScimType::TooMany,
                "the query takes too long; narrow it down, by an attribute that is unique, a time or a subject",
            )),
            error => {
                tracing::warn!(%error, "a read failed");
                Self::Unavailable("postgres")
            }
        }
    }
}

impl ReadError {
    /// The error of a read that belongs to a change that is committed: nothing of it may sound as if the change was refused.
    pub(crate) fn after_a_change(self) -> ApiError {
        match ApiError::from(self) {
            error @ ApiError::Internal(_) => error,
            _ => ApiError::Unsettled("postgres"),
        }
    }
}

impl Database {
    /// Sets the pool up; the first connection is made when it is needed.
    ///
    /// # Errors
    /// Where the address is malformed.
    pub(crate) fn new(url: &SecretString, connections: u16) -> Result<Self, String> {
        let mut config = Config::from_str(url.expose_secret()).map_err(|error| error.to_string())?;
        let options = config.get_options().map_or_else(String::new, |options| format!("{options} ")) + SESSION;
        config.application_name("rollcall-api").options(options).connect_timeout(CONNECT).tcp_user_timeout(Duration::from_secs(10));
        let manager = Manager::from_config(config.clone(), NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(connections.into())
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(CONNECT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { pool, config })
    }

    /// A connection of one's own, to be driven by whoever asked for it.
    pub(crate) async fn connect(&self) -> Result<(Client, Connection<Socket, NoTlsStream>), ReadError> {
        Ok(self.config.connect(NoTls).await?)
    }

    /// Runs a prepared query.
    pub(crate) async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, ReadError> {
        let client = self.pool.get().await?;
        // A plan made while a table was empty, when all indexes cost the same, must not outlive that for long.
        let uses = Object::metrics(&client).recycle_count;
        if uses.is_power_of_two() || uses.is_multiple_of(PLANS_KEPT) {
            client.batch_execute("DISCARD PLANS").await?;
        }
        let statement = client.prepare_cached(sql).await?;
        Ok(client.query(&statement, parameters).await?)
    }

    /// Runs a query that was made for one call, in one round trip.
    async fn query_typed(&self, sql: &str, parameters: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Row>, ReadError> {
        Ok(self.pool.get().await?.query_typed(sql, parameters).await?)
    }

    /// Runs a prepared query that gives one row at the most.
    pub(crate) async fn query_opt(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, ReadError> {
        Ok(self.query(sql, parameters).await?.into_iter().next())
    }
}
