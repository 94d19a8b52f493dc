//! The api's settings. `default.toml` documents each one and has its default. They are checked before
//! anything starts.

use rollcall_api_core::auth::{Proxies, ProxyHeader};
use rollcall_api_core::read::Connections;
use rollcall_api_oidc::OidcSettings;
use rollcall_events::address::AllowList;
use rollcall_events::set::SetKeys;
use rollcall_service::logging::LogFormat;
use rollcall_service::settings::{SettingsError, event_keys, in_range, public_url, read};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::Path;

/// The api's settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) metrics_listen: String,
    pub(crate) public_url: String,
    pub(crate) database_url: SecretString,
    pub(crate) database_connections: u16,
    pub(crate) session_connections: u16,
    pub(crate) query_connections: u16,
    pub(crate) connections_per_organization: u16,
    pub(crate) page_bytes: u32,
    pub(crate) amqp_url: SecretString,
    pub(crate) partitions: u16,
    pub(crate) wait_seconds: u64,
    pub(crate) confirm_seconds: u64,
    pub(crate) max_waiting: u32,
    pub(crate) max_body_bytes: u32,
    pub(crate) max_resource_bytes: u32,
    pub(crate) receive_seconds: u64,
    pub(crate) keep_alive_seconds: u64,
    pub(crate) max_connections: u32,
    pub(crate) max_page: u32,
    pub(crate) max_bulk_operations: u32,
    pub(crate) bulk_seconds: u64,
    pub(crate) calls_per_second: u32,
    pub(crate) burst: u32,
    pub(crate) token_cache_seconds: u64,
    pub(crate) denied_seconds: u64,
    pub(crate) observed_per_second: u32,
    pub(crate) shutdown_seconds: u64,
    pub(crate) poll_seconds: u64,
    pub(crate) session_key: SecretString,
    pub(crate) log_format: LogFormat,
    pub(crate) braze_strings: String,
    event_keys: SecretString,
    event_key_file: String,
    proxies: ProxySettings,
    pub(crate) oidc: OidcSettings,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProxySettings {
    trusted: String,
    header: ProxyHeader,
}

impl Settings {
    /// Reads and checks the settings: the defaults, then the file, then the environment.
    ///
    /// # Errors
    /// If a setting is missing, unknown, malformed or out of range.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, SettingsError> {
        let mut settings: Self = read("ROLLCALL_API", include_str!("../default.toml"), file)?;
        settings.public_url = public_url("public_url", &settings.public_url)?;
        settings.proxies()?;
        settings.metrics_listen()?;
        settings.event_keys()?;
        settings.oidc.check()?;
        let key = settings.session_key.expose_secret().len();
        if (1..32).contains(&key) {
            return Err(SettingsError::malformed(
                "session_key",
                "it must have at least 32 characters, from a source of randomness",
            ));
        }
        settings.check_connections()?;
        in_range("page_bytes", settings.page_bytes, 64 * 1024, 256 * 1024 * 1024)?;
        in_range("partitions", settings.partitions, 1, 1024)?;
        in_range("wait_seconds", settings.wait_seconds, 0, 600)?;
        in_range("max_bulk_operations", settings.max_bulk_operations, 1, 100_000)?;
        in_range("bulk_seconds", settings.bulk_seconds, 1, 600)?;
        in_range("confirm_seconds", settings.confirm_seconds, 1, 60)?;
        in_range("max_waiting", settings.max_waiting, 1, 1_000_000)?;
        in_range("max_body_bytes", settings.max_body_bytes, 1024, 64 * 1024 * 1024)?;
        in_range("max_resource_bytes", settings.max_resource_bytes, 16 * 1024, 16 * 1024 * 1024)?;
        in_range("receive_seconds", settings.receive_seconds, 1, 600)?;
        in_range("keep_alive_seconds", settings.keep_alive_seconds, 1, 3600)?;
        in_range("max_connections", settings.max_connections, 1, 1_000_000)?;
        in_range("max_page", settings.max_page, 1, 10_000)?;
        in_range("calls_per_second", settings.calls_per_second, 1, 1_000_000)?;
        in_range("burst", settings.burst, 1, 1_000_000)?;
        in_range("token_cache_seconds", settings.token_cache_seconds, 1, 3600)?;
        in_range("denied_seconds", settings.denied_seconds, 1, 3600)?;
        in_range("observed_per_second", settings.observed_per_second, 0, 100_000)?;
        in_range("poll_seconds", settings.poll_seconds, 0, 600)?;
        in_range("shutdown_seconds", settings.shutdown_seconds, 1, 600)?;
        Ok(settings)
    }

    /// Checks the sizes of the pools. If a pool has several connections, one organization must not be able to
    /// use all of them.
    fn check_connections(&self) -> Result<(), SettingsError> {
        in_range("database_connections", self.database_connections, 1, 1000)?;
        in_range("session_connections", self.session_connections, 1, 1000)?;
        in_range("query_connections", self.query_connections, 1, 1000)?;
        let smallest = self.database_connections.min(self.query_connections);
        in_range("connections_per_organization", self.connections_per_organization, 1, (smallest - 1).max(1).into())
    }

    /// The sizes of the connection pools.
    pub(crate) fn connections(&self) -> Connections {
        Connections {
            sessions: self.session_connections,
            points: self.database_connections,
            queries: self.query_connections,
            per_organization: self.connections_per_organization,
        }
    }

    /// The keys that sign event tokens.
    pub(crate) fn event_keys(&self) -> Result<SetKeys, SettingsError> {
        event_keys(&self.event_keys, &self.event_key_file)
    }

    /// The address of the metrics endpoint, if it is enabled.
    pub(crate) fn metrics_listen(&self) -> Result<Option<SocketAddr>, SettingsError> {
        let address = self.metrics_listen.trim();
        let read = |address: &str| address.parse().map_err(|error| SettingsError::malformed("metrics_listen", error));
        (!address.is_empty()).then(|| read(address)).transpose()
    }

    /// The trusted reverse proxies, if there are any.
    pub(crate) fn proxies(&self) -> Result<Proxies, SettingsError> {
        let list = self.proxies.trusted.trim();
        let trusted = if list.is_empty() { None } else { Some(list.parse::<AllowList>()) };
        let trusted = trusted.transpose().map_err(|error| SettingsError::malformed("proxies.trusted", error))?;
        Ok(Proxies::new(trusted, self.proxies.header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(Settings::read(None).unwrap().public_url, "http://localhost:8080");
    }

    #[test]
    fn no_organization_can_use_all_connections_of_a_kind() {
        let with = |points, queries, share| {
            let mut settings = Settings::read(None).unwrap();
            (settings.database_connections, settings.query_connections, settings.connections_per_organization) =
                (points, queries, share);
            settings.check_connections().map_err(|error| error.to_string())
        };
        assert_eq!(with(8, 8, 7), Ok(()));
        assert!(with(8, 4, 4).unwrap_err().contains("connections_per_organization is 4; it must be from 1 to 3"));
        assert!(with(4, 8, 4).is_err());
        assert_eq!(with(1, 1, 1), Ok(()), "a pool of one connection is shared by all");
        assert!(with(1, 0, 1).is_err());
    }
}
