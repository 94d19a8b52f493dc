//! Connections to Postgres: pools by purpose, a fair share for each organization, and a limit on every wait.
//!
//! There is one pool for authentication, one for point reads, and one for queries whose cost a caller
//! chooses. So costly queries delay neither authentication nor writes. In the last two pools, an organization
//! may use only some of the connections at once. A caller that needs more waits for its own queries and then
//! gets 429. Other organizations do not wait for them.

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use rollcall_events::OrganizationId;
use secrecy::{ExposeSecret, SecretString};
use std::future::poll_fn;
use std::pin::pin;
use std::str::FromStr;
use std::time::Duration;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, Row, Socket};

use super::ReadError;
use super::share::{Permit, Shares};

/// Maximum time to open a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// Maximum time to wait for a connection of a pool. The same limit applies to the wait for the organization's
/// share before that.
const WAIT: Duration = Duration::from_secs(2);
/// Maximum time for an answer from Postgres. It is longer than the statement timeout, so only a server that
/// hangs reaches it.
const ANSWER: Duration = Duration::from_secs(8);
/// Maximum time to cancel an abandoned query.
const END: Duration = Duration::from_secs(3);
/// The session options. They limit the time of a statement.
const SESSION: &str = "-c statement_timeout=5s -c jit=off -c enable_seqscan=off";
/// The plans of a connection are discarded after at most this number of uses.
const PLANS_KEPT: usize = 4096;
/// How many rows are fetched at once if a page ends by bytes. At most this many are fetched in vain.
const BATCH: i32 = 32;

/// The sizes of the connection pools.
#[derive(Debug, Clone, Copy)]
pub struct Connections {
    /// For authentication and sessions.
    pub sessions: u16,
    /// For reads of single resources, those that belong to a change included.
    pub points: u16,
    /// For queries whose cost the caller chooses.
    pub queries: u16,
    /// How many connections of each of the last two pools an organization may use at once.
    pub per_organization: u16,
}

/// The database: pools of connections with prepared statements.
#[derive(Clone)]
pub struct Database {
    sessions: Pool,
    points: (Pool, Shares),
    queries: (Pool, Shares),
    config: Config,
    page_bytes: usize,
}

/// A pool, used on behalf of an organization if it has shares.
pub struct Reader<'a> {
    pool: &'a Pool,
    share: Option<(&'a Shares, OrganizationId)>,
}

/// A connection in use. If a query is abandoned because the caller disconnected or its time ended, the
/// connection counts as used until the query has ended. Otherwise a caller could start any number of queries
/// by disconnecting.
struct Lease {
    client: Option<Object>,
    permit: Option<Permit>,
    is_idle: bool,
}

/// How often a listening connection is checked, so that a hanging one is noticed.
#[derive(Debug, Clone, Copy)]
pub struct Heartbeat {
    /// The time from one check to the next.
    pub every: Duration,
    /// The maximum time for an answer.
    pub answer: Duration,
}

/// Waits for an answer from Postgres for at most `limit`.
async fn within<T, E>(limit: Duration, asking: impl Future<Output = Result<T, E>>) -> Result<T, ReadError>
where
    ReadError: From<E>,
{
    Ok(tokio::time::timeout(limit, asking).await.map_err(|_| ReadError::TimedOut)??)
}

impl Database {
    /// Creates the pools. They connect when a connection is first needed. A page ends once it has
    /// `page_bytes`.
    ///
    /// # Errors
    /// If the URL is malformed.
    pub fn new(url: &SecretString, connections: Connections, page_bytes: u32) -> Result<Self, String> {
        let mut config = Config::from_str(url.expose_secret()).map_err(|error| error.to_string())?;
        let options = config.get_options().map_or_else(String::new, |options| format!("{options} ")) + SESSION;
        config
            .application_name("rollcall-api")
            .options(options)
            .connect_timeout(CONNECT)
            .tcp_user_timeout(Duration::from_secs(10));
        let shared =
            |size: u16| Ok::<_, String>((pool(&config, size)?, Shares::new(connections.per_organization, WAIT)));
        Ok(Self {
            sessions: pool(&config, connections.sessions)?,
            points: shared(connections.points)?,
            queries: shared(connections.queries)?,
            config,
            page_bytes: usize::try_from(page_bytes).unwrap_or(usize::MAX),
        })
    }

    /// The pool for authentication, sessions and the service's own probes. Everything that is read here is
    /// cheap.
    pub fn sessions(&self) -> Reader<'_> {
        Reader { pool: &self.sessions, share: None }
    }

    /// The pool for look-ups by key, on behalf of an organization.
    pub fn points(&self, organization: OrganizationId) -> Reader<'_> {
        Reader { pool: &self.points.0, share: Some((&self.points.1, organization)) }
    }

    /// The pool for queries whose cost the caller chooses, on behalf of an organization.
    pub fn queries(&self, organization: OrganizationId) -> Reader<'_> {
        Reader { pool: &self.queries.0, share: Some((&self.queries.1, organization)) }
    }

    /// The number of bytes at which a page ends.
    pub fn page_bytes(&self) -> usize {
        self.page_bytes
    }

    /// Listens on channels over a connection of its own until that ends. Calls `on_listening` once it
    /// listens, and `on_payload` with each payload.
    ///
    /// # Errors
    /// The reason why the connection ended.
    pub async fn listen(
        &self,
        channels: &str,
        heartbeat: Heartbeat,
        mut on_listening: impl FnMut(),
        mut on_payload: impl FnMut(&str),
    ) -> Result<(), ReadError> {
        let (client, mut connection) = self.connect().await?;
        let listening = async {
            within(CONNECT, client.batch_execute(channels)).await?;
            on_listening();
            loop {
                tokio::time::sleep(heartbeat.every).await;
                within(heartbeat.answer, client.batch_execute("")).await?;
            }
        };
        let messages = async {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(notification) = message? {
                    on_payload(notification.payload());
                }
            }
            Ok(())
        };
        let (listening, messages) = (pin!(listening), pin!(messages));
        tokio::select! {
            ended = listening => ended,
            ended = messages => ended,
        }
    }

    async fn connect(&self) -> Result<(Client, Connection<Socket, NoTlsStream>), ReadError> {
        // The driver's own limit covers only the time until the first packet.
        within(CONNECT, self.config.connect(NoTls)).await
    }
}

fn pool(config: &Config, size: u16) -> Result<Pool, String> {
    let manager =
        Manager::from_config(config.clone(), NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
    let pool = Pool::builder(manager)
        .max_size(size.into())
        .wait_timeout(Some(WAIT))
        .create_timeout(Some(CONNECT))
        .recycle_timeout(Some(CONNECT))
        .runtime(Runtime::Tokio1);
    pool.build().map_err(|error| error.to_string())
}

impl Reader<'_> {
    /// Runs a prepared query.
    pub async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, ReadError> {
        let running = async |client: &mut Object| {
            // A plan from a time when a table was empty, when all indexes cost the same, must not last long.
            let uses = Object::metrics(client).recycle_count;
            if uses.is_power_of_two() || uses.is_multiple_of(PLANS_KEPT) {
                client.batch_execute("DISCARD PLANS").await?;
            }
            let statement = client.prepare_cached(sql).await?;
            Ok(client.query(&statement, parameters).await?)
        };
        self.run(running).await
    }

    /// Runs a prepared query that returns at most one row.
    pub async fn query_opt(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, ReadError> {
        Ok(self.query(sql, parameters).await?.into_iter().next())
    }

    /// Runs a query that is not prepared, in one round trip.
    pub(super) async fn query_typed(
        &self,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, ReadError> {
        self.run(async |client: &mut Object| Ok(client.query_typed(sql, parameters).await?)).await
    }

    /// Runs a query and fetches its rows until they have enough bytes. Returns whether it stopped for that
    /// reason. It always returns at least one row if any matches.
    pub(super) async fn query_until(
        &self,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
        enough_bytes: usize,
    ) -> Result<(Vec<Row>, bool), ReadError> {
        let running = async |client: &mut Object| {
            let types: Vec<_> = parameters.iter().map(|(_, kind)| kind.clone()).collect();
            let values: Vec<_> = parameters.iter().map(|(value, _)| *value).collect();
            let transaction = client.transaction().await?;
            let statement = transaction.prepare_typed(sql, &types).await?;
            let portal = transaction.bind(&statement, &values).await?;
            let (mut rows, mut bytes, mut is_cut) = (Vec::new(), 0, false);
            loop {
                let fetched = transaction.query_portal(&portal, BATCH).await?;
                let is_last = i32::try_from(fetched.len()).is_ok_and(|count| count < BATCH);
                for row in fetched {
                    is_cut = bytes >= enough_bytes;
                    if is_cut {
                        break;
                    }
                    bytes += row.raw_size_bytes();
                    rows.push(row);
                }
                if is_cut || is_last {
                    break;
                }
            }
            transaction.commit().await?;
            Ok((rows, is_cut))
        };
        self.run(running).await
    }

    async fn run<T>(&self, work: impl AsyncFnOnce(&mut Object) -> Result<T, ReadError>) -> Result<T, ReadError> {
        let mut lease = self.lease().await?;
        let client = lease.client.as_mut().ok_or(ReadError::TimedOut)?;
        let result = tokio::time::timeout(ANSWER, work(client)).await.map_err(|_| ReadError::TimedOut)?;
        lease.is_idle = true;
        result
    }

    async fn lease(&self) -> Result<Lease, ReadError> {
        let permit = match self.share {
            Some((shares, organization)) => Some(shares.take(organization).await?),
            None => None,
        };
        Ok(Lease { client: Some(self.pool.get().await?), permit, is_idle: false })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(client) = self.client.take().filter(|_| !self.is_idle) else { return };
        let permit = self.permit.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                end(client).await;
                drop(permit);
            });
        }
    }
}

/// Cancels the running query of a connection and closes the connection. It never goes back to the pool:
/// Postgres may handle the cancel request at any later time, and would then cancel the query of the next
/// caller.
async fn end(client: Object) {
    let ending = async {
        client.cancel_token().cancel_query(NoTls).await?;
        client.batch_execute("").await
    };
    if !matches!(tokio::time::timeout(END, ending).await, Ok(Ok(()))) {
        tracing::warn!("an abandoned query was not canceled in time; its connection is closed");
    }
    drop(Object::take(client));
}
