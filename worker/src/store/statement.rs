//! Statements with their parameters, run in the order in which they are listed.

use std::pin::Pin;
use std::task::Poll;

use futures_util::poll;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::{ROUND_TRIP, Store, StoreError};
use crate::wait::within;

/// A parameter: most often a column of the rows that a statement takes.
pub(crate) type Parameter<'a> = &'a (dyn ToSql + Sync);

/// A statement to be run.
pub(crate) struct Statement<'a> {
    pub(crate) sql: &'static str,
    pub(crate) parameters: Vec<Parameter<'a>>,
    /// Whether it adds rows that are taken for new.
    pub(crate) adds_new_rows: bool,
}

impl<'a> Statement<'a> {
    /// A statement.
    pub(crate) fn new(sql: &'static str, parameters: Vec<Parameter<'a>>) -> Self {
        Self { sql, parameters, adds_new_rows: false }
    }

    /// The same one, where it adds rows that are taken for new: that one of them is there already is no error of the request.
    pub(crate) fn of_new_rows(self) -> Self {
        Self { adds_new_rows: true, ..self }
    }
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its effects last.
    Commit,
    /// It was a trial: it leaves no effect.
    RollBack,
}

impl Ending {
    fn command(self) -> &'static str {
        match self {
            Self::Commit => "COMMIT",
            Self::RollBack => "ROLLBACK",
        }
    }
}

/// Statements of one transaction, in the order in which they are to run.
#[derive(Default)]
pub(crate) struct StatementBatch<'a>(Vec<Statement<'a>>);

impl<'a> StatementBatch<'a> {
    /// Adds a statement at the end.
    pub(crate) fn add(&mut self, statement: Statement<'a>) {
        self.0.push(statement);
    }

    /// Adds a statement at the end if there are rows for it.
    pub(crate) fn add_if(&mut self, needed: bool, sql: &'static str, parameters: impl FnOnce() -> Vec<Parameter<'a>>) {
        if needed {
            self.add(Statement::new(sql, parameters()));
        }
    }

    /// Runs the statements in the transaction that is open, in one round trip.
    ///
    /// # Errors
    /// The error of the first statement that fails. Postgres skips the ones after it.
    pub(crate) async fn run(&self, store: &Store) -> Result<(), StoreError> {
        store.run_in_order(&self.0).await.map(|_| ())
    }

    /// Runs the statements in a transaction of their own, in one round trip: all of them take effect, or none does.
    ///
    /// # Errors
    /// The error of the first statement that fails. After an error of the connection it is not known whether the transaction was committed.
    pub(crate) async fn run_in_transaction(self, store: &Store, ending: Ending) -> Result<(), StoreError> {
        if self.0.len() < 2 && ending == Ending::Commit {
            // A statement alone is a transaction.
            return self.run(store).await;
        }
        let (begin, end) = (Statement::new("BEGIN", Vec::new()), Statement::new(ending.command(), Vec::new()));
        let statements: Vec<_> = std::iter::once(begin).chain(self.0).chain([end]).collect();
        let ended = store.run_in_order(&statements).await;
        if ended.is_err() && !store.is_closed() {
            // Ends a transaction whose last statement was not sent. The failure that led here is the one to report.
            let _ = store.command("ROLLBACK").await;
        }
        ended.map(|_| ())
    }
}

impl Store {
    /// Runs statements in the order of the slice, in one round trip; returns the rows of each.
    ///
    /// The connection executes statements in the order in which they are first polled (tokio-postgres, "Pipelining"). The loop polls each once before it polls the
    /// next, so the order is fixed here and not by a combinator.
    ///
    /// # Errors
    /// The error of the first statement that fails.
    pub(crate) async fn run_in_order(&self, statements: &[Statement<'_>]) -> Result<Vec<Vec<Row>>, StoreError> {
        within("an answer of postgres", ROUND_TRIP, self.pipeline(statements)).await?
    }

    async fn pipeline(&self, statements: &[Statement<'_>]) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut sent = Vec::with_capacity(statements.len());
        for statement in statements {
            let mut running: Pin<Box<_>> = Box::pin(self.run_prepared(statement.sql, &statement.parameters));
            match poll!(&mut running) {
                // Nothing was sent for it: nothing is to be sent after it.
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Ready(Ok(rows)) => sent.push(Running::Done(rows)),
                Poll::Pending => sent.push(Running::Sent(running, statement.adds_new_rows)),
            }
        }
        let mut answers = Vec::with_capacity(sent.len());
        for running in sent {
            answers.push(match running {
                Running::Done(rows) => rows,
                Running::Sent(running, false) => running.await?,
                Running::Sent(running, true) => running.await.map_err(StoreError::of_new_rows)?,
            });
        }
        Ok(answers)
    }
}

/// A statement that was sent.
enum Running<F> {
    Done(Vec<Row>),
    Sent(Pin<Box<F>>, bool),
}
