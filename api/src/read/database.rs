//! Connections to Postgres: pools by purpose, a fair share for each organization, and a bound for every wait.
//!
//! There is one pool for authentication, one for point reads and one for queries whose cost a caller chooses. So costly queries hold up neither
//! authentication nor writes. In the last two, one organization uses at most so many connections at once: a caller that asks for more waits for its own
//! queries, and then gets 429. Nobody else waits for them.

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

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a call may wait for a connection of a pool, and before that for its organization's share.
const WAIT: Duration = Duration::from_secs(2);
/// How long Postgres may take for an answer: longer than any statement may run, so that only a server that hangs meets it.
const ANSWER: Duration = Duration::from_secs(8);
/// How long it may take to have a query ended that nobody waits for any more.
const END: Duration = Duration::from_secs(3);
/// No read may run longer.
const SESSION: &str = "-c statement_timeout=5s -c jit=off -c enable_seqscan=off";
/// After how many uses of a connection its plans are made anew at the latest.
const PLANS_KEPT: usize = 4096;
/// How many rows are fetched at once where a page ends by bytes: the most that is fetched in vain.
const BATCH: i32 = 32;

/// How many connections there may be for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connections {
    /// For authentication and sessions.
    pub(crate) sessions: u16,
    /// For reads of single resources, those that belong to a change included.
    pub(crate) points: u16,
    /// For queries whose cost the caller chooses.
    pub(crate) queries: u16,
    /// How many of the last two kinds, each, one organization uses at once.
    pub(crate) per_organization: u16,
}

/// The database, by pools of connections with prepared statements.
#[derive(Clone)]
pub(crate) struct Database {
    sessions: Pool,
    points: (Pool, Shares),
    queries: (Pool, Shares),
    config: Config,
    page_bytes: usize,
}

/// A pool, on the account of whoever uses it.
pub(crate) struct Reader<'a> {
    pool: &'a Pool,
    share: Option<(&'a Shares, OrganizationId)>,
}

/// A connection in use. One that is given up in the middle of a query, since the caller has gone or the time is over, counts as used until the query has
/// ended: otherwise whoever hangs up could have any number of queries run.
struct Lease {
    client: Option<Object>,
    permit: Option<Permit>,
    is_idle: bool,
}

/// How a connection that listens is tried, so that one that hangs is noticed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pulse {
    /// How long after the last answer.
    pub(crate) every: Duration,
    /// How long the answer may take.
    pub(crate) answer: Duration,
}

/// What Postgres answers within a time.
async fn within<T, E>(limit: Duration, asking: impl Future<Output = Result<T, E>>) -> Result<T, ReadError>
where
    ReadError: From<E>,
{
    Ok(tokio::time::timeout(limit, asking).await.map_err(|_| ReadError::TimedOut)??)
}

impl Database {
    /// Sets the pools up; the first connection is made when it is needed. A page ends once it has `page_bytes`.
    ///
    /// # Errors
    /// Where the address is malformed.
    pub(crate) fn new(url: &SecretString, connections: Connections, page_bytes: u32) -> Result<Self, String> {
        let mut config = Config::from_str(url.expose_secret()).map_err(|error| error.to_string())?;
        let options = config.get_options().map_or_else(String::new, |options| format!("{options} ")) + SESSION;
        config.application_name("rollcall-api").options(options).connect_timeout(CONNECT).tcp_user_timeout(Duration::from_secs(10));
        let shared = |size: u16| Ok::<_, String>((pool(&config, size)?, Shares::new(connections.per_organization, WAIT)));
        Ok(Self {
            sessions: pool(&config, connections.sessions)?,
            points: shared(connections.points)?,
            queries: shared(connections.queries)?,
            config,
            page_bytes: usize::try_from(page_bytes).unwrap_or(usize::MAX),
        })
    }

    /// For authentication, sessions and the service's own probes. Whatever is read here costs little, whoever asks.
    pub(crate) fn sessions(&self) -> Reader<'_> {
        Reader { pool: &self.sessions, share: None }
    }

    /// For what is found by its key, on an organization's account.
    pub(crate) fn points(&self, organization: OrganizationId) -> Reader<'_> {
        Reader { pool: &self.points.0, share: Some((&self.points.1, organization)) }
    }

    /// For queries whose cost the caller chooses, on an organization's account.
    pub(crate) fn queries(&self, organization: OrganizationId) -> Reader<'_> {
        Reader { pool: &self.queries.0, share: Some((&self.queries.1, organization)) }
    }

    /// How many bytes are enough for a page.
    pub(crate) fn page_bytes(&self) -> usize {
        self.page_bytes
    }

    /// Listens on channels over a connection of its own until that ends: `up` is called once it listens, `heard` with each payload.
    ///
    /// # Errors
    /// Why it ended.
    pub(crate) async fn listen(
        &self,
        channels: &str,
        pulse: Pulse,
        mut up: impl FnMut(),
        mut heard: impl FnMut(&str),
    ) -> Result<(), ReadError> {
        let (client, mut connection) = self.connect().await?;
        let listening = async {
            within(CONNECT, client.batch_execute(channels)).await?;
            up();
            loop {
                tokio::time::sleep(pulse.every).await;
                within(pulse.answer, client.batch_execute("")).await?;
            }
        };
        let messages = async {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(told) = message? {
                    heard(told.payload());
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
        // The driver's own limit does not count what comes after the first packet.
        within(CONNECT, self.config.connect(NoTls)).await
    }
}

fn pool(config: &Config, size: u16) -> Result<Pool, String> {
    let manager = Manager::from_config(config.clone(), NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
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
    pub(crate) async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, ReadError> {
        let running = async |client: &mut Object| {
            // A plan made while a table was empty, when all indexes cost the same, must not outlive that for long.
            let uses = Object::metrics(client).recycle_count;
            if uses.is_power_of_two() || uses.is_multiple_of(PLANS_KEPT) {
                client.batch_execute("DISCARD PLANS").await?;
            }
            let statement = client.prepare_cached(sql).await?;
            Ok(client.query(&statement, parameters).await?)
        };
        self.run(running).await
    }

    /// Runs a prepared query that gives one row at the most.
    pub(crate) async fn query_opt(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, ReadError> {
        Ok(self.query(sql, parameters).await?.into_iter().next())
    }

    /// Runs a query that was made for one call, in one round trip.
    pub(super) async fn query_typed(&self, sql: &str, parameters: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Row>, ReadError> {
        self.run(async |client: &mut Object| Ok(client.query_typed(sql, parameters).await?)).await
    }

    /// Runs a query and fetches its rows until they have enough bytes; whether it ended for that reason. There is always at least one row, if any matches.
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

/// Has the query ended that runs on a connection, and closes it. It never goes back to the pool: Postgres takes a cancel request at any time later, and would end the query of
/// the next caller.
async fn end(client: Object) {
    let ending = async {
        client.cancel_token().cancel_query(NoTls).await?;
        client.batch_execute("").await
    };
    if !matches!(tokio::time::timeout(END, ending).await, Ok(Ok(()))) {
        tracing::warn!("a query that nobody waits for did not end in time; its connection is closed");
    }
    drop(Object::take(client));
}
