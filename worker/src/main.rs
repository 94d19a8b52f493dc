//! `rollcall-worker`: applies what was requested, keeps the log, and gives operators their commands.

#![cfg_attr(test, allow(clippy::needless_pass_by_value, reason = "tests hand literals over"))]

use clap::Parser;
use std::process::ExitCode;

mod batch;
mod checkpoints;
mod commands;
mod consume;
mod dead;
mod decide;
mod expiring;
mod hand;
mod keep;
mod letters;
mod load;
mod news;
mod observed;
mod positions;
mod project;
mod push;
mod record;
mod replay;
mod reply;
mod script;
mod settings;
mod settle;
mod store;
mod tiles;
mod verify;
mod work;

use commands::Cli;
use rollcall_service::logging;
use settings::Settings;

/// A tenth to a quarter of the time went into allocation: resources are trees of small values.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let settings = match Settings::read(cli.settings.as_deref()) {
        Ok(settings) => settings,
        Err(error) => return fail(&error),
    };
    logging::start(settings.log_format);
    match commands::run(cli.command, settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("rollcall-worker: {error}");
    ExitCode::FAILURE
}
