//! The worker's settings: what each means, and its default, stands in `default.toml`. Checked before anything starts.

use rollcall_events::log::checkpoint::SigningKeys;
use rollcall_service::logging::LogFormat;
use rollcall_service::settings::{SettingsError, in_range, read, secrets};
use secrecy::SecretString;
use serde::Deserialize;
use std::path::Path;

/// The worker's settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) database_url: SecretString,
    pub(crate) amqp_url: SecretString,
    pub(crate) partitions: u16,
    pub(crate) batch_size: u16,
    pub(crate) hold_seconds: u64,
    pub(crate) command_timeout_seconds: u64,
    checkpoint_keys: SecretString,
    checkpoint_key_file: String,
    pub(crate) checkpoint_seconds: u64,
    pub(crate) checkpoint_events: u64,
    pub(crate) log_format: LogFormat,
    pub(crate) migrate: Migrate,
}

/// What `rollcall-worker migrate` needs besides.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Migrate {
    pub(crate) database_url: SecretString,
    pub(crate) api_password: SecretString,
    pub(crate) worker_password: SecretString,
    pub(crate) auditor_password: SecretString,
    pub(crate) app_password: SecretString,
}

impl Settings {
    /// Reads and checks the settings.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, SettingsError> {
        let settings: Self = read("ROLLCALL_WORKER", include_str!("../default.toml"), file)?;
        in_range("partitions", settings.partitions, 1, 1024)?;
        in_range("batch_size", settings.batch_size, 1, 2000)?;
        in_range("hold_seconds", settings.hold_seconds, 1, 1200)?;
        in_range("command_timeout_seconds", settings.command_timeout_seconds, 1, 600)?;
        in_range("checkpoint_seconds", settings.checkpoint_seconds, 1, 3600)?;
        in_range("checkpoint_events", settings.checkpoint_events, 1, 1_000_000_000)?;
        Ok(settings)
    }

    /// The keys that sign checkpoints: those of the setting, then those of the file.
    pub(crate) fn signing_keys(&self) -> Result<SigningKeys, SettingsError> {
        let keys = secrets("checkpoint_key_file", &self.checkpoint_keys, &self.checkpoint_key_file)?;
        SigningKeys::read(&keys).map_err(|error| SettingsError::malformed("checkpoint_keys", error))
    }
}
