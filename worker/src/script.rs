//! The statements of a transaction, gathered before the first of them runs: one alone needs no BEGIN and no COMMIT, and several travel together.

use futures_util::future::try_join_all;
use futures_util::try_join;
use tokio_postgres::types::ToSql;

use crate::store::{Store, StoreError};

/// A parameter of a statement: most often a column of the rows that it takes.
pub(crate) type Parameter<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// Puts columns into boxes, as the parameters of a statement.
macro_rules! columns {
    ($($column:expr),* $(,)?) => { vec![$(Box::new($column) as $crate::script::Parameter<'_>),*] };
}
pub(crate) use columns;

/// Statements in the order in which they are to run.
#[derive(Default)]
pub(crate) struct Script<'a>(Vec<Statement<'a>>);

struct Statement<'a> {
    sql: &'static str,
    parameters: Vec<Parameter<'a>>,
}

/// How many statements are polled as one group. The library polls small groups in their order, and so they run in it.
const GROUP: usize = 16;

impl<'a> Script<'a> {
    /// Adds a statement.
    pub(crate) fn add(&mut self, sql: &'static str, parameters: Vec<Parameter<'a>>) {
        self.0.push(Statement { sql, parameters });
    }

    /// Adds a statement where there is something for it to do.
    pub(crate) fn add_if(&mut self, needed: bool, sql: &'static str, parameters: Vec<Parameter<'a>>) {
        if needed {
            self.add(sql, parameters);
        }
    }

    /// Runs the statements in the transaction that is open, in one round trip.
    pub(crate) async fn run(&self, store: &Store) -> Result<(), StoreError> {
        let groups = self.0.chunks(GROUP).map(|group| try_join_all(group.iter().map(|statement| statement.run(store))));
        try_join_all(groups).await.map(|_| ())
    }

    /// Runs the statements in a transaction of their own, in one round trip: all of them are committed, or none is.
    pub(crate) async fn commit(&self, store: &Store) -> Result<(), StoreError> {
        match self.0.as_slice() {
            [] => Ok(()),
            [alone] => alone.run(store).await,
            _ => {
                let committed = try_join!(store.command("BEGIN"), self.run(store), store.command("COMMIT"));
                if committed.is_err() && !store.is_closed() {
                    // The failure that led here is the one to report.
                    let _ = store.command("ROLLBACK").await;
                }
                committed.map(|_| ())
            }
        }
    }
}

impl Statement<'_> {
    async fn run(&self, store: &Store) -> Result<(), StoreError> {
        let parameters: Vec<&(dyn ToSql + Sync)> = self.parameters.iter().map(|parameter| &**parameter as &(dyn ToSql + Sync)).collect();
        store.query(self.sql, &parameters).await.map(|_| ())
    }
}
