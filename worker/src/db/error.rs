//! Database errors, and how the worker reacts to each.

use rollcall_events::OrganizationId;
use rollcall_events::log::{InvalidRange, NotCanonical};
use tokio_postgres::error::{DbError, SqlState};

use crate::fact::MalformedFact;
use crate::wait::TimedOut;

/// The SQLSTATE that `advance_heads` raises if a head is not at the version that was read (migration V20).
const HEAD_MOVED: &str = "RC001";

/// How to react to an error. Each error is classified where it arises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// A server is down or overloaded. Reconnect and retry.
    Retry,
    /// A log head has moved. Read and decide again at once.
    DecideAgain,
    /// The request itself cannot be applied and becomes a dead letter. This includes every unknown error.
    Poison,
    /// No request can be applied until an operator repairs the database or the program. The partition stops.
    Stop,
}

/// Why a batch could not be applied. No part of it was applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Postgres refused a statement or could not be reached.
    #[error("postgres: {}", describe(.0))]
    Postgres(tokio_postgres::Error),
    /// Postgres did not answer in time.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// Another process has appended to a log since its head was read, or has repaired its projections.
    #[error("the head of a log has moved since it was read")]
    HeadMoved,
    /// An event or a resource that was taken for new exists already.
    #[error("an event of the batch is recorded already")]
    AlreadyRecorded,
    /// A table has a row for an event or a resource that the log does not have.
    #[error("a table has a row that the log does not account for; `rollcall-worker replay --check` says which")]
    Contradiction,
    /// A log has an entry that its head does not count.
    #[error("a log has an entry that its head does not count; `rollcall-worker verify` says which")]
    HeadBehind,
    /// Signed entries are missing from the log in the database, or changed.
    #[error(
        "the log of organization {organization} is refused: {reason}. After a restore of the database, run \
         `rollcall-worker log accept-restore`"
    )]
    LogRefused {
        /// The organization.
        organization: OrganizationId,
        /// The signed size, the stored size and the fault.
        reason: String,
    },
    /// The signer file cannot be used, so nobody knows which entries were signed.
    #[error("{0}")]
    NoSignerFile(String),
    /// The requests of the batch depend on each other in unforeseen ways. Fewer requests at once need fewer
    /// look-ups.
    #[error("the batch needs more again and again")]
    Scattered,
    /// The heads have moved at every attempt.
    #[error("the heads of the logs have moved again and again")]
    Contended,
    /// An outcome cannot be encoded.
    #[error("an outcome cannot be written: {0}")]
    Unwritable(#[from] serde_json::Error),
    /// A log head in the database is invalid.
    #[error(transparent)]
    Head(#[from] InvalidRange),
    /// A fact cannot be hashed.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
    /// A fact cannot be projected.
    #[error(transparent)]
    Malformed(#[from] MalformedFact),
    /// The operating system's randomness failed.
    #[error("the operating system gives no random bytes: {0}")]
    NoRandomness(#[from] getrandom::Error),
    /// A stored value cannot be read.
    #[error("a stored value cannot be read: {0}")]
    Unreadable(String),
    /// Another replay holds the lock.
    #[error("another replay or verification is running")]
    Busy,
    /// A statement of a batch is missing in the list of prepared statements. This is a bug.
    #[error("the statement is not prepared: {0}")]
    NotPrepared(&'static str),
    /// The decision panicked.
    #[error("the decision panicked")]
    Panicked,
}

/// The server's message without its detail, because a detail can contain values of a row.
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
    /// Classifies this error for a statement that inserts rows taken for new. A duplicate key then means that
    /// the row is not new. A duplicate seq means something else: the head had the version that was read, so
    /// it does not fit its log.
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

    /// How to react to this error.
    pub(crate) fn remedy(&self) -> Remedy {
        match self {
            Self::Postgres(error) => of_postgres(error),
            Self::TimedOut(_) | Self::NoRandomness(_) | Self::Busy | Self::Contended => Remedy::Retry,
            Self::HeadMoved | Self::AlreadyRecorded => Remedy::DecideAgain,
            Self::Head(_)
            | Self::HeadBehind
            | Self::LogRefused { .. }
            | Self::NoSignerFile(_)
            | Self::Unreadable(_)
            | Self::NotPrepared(_) => Remedy::Stop,
            Self::Scattered
            | Self::NotCanonical(_)
            | Self::Malformed(_)
            | Self::Panicked
            | Self::Contradiction
            | Self::Unwritable(_) => Remedy::Poison,
        }
    }

    /// The SQLSTATE, if Postgres gave one.
    pub(crate) fn sql_state(&self) -> Option<&str> {
        match self {
            Self::Postgres(error) => error.code().map(SqlState::code),
            _ => None,
        }
    }

    /// Whether a statement took too long or was canceled.
    pub(crate) fn is_timeout(&self) -> bool {
        self.sql_state() == Some(SqlState::QUERY_CANCELED.code())
    }

    /// Whether a value in a request caused the error. Then it says nothing about other requests. This is
    /// SQLSTATE class 22, or a value that the protocol cannot encode.
    pub(crate) fn is_about_a_value(&self) -> bool {
        match self {
            Self::Postgres(error) => {
                error.code().map_or_else(|| has_no_form(error), |code| code.code().starts_with("22"))
            }
            Self::NotCanonical(_) | Self::Malformed(_) | Self::Panicked | Self::Unwritable(_) => true,
            _ => false,
        }
    }
}

fn of_postgres(error: &tokio_postgres::Error) -> Remedy {
    match error.code() {
        Some(code) => of_sql_state(code.code()),
        // The connection was lost or not established.
        None if error.is_closed() || is_of_the_network(error) => Remedy::Retry,
        None if has_no_form(error) => Remedy::Poison,
        // A row does not have the types that the program expects.
        None if error.to_string().starts_with("error deserializing") => Remedy::Stop,
        None => Remedy::Poison,
    }
}

fn is_of_the_network(error: &tokio_postgres::Error) -> bool {
    let cause = std::error::Error::source(error);
    cause.is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
        || error.to_string().contains("timeout waiting for server")
}

/// Whether a parameter could not be encoded.
fn has_no_form(error: &tokio_postgres::Error) -> bool {
    error.to_string().starts_with("error serializing parameter")
}

/// The classes of SQL states that are systemic: a missing table, column, function or privilege; a missing
/// role, database or schema; a damaged row or index; a pooler that loses prepared statements.
const SYSTEMIC_CLASSES: [&str; 9] = ["42", "28", "3D", "3F", "XX", "58", "F0", "26", "57"];

/// How to react to a SQLSTATE (`PostgreSQL`, appendix A).
fn of_sql_state(code: &str) -> Remedy {
    match code {
        // Serialization failure, deadlock; a lock or a server object that another session holds.
        "40001" | "40P01" | "55P03" | "55006"
        // Too many connections, disk full, out of memory, and configured limits that time can cure.
        | "53000" | "53100" | "53200" | "53300"
        // Shutdown, crash, recovery; a terminated idle session; a read-only standby, as after a failover.
        | "57P01" | "57P02" | "57P03" | "57P05" | "25006"
        // An I/O error of the operating system; a plan from before a migration.
        | "58030" | "0A000"
        // A transaction that the server aborted or terminated. Its connection is given up.
        | "25P02" | "25P03" | "25P04" => Remedy::Retry,
        // Connection errors.
        _ if code.starts_with("08") => Remedy::Retry,
        HEAD_MOVED => Remedy::DecideAgain,
        _ if SYSTEMIC_CLASSES.iter().any(|class| code.starts_with(class)) && code != "57014" => Remedy::Stop,
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
    fn sql_states_are_classified(code: &str) -> Remedy {
        of_sql_state(code)
    }
}
