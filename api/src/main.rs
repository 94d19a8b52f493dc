//! `rollcall-api`: authenticates and validates SCIM calls, publishes changes as requests, and answers with
//! their outcomes.

#![cfg_attr(test, allow(clippy::needless_pass_by_value, reason = "tests pass literals"))]

use clap::Parser;
use rollcall_service::logging;
use std::path::PathBuf;
use std::process::ExitCode;

mod audit;
mod background;
mod connection;
mod health;
mod refusal;
mod routes;
mod server;
mod service_log;
mod settings;
mod state;
mod streams;
mod tile_files;
mod trace;

use settings::Settings;

/// Resources are trees of small values. With the default allocator, allocation took 10 to 25 % of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Serves SCIM 2.0. Changes go onto a durable queue. Reads come from Postgres.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// A settings file (TOML). Environment variables override it.
    #[arg(long, env = "ROLLCALL_SETTINGS")]
    settings: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let settings = match Settings::read(Cli::parse().settings.as_deref()) {
        Ok(settings) => settings,
        Err(error) => return fail(&error),
    };
    logging::start(settings.log_format);
    match server::serve(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("rollcall-api: {error}");
    ExitCode::FAILURE
}
