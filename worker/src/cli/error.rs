//! Errors of commands.

use rollcall_events::OrganizationId;
use rollcall_events::log::checkpoint::InvalidKey;
use rollcall_service::settings::SettingsError;

use crate::background::push::RefusedEndpoint;
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
    #[error("postgres: {0}; is it running, and is database_url right?")]
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
    #[error("{0}; are postgres and rabbitmq running, and are database_url and amqp_url right?")]
    Server(#[from] TaskError),
    #[error("the operating system returned no random bytes: {0}")]
    NoRandomness(#[from] getrandom::Error),
    #[error(transparent)]
    SignerFile(#[from] SignerFileError),
    #[error("this command needs the signer's settings: checkpoint_keys or checkpoint_key_file, and signer_file")]
    NoSigner,
    #[error("the log of organization {0} is not refused, so there is nothing to accept")]
    NotRefused(OrganizationId),
    #[error("a log or a projection is not correct; see the lines above")]
    Differs,
    #[error(transparent)]
    Endpoint(#[from] RefusedEndpoint),
    #[error(transparent)]
    Key(#[from] InvalidKey),
    #[error("there is no signer: checkpoint_keys and checkpoint_key_file are empty")]
    NoCheckpointKey,
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("signals cannot be handled: {0}")]
    NoSignals(#[from] std::io::Error),
}
