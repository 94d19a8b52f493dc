//! Why the database did not do what it was asked to, and what follows from that.

use rollcall_events::log::{InvalidRange, NotCanonical};
use tokio_postgres::error::{DbError, SqlState};

use crate::decide::MalformedFact;
use crate::wait::TimedOut;

/// Raised by `advance_heads` when a head is not at the version that was read (migration V20).
const HEAD_MOVED: &str = "RC001";

/// What to do about an error. Each error says it itself, where it arises; nothing is guessed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// A server is away or overloaded: connect again and try the same again.
    Retry,
    /// Somebody else was faster: read again and decide again, at once.
    DecideAgain,
    /// The request itself cannot be applied: it becomes a dead letter. Every error that nothing else is known of is of this kind.
    Poison,
    /// Neither this request nor any other can be applied until an operator has mended the database or the program: the partition stops.
    Stop,
}

/// Why a batch could not be applied. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Postgres refused or could not be reached.
    #[error("postgres: {}", describe(.0))]
    Postgres(tokio_postgres::Error),
    /// Postgres did not answer in time.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// Somebody else has appended to a log since its head was read, or has mended what it adds up to.
    #[error("the head of a log has moved since it was read")]
    HeadMoved,
    /// An event or a resource that was taken for new is recorded already.
    #[error("an event of the batch is recorded already")]
    AlreadyRecorded,
    /// The log does not have an event or a resource that a table has.
    #[error("a table has a row that the log does not account for; `rollcall-worker replay --check` says which")]
    Contradiction,
    /// A log has an entry that its head does not count.
    #[error("a log has an entry that its head does not count; `rollcall-worker verify` says which")]
    HeadBehind,
    /// The requests of a batch depend on each other in ways that nobody foresaw: fewer of them at once need less of it.
    #[error("the batch needs more again and again")]
    Scattered,
    /// Somebody else was faster again and again.
    #[error("the heads of the logs have moved again and again")]
    Contended,
    /// An outcome cannot be written.
    #[error("an outcome cannot be written: {0}")]
    Unwritable(#[from] serde_json::Error),
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
    /// A stored value cannot be read.
    #[error("a stored value cannot be read: {0}")]
    Unreadable(String),
    /// Somebody else replays.
    #[error("another replay or verification is running")]
    Busy,
    /// A statement of a batch that is not on the list of those that are prepared: a mistake of the program.
    #[error("the statement is not prepared: {0}")]
    NotPrepared(&'static str),
    /// The decision itself failed.
    #[error("the decision panicked")]
    Panicked,
}

/// A server's message without its detail, which can hold the values of a row.
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(refusal) => format!("{} ({})", refusal.message(), refusal.code().code()),
        None => error.to_string(),
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        if error.code().is_some_and(|code| code.code() == HEAD_MOVED) { Self::HeadMoved } else { Self::Postgres(error) }
    }
}

impl StoreError {
    /// The same error of a statement that adds what was taken for new: that it is there already means that it was not new. That a seq is there already means something
    /// else: the head, which was at the version that was read, does not fit its log.
    pub(crate) fn of_new_rows(self) -> Self {
        let Self::Postgres(error) = self else { return self };
        let violation = error.as_db_error().filter(|refusal| *refusal.code() == SqlState::UNIQUE_VIOLATION);
        let is_of = |table: &str| violation.and_then(DbError::table).is_some_and(|name| name.starts_with(table));
        let is_key = violation.and_then(DbError::constraint).is_some_and(|name| name.ends_with("_pkey"));
        match violation {
            Some(_) if is_of("events") && is_key => Self::HeadBehind,
            Some(_) => Self::AlreadyRecorded,
            None => Self::Postgres(error),
        }
    }

    /// What to do about it.
    pub(crate) fn remedy(&self) -> Remedy {
        match self {
            Self::Postgres(error) => of_postgres(error),
            Self::TimedOut(_) | Self::NoRandomness(_) | Self::Busy | Self::Contended => Remedy::Retry,
            Self::HeadMoved | Self::AlreadyRecorded => Remedy::DecideAgain,
            Self::Head(_) | Self::HeadBehind | Self::Unreadable(_) | Self::NotPrepared(_) => Remedy::Stop,
            Self::Scattered | Self::NotCanonical(_) | Self::Malformed(_) | Self::Panicked | Self::Contradiction | Self::Unwritable(_) => {
                Remedy::Poison
            }
        }
    }

    /// The SQLSTATE, if Postgres gave one.
    pub(crate) fn sql_state(&self) -> Option<&str> {
        match self {
            Self::Postgres(error) => error.code().map(SqlState::code),
            _ => None,
        }
    }

    /// Whether a statement took too long, or somebody has cancelled it.
    pub(crate) fn is_timeout(&self) -> bool {
        self.sql_state() == Some(SqlState::QUERY_CANCELED.code())
    }

    /// Whether the value of a request made it fail, which says nothing about other requests (SQLSTATE class 22, or a value that has no form in the protocol).
    pub(crate) fn is_about_a_value(&self) -> bool {
        match self {
            Self::Postgres(error) => error.code().map_or_else(|| has_no_form(error), |code| code.code().starts_with("22")),
            Self::NotCanonical(_) | Self::Malformed(_) | Self::Panicked | Self::Unwritable(_) => true,
            _ => false,
        }
    }
}

fn of_postgres(error: &tokio_postgres::Error) -> Remedy {
    match error.code() {
        Some(code) => of_sql_state(code.code()),
        // The connection broke, or never came about.
        None if error.is_closed() || is_of_the_network(error) => Remedy::Retry,
        None if has_no_form(error) => Remedy::Poison,
        // A row that was read does not have the form that the program knows.
        None if error.to_string().starts_with("error deserializing") => Remedy::Stop,
        None => Remedy::Poison,
    }
}

fn is_of_the_network(error: &tokio_postgres::Error) -> bool {
    let cause = std::error::Error::source(error);
    cause.is_some_and(<dyn std::error::Error>::is::<std::io::Error>) || error.to_string().contains("timeout waiting for server")
}

/// Whether a parameter could not be written.
fn has_no_form(error: &tokio_postgres::Error) -> bool {
    error.to_string().starts_with("error serializing parameter")
}

/// What a SQLSTATE means for a batch (`PostgreSQL`, appendix A).
fn of_sql_state(code: &str) -> Remedy {
    match code {
        // Serialization failure, deadlock; a lock or a server that somebody else holds at the moment.
        "40001" | "40P01" | "55P03" | "55006"
        // Too many connections, disk full, out of memory, and limits of the configuration that time can cure.
        | "53000" | "53100" | "53200" | "53300"
        // Shutdown, crash, recovery; an idle session that was ended; a standby that takes no writes, as after a failover.
        | "57P01" | "57P02" | "57P03" | "57P05" | "25006"
        // An input or output error of the operating system; a plan that was made before a migration.
        | "58030" | "0A000"
        // A transaction that the server ended, or that is broken off: the connection is given up with it.
        | "25P02" | "25P03" | "25P04" => Remedy::Retry,
        // The connection.
        _ if code.starts_with("08") => Remedy::Retry,
        HEAD_MOVED => Remedy::DecideAgain,
        // A missing table, column, function or privilege; a role, database or schema that is not there; a damaged row or index; a pooler that loses prepared statements.
        _ if ["42", "28", "3D", "3F", "XX", "58", "F0", "26", "57"].iter().any(|class| code.starts_with(class)) && code != "57014" => {
            Remedy::Stop
        }
        _ => Remedy::Poison,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("08006" => Remedy::Retry; "connection lost")]
    #[test_case("57P01" => Remedy::Retry; "shutdown")]
    #[test_case("57P03" => Remedy::Retry; "recovery")]
    #[test_case("40001" => Remedy::Retry; "serialization failure")]
    #[test_case("40P01" => Remedy::Retry; "deadlock")]
    #[test_case("55P03" => Remedy::Retry; "a lock that was not given in time")]
    #[test_case("53300" => Remedy::Retry; "too many connections")]
    #[test_case("53100" => Remedy::Retry; "disk full")]
    #[test_case("53200" => Remedy::Retry; "out of memory")]
    #[test_case("25006" => Remedy::Retry; "a standby")]
    #[test_case("RC001" => Remedy::DecideAgain; "the head moved")]
    #[test_case("42703" => Remedy::Stop; "a missing column")]
    #[test_case("42501" => Remedy::Stop; "a missing privilege")]
    #[test_case("XX001" => Remedy::Stop; "a damaged row")]
    #[test_case("26000" => Remedy::Stop; "a prepared statement that is gone")]
    #[test_case("57P04" => Remedy::Stop; "a dropped database")]
    #[test_case("22021" => Remedy::Poison; "a character that cannot be stored")]
    #[test_case("23514" => Remedy::Poison; "a check")]
    #[test_case("23505" => Remedy::Poison; "a row that is there")]
    #[test_case("54000" => Remedy::Poison; "a limit")]
    #[test_case("57014" => Remedy::Poison; "a statement that takes too long")]
    #[test_case("RC002" => Remedy::Poison; "the log refuses a change")]
    #[test_case("99999" => Remedy::Poison; "a state that nobody knows")]
    fn what_a_sql_state_means(code: &str) -> Remedy {
        of_sql_state(code)
    }
}
