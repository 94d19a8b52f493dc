//! The commands of `rollcall-worker`. A command that changes something publishes a `SettingsRequested` and
//! waits for its outcome. A command that lists reads from the database. The output is one JSON object per
//! line.

mod admin;
mod args;
mod dead_letters;
mod entitlement;
mod error;
mod fill;
mod group;
mod issue_token;
mod key;
mod list;
mod log;
mod migrate;
mod organization;
mod parse;
mod print;
mod replay;
mod run;
mod sink;
mod stream;
mod token;
mod user;
mod workspace;

use crate::settings::Settings;
pub(crate) use args::Cli;
use args::Command;
pub(crate) use error::CommandError;

/// Runs a command.
///
/// # Errors
/// If the command fails. The message suggests a remedy.
pub(crate) async fn run(command: Command, settings: Settings) -> Result<(), CommandError> {
    match command {
        Command::Run => Box::pin(run::run(settings)).await,
        Command::Migrate => migrate::migrate(&settings.migrate).await,
        Command::Replay(command) => replay::replay(&settings, &command).await,
        Command::Verify { organization } => replay::verify(&settings, organization).await,
        Command::Log(command) => log::run(&settings, command).await,
        Command::Key(command) => key::run(&settings, &command),
        Command::Organization(command) => organization::run(&settings, command).await,
        Command::Workspace(command) => workspace::run(&settings, command).await,
        Command::User(command) => user::run(&settings, command).await,
        Command::Group(command) => group::run(&settings, command).await,
        Command::Token(command) => token::run(&settings, command).await,
        Command::AuditorToken(command) => token::run_for_auditors(&settings, command).await,
        Command::Admin(command) => admin::run(&settings, command).await,
        Command::Role(command) => entitlement::role(&settings, command).await,
        Command::Entitlement(command) => entitlement::entitlement(&settings, command).await,
        Command::DeadLetter(command) => dead_letters::run(&settings, command).await,
        Command::Stream(command) => stream::run(&settings, command).await,
        Command::Sink(command) => sink::run(&settings, command).await,
    }
}
