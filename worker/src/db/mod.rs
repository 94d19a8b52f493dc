//! Postgres: the worker's connections, the rows that it writes, and the channels for notifications.

mod channels;
mod database;
mod error;
mod parameter;
mod probe;
pub(crate) mod rows;
mod statement;
mod store;

pub(crate) use channels::{APPLICATION_CHANNEL, LOG_CHANNEL, SETTINGS_CHANNEL};
pub(crate) use database::{Database, TaskError, answered, broker};
pub(crate) use error::{Remedy, StoreError};
pub(crate) use parameter::Parameter;
pub(crate) use rows::rows;
pub(crate) use statement::{Ending, Statement, StatementBatch};
pub(crate) use store::{Listener, RawJson, Store, array_text, connect, seq_column};
