//! Errors of commands.

use rollcall_events::OrganizationId;
use rollcall_events::log::checkpoint::InvalidKey;
use rollcall_service::settings::SettingsError;
use tokio_postgres::error::SqlState;

use crate::background::push::EndpointError;
use crate::db::{StoreError, TaskError};
use crate::log::signer::SignerFileError;
use crate::submit::SubmitError;

/// The reason why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Submit(#[from] SubmitError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{}", of_postgres(.0))]
    Postgres(#[from] tokio_postgres::Error),
    #[error("rabbitmq: {0}; is it running, and is amqp_url right?")]
    Broker(#[from] lapin::Error),
    #[error("the database cannot be migrated: {0}")]
    Migration(#[from] refinery::Error),
    #[error(
        "the log in this database has an earlier format, which this version cannot continue. Remedy: export the log \
         and verify it with the version that wrote it, keep both, and let this version start with an empty database"
    )]
    OldLog,
    #[error("{}", of_server(.0))]
    Server(#[from] TaskError),
    #[error("the operating system returned no random bytes: {0}")]
    NoRandomness(#[from] getrandom::Error),
    #[error(transparent)]
    SignerFile(#[from] SignerFileError),
    #[error("this command needs the signer's settings: checkpoint_keys or checkpoint_key_file, and signer_file")]
    NoSigner,
    #[error("the log of organization {0} is not refused, so there is nothing to accept")]
    NotRefused(OrganizationId),
    #[error("the restore of the log of organization {0} was not recorded ({1}); the log stays refused")]
    NotRecorded(OrganizationId, String),
    #[error("a log or a projection is not correct; see the lines above")]
    Differs,
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Key(#[from] InvalidKey),
    #[error("there is no signer: checkpoint_keys and checkpoint_key_file are empty")]
    NoCheckpointKey,
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("signals cannot be handled: {0}")]
    NoSignals(#[from] std::io::Error),
}

/// An error of Postgres, with its remedy.
fn of_postgres(error: &tokio_postgres::Error) -> String {
    let remedy = wrong_role(error).unwrap_or("is it running, and is database_url right?");
    format!("postgres: {error}; {remedy}")
}

/// An error of a server, with its remedy.
fn of_server(error: &TaskError) -> String {
    let remedy = if let TaskError::Postgres(error) = error { wrong_role(error) } else { None };
    let general = "are postgres and rabbitmq running, and are database_url and amqp_url right?";
    format!("{error}; {}", remedy.unwrap_or(general))
}

/// The remedy for a missing privilege (SQLSTATE 42501): the other roles of the database may not do what a
/// command does.
fn wrong_role(error: &tokio_postgres::Error) -> Option<&'static str> {
    let is_denied = error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
    is_denied
        .then_some("database_url must use the role rollcall_worker, and migrate.database_url the owner of the database")
}
