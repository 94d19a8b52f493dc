//! What following witnesses needs.

use hyper::Uri;
use rollcall_events::log::witness::{Policy, WitnessKey};
use secrecy::SecretString;
use std::time::Duration;

use super::super::address::submission_address;
use super::super::settings::ServiceLog;
use super::client::Client;
use crate::db::{Database, TaskError};

const APPLICATION: &str = "rollcall-worker witnesses";

/// What following all witnesses needs.
pub(in super::super) struct Context<'a> {
    pub(super) database: Database,
    pub(super) client: Client,
    pub(super) policy: Option<&'a Policy>,
    /// The longest time between two attempts to reach a witness.
    pub(super) retry: Duration,
}

/// A witness that has an address.
pub(super) struct Witness<'a> {
    pub(super) key: &'a WitnessKey,
    /// The submission prefix, as the policy has it.
    pub(super) url: &'a str,
    /// The address of `add-checkpoint`.
    pub(super) address: Uri,
}

impl<'a> Context<'a> {
    /// Connects to Postgres.
    pub(in super::super) async fn open(database_url: &SecretString, log: &'a ServiceLog) -> Result<Self, TaskError> {
        let database = Database::open(database_url, APPLICATION).await?;
        Ok(Self { database, client: Client::new(log.timeout)?, policy: log.policy.as_ref(), retry: log.retry })
    }

    /// The witnesses that have an address. The settings have checked the addresses.
    pub(super) fn witnesses(&self) -> Vec<Witness<'a>> {
        let configured = self.policy.map(Policy::witnesses).unwrap_or_default();
        let witness = |key: &'a WitnessKey, url: &'a str| Some(Witness { key, url, address: submission_address(url)? });
        configured.iter().filter_map(|found| witness(&found.key, found.url.as_deref()?)).collect()
    }
}
