//! `key generate`.

use rollcall_events::log::checkpoint::generate_key;
use secrecy::ExposeSecret;
use serde_json::json;

use super::args::KeyCommand;
use super::error::CommandError;
use super::print::print;

pub(super) fn run(command: &KeyCommand) -> Result<(), CommandError> {
    let KeyCommand::Generate { name } = command;
    let (private, public) = generate_key(name)?;
    print(&json!({"private_key": private.expose_secret(), "public_key": public}));
    Ok(())
}
