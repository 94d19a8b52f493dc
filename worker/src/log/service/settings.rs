//! The settings of the service log, read before anything starts.

use rollcall_events::log::checkpoint::SigningKeys;
use rollcall_events::log::witness::Policy;
use rollcall_service::settings::SettingsError;
use std::time::Duration;

use super::address::submission_address;
use crate::log::signer::{SignerFile, Signing};
use crate::settings::Settings;

/// The keys, the origin and the policy of the service log.
pub(crate) struct ServiceLog {
    /// The keys, in the name of the log.
    pub(crate) keys: SigningKeys,
    /// The signer file; `None` without keys, or if the operator decided so.
    pub(super) file: Option<SignerFile>,
    /// The origin; `None` if there is no key.
    pub(super) origin: Option<String>,
    /// The policy; `None` if no witnesses are configured.
    pub(crate) policy: Option<Policy>,
    /// Time limit for one answer of a witness.
    pub(crate) timeout: Duration,
    /// The longest time between two attempts to reach a witness.
    pub(crate) retry: Duration,
    /// How long a checkpoint is offered before a newer one is.
    pub(super) offer_stands: Duration,
}

impl ServiceLog {
    /// Reads the keys and the policy.
    ///
    /// # Errors
    /// If a file cannot be read, or has no keys or no policy.
    pub(crate) fn read(settings: &Settings) -> Result<Self, SettingsError> {
        let (origin, keys) = settings.service_log_keys()?;
        let private: Vec<_> = keys.into_iter().map(|key| key.private).collect();
        let keys = SigningKeys::read(&private).map_err(|error| SettingsError::malformed("checkpoint_keys", error))?;
        let policy = settings.witness_policy()?;
        if let (Some(policy), Some(origin)) = (&policy, &origin) {
            check(policy, origin)?;
        }
        let timeout = Duration::from_secs(settings.witness_timeout_seconds);
        Ok(Self {
            keys,
            file: Signing::read(settings)?.file,
            origin,
            policy,
            timeout,
            retry: Duration::from_secs(settings.witness_retry_seconds),
            offer_stands: timeout.saturating_mul(2),
        })
    }
}

/// Checks the addresses of the witnesses, and warns about probable mistakes.
fn check(policy: &Policy, origin: &str) -> Result<(), SettingsError> {
    if !policy.logs().is_empty() && policy.logs().iter().all(|log| log.origin() != origin) {
        tracing::warn!(origin, "the policy of the witnesses names other logs, but not the service log");
    }
    for witness in policy.witnesses() {
        let name = witness.key.name();
        match witness.url.as_deref() {
            None => tracing::warn!(witness = name, "a witness without an address is not asked to cosign"),
            Some(url) if submission_address(url).is_none() => {
                let error = format!("the address of the witness {name} must be an http or https address, not {url}");
                return Err(SettingsError::malformed("witness_policy_file", error));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
