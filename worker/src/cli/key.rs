//! `key generate|service-log`.

use clap::Subcommand;
use rollcall_events::log::checkpoint::generate_key;
use secrecy::ExposeSecret;
use serde_json::json;

use super::error::CommandError;
use super::print::print;
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Generate a key pair: the private key for the worker's settings, the public key for auditors.
    Generate {
        /// Name of the signer, such as log.example.com.
        name: String,
    },
    /// Print the origin and the public keys of the service log, for witnesses and their policies.
    ServiceLog,
}

pub(super) fn run(settings: &Settings, command: &KeyCommand) -> Result<(), CommandError> {
    match command {
        KeyCommand::Generate { name } => {
            let (private, public) = generate_key(name)?;
            print(&json!({"private_key": private.expose_secret(), "public_key": public}));
        }
        KeyCommand::ServiceLog => {
            let (origin, keys) = settings.service_log_keys()?;
            let origin = origin.ok_or(CommandError::NoCheckpointKey)?;
            let keys: Vec<_> = keys.into_iter().map(|key| key.public).collect();
            print(&json!({"origin": origin, "public_keys": keys}));
        }
    }
    Ok(())
}
