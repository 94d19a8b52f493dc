//! The worker's settings. `default.toml` documents each setting and its default. All are checked before
//! anything starts.

mod sinks;

use rollcall_events::log::checkpoint::SigningKeys;
use rollcall_events::log::log_key::{LogKey, in_the_name_of};
use rollcall_events::log::service_log;
use rollcall_events::log::witness::Policy;
use rollcall_events::set::SetKeys;
use rollcall_events::{OrganizationId, StreamId};
use rollcall_service::logging::LogFormat;
use rollcall_service::settings::{SettingsError, event_keys, in_range, public_url, read, secrets};
use secrecy::SecretString;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

pub(crate) use sinks::{OneOrMore, SinkSettings};

/// How many of the expected keys are prefetched. The others are loaded on demand, so this setting changes the
/// time but no decision. `None` and `Random` exist for tests of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Prefetch {
    /// All keys.
    #[default]
    Full,
    /// No keys.
    None,
    /// A random choice of the keys.
    Random,
}

/// The worker's settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) database_url: SecretString,
    pub(crate) amqp_url: SecretString,
    pub(crate) partitions: u16,
    pub(crate) batch_size: u16,
    pub(crate) prefetch: Prefetch,
    pub(crate) hold_seconds: u64,
    pub(crate) command_timeout_seconds: u64,
    checkpoint_keys: SecretString,
    checkpoint_key_file: String,
    pub(crate) signer_file: String,
    pub(crate) checkpoint_seconds: u64,
    pub(crate) checkpoint_events: u64,
    pub(crate) checkpoint_all_days: u16,
    pub(crate) checkpoint_hourly_days: u16,
    service_log: String,
    witness_policy_file: String,
    pub(crate) witness_timeout_seconds: u64,
    pub(crate) witness_retry_seconds: u64,
    pub(crate) public_url: String,
    event_keys: SecretString,
    event_key_file: String,
    push_authorization_file: String,
    pub(crate) push_to_private_addresses: bool,
    pub(crate) push_timeout_seconds: u64,
    pub(crate) push_dead_seconds: u64,
    pub(crate) expiring_seconds: u64,
    pub(crate) observed_days: u16,
    pub(crate) observed_body_days: u16,
    pub(crate) erased_name_days: u16,
    pub(crate) log_format: LogFormat,
    #[serde(default)]
    pub(crate) sinks: BTreeMap<String, SinkSettings>,
    pub(crate) migrate: Migrate,
}

/// Additional settings of `migrate`, `replay` and `verify`.
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
        let mut settings: Self = read("ROLLCALL_WORKER", include_str!("../../default.toml"), file)?;
        settings.public_url = public_url("public_url", &settings.public_url)?;
        in_range("push_timeout_seconds", settings.push_timeout_seconds, 1, 300)?;
        in_range("push_dead_seconds", settings.push_dead_seconds, 1, 31_536_000)?;
        in_range("expiring_seconds", settings.expiring_seconds, 1, 86_400)?;
        in_range("observed_days", settings.observed_days, 1, 3650)?;
        in_range("observed_body_days", settings.observed_body_days, 1, 3650)?;
        in_range("erased_name_days", settings.erased_name_days, 1, 3650)?;
        in_range("checkpoint_all_days", settings.checkpoint_all_days, 1, 3650)?;
        in_range(
            "checkpoint_hourly_days",
            settings.checkpoint_hourly_days,
            settings.checkpoint_all_days.into(),
            36_500,
        )?;
        in_range("partitions", settings.partitions, 1, 1024)?;
        in_range("batch_size", settings.batch_size, 1, 2000)?;
        in_range("hold_seconds", settings.hold_seconds, 1, 1200)?;
        in_range("command_timeout_seconds", settings.command_timeout_seconds, 1, 600)?;
        in_range("checkpoint_seconds", settings.checkpoint_seconds, 1, 3600)?;
        in_range("witness_timeout_seconds", settings.witness_timeout_seconds, 1, 300)?;
        in_range("witness_retry_seconds", settings.witness_retry_seconds, 1, 86_400)?;
        in_range("checkpoint_events", settings.checkpoint_events, 1, 1_000_000_000)?;
        Ok(settings)
    }

    /// The keys that sign checkpoints: first the keys of the setting, then the keys of the file.
    pub(crate) fn signing_keys(&self) -> Result<SigningKeys, SettingsError> {
        let keys = secrets("checkpoint_key_file", &self.checkpoint_keys, &self.checkpoint_key_file)?;
        SigningKeys::read(&keys).map_err(|error| SettingsError::malformed("checkpoint_keys", error))
    }

    /// The key pairs of the service log: the signer's keys in the name of the log's origin. The origin is `None` if
    /// there is no key.
    pub(crate) fn service_log_keys(&self) -> Result<(Option<String>, Vec<LogKey>), SettingsError> {
        let malformed = |error| SettingsError::malformed("service_log", error);
        let Some(signer) = self.signing_keys()?.name().map(str::to_owned) else { return Ok((None, Vec::new())) };
        if self.service_log.is_empty() || OrganizationId::from_str(&self.service_log).is_ok() {
            return Err(SettingsError::malformed("service_log", "it must be a name, such as log, and not an id"));
        }
        let origin = service_log::origin(&signer, &self.service_log);
        let keys = secrets("checkpoint_key_file", &self.checkpoint_keys, &self.checkpoint_key_file)?;
        let renamed =
            keys.iter().map(|key| in_the_name_of(key, &origin)).collect::<Result<_, _>>().map_err(malformed)?;
        Ok((Some(origin), renamed))
    }

    /// The policy that names the witnesses of the service log, if there is one.
    pub(crate) fn witness_policy(&self) -> Result<Option<Policy>, SettingsError> {
        let path = &self.witness_policy_file;
        if path.is_empty() {
            return Ok(None);
        }
        let malformed =
            |error: &dyn Display| SettingsError::malformed("witness_policy_file", format!("{path}: {error}"));
        let content = std::fs::read(path).map_err(|error| malformed(&error))?;
        Policy::parse(&content).map(Some).map_err(|error| malformed(&error))
    }

    /// The keys that sign event tokens.
    pub(crate) fn event_keys(&self) -> Result<SetKeys, SettingsError> {
        event_keys(&self.event_keys, &self.event_key_file)
    }

    /// The value that each receiver expects in the `Authorization` header, by stream.
    pub(crate) fn push_authorizations(&self) -> Result<HashMap<StreamId, SecretString>, SettingsError> {
        let malformed = |reason: String| SettingsError::malformed("push_authorization_file", reason);
        let path = &self.push_authorization_file;
        if path.is_empty() {
            return Ok(HashMap::new());
        }
        let content = std::fs::read_to_string(path).map_err(|error| malformed(format!("{path}: {error}")))?;
        let lines =
            content.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        // The line contains a secret, so the error must not show it.
        let read = |line: &str| {
            let (stream, value) = line.split_once(char::is_whitespace)?;
            Some((stream.parse().ok()?, SecretString::from(value.trim())))
        };
        let no_line =
            |number| malformed(format!("{path}: line {} must be a stream id, a space and a value", number + 1));
        lines.map(|(number, line)| read(line).ok_or_else(|| no_line(number))).collect()
    }
}
