//! Statements with their parameters, run in the order in which they are listed.

use std::pin::Pin;
use std::task::Poll;

use futures_util::poll;
use tokio_postgres::Row;

use super::parameter::Parameter;
use super::store::ROUND_TRIP;
use super::{Store, StoreError};
use crate::wait::within;

/// A statement to run.
pub(crate) struct Statement<'a> {
    pub(crate) sql: &'static str,
    pub(crate) parameters: Vec<Parameter<'a>>,
    /// Whether it inserts rows that are taken for new.
    pub(crate) adds_new_rows: bool,
}

impl<'a> Statement<'a> {
    /// A statement with its parameters.
    pub(crate) fn new(sql: &'static str, parameters: Vec<Parameter<'a>>) -> Self {
        Self { sql, parameters, adds_new_rows: false }
    }

    /// Marks the statement as one that inserts rows taken for new. A duplicate key is then no fault of the
    /// request.
    pub(crate) fn of_new_rows(self) -> Self {
        Self { adds_new_rows: true, ..self }
    }
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Commit it.
    Commit,
    /// Roll it back, because it was only a trial.
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

/// The statements of one transaction, in the order in which they run.
#[derive(Default)]
pub(crate) struct StatementBatch<'a>(Vec<Statement<'a>>);

impl<'a> StatementBatch<'a> {
    /// Adds a statement at the end.
    pub(crate) fn add(&mut self, statement: Statement<'a>) {
        self.0.push(statement);
    }

    /// Adds a statement at the end if it is needed.
    pub(crate) fn add_if(&mut self, needed: bool, sql: &'static str, parameters: impl FnOnce() -> Vec<Parameter<'a>>) {
        if needed {
            self.add(Statement::new(sql, parameters()));
        }
    }

    /// Runs the statements in the open transaction, in one round trip.
    ///
    /// # Errors
    /// The error of the first statement that fails. Postgres skips the statements after it.
    pub(crate) async fn run(&self, store: &Store) -> Result<(), StoreError> {
        store.run_in_order(&self.0).await.map(|_| ())
    }

    /// Runs the statements in a transaction of their own, in one round trip. Either all of them take effect,
    /// or none does.
    ///
    /// # Errors
    /// The error of the first statement that fails. After a connection error, it is unknown whether the
    /// transaction was committed.
    pub(crate) async fn run_in_transaction(self, store: &Store, ending: Ending) -> Result<(), StoreError> {
        if self.0.len() < 2 && ending == Ending::Commit {
            // A single statement is a transaction by itself.
            return self.run(store).await;
        }
        let (begin, end) = (Statement::new("BEGIN", Vec::new()), Statement::new(ending.command(), Vec::new()));
        let statements: Vec<_> = std::iter::once(begin).chain(self.0).chain([end]).collect();
        let ended = store.run_in_order(&statements).await;
        if ended.is_err() && !store.is_closed() {
            // End a transaction whose last statement was not sent. Report the original error, not that of the
            // rollback.
            let _ = store.command("ROLLBACK").await;
        }
        ended.map(|_| ())
    }
}

impl Store {
    /// Runs statements in the order of the slice, in one round trip. Returns the rows of each.
    ///
    /// The connection executes statements in the order in which they are first polled (tokio-postgres,
    /// "Pipelining"). The loop polls each statement once before it polls the next, so the order does not
    /// depend on a combinator.
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
                // The statement was not sent, so nothing may be sent after it.
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

/// A statement in the pipeline: sent, or already done.
enum Running<F> {
    Done(Vec<Row>),
    Sent(Pin<Box<F>>, bool),
}
