//! The worker's settings: what each means, and its default, stands in `default.toml`. Checked before anything starts.

use rollcall_service::logging::LogFormat;
use rollcall_service::settings::{SettingsError, in_range, read};
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
        Ok(settings)
    }
}
