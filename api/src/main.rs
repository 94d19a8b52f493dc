//! `rollcall-api`: authenticates and validates SCIM calls, publishes them as events, answers with their outcomes.

#![cfg_attr(test, allow(clippy::needless_pass_by_value, reason = "tests hand literals over"))]

use clap::Parser;
use rollcall_service::logging;
use std::path::PathBuf;
use std::process::ExitCode;

mod audit;
mod auth;
mod call_log;
mod endpoints;
mod error;
mod health;
mod media_type;
mod metrics;
mod offload;
mod oidc;
mod openapi;
mod pages;
mod pending;
mod publish;
mod read;
mod redact;
mod refusal;
mod scim;
mod server;
mod settings;
mod streams;
mod submit;
mod trace;

use settings::Settings;

/// A tenth to a quarter of the time went into allocation: resources are trees of small values.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Serves SCIM 2.0: every change goes onto a durable queue, every read comes from Postgres.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// A settings file (TOML); the environment overrides it.
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
