//! `key generate|service-log`.

use rollcall_events::log::checkpoint::generate_key;
use secrecy::ExposeSecret;
use serde_json::json;

use super::args::KeyCommand;
use super::error::CommandError;
use super::print::print;
use crate::settings::Settings;

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
