//! `rollcall-worker`: applies what was requested, keeps the log, and gives operators their commands.

#![cfg_attr(test, allow(clippy::needless_pass_by_value, reason = "tests hand literals over"))]

use clap::Parser;
use std::process::ExitCode;
use std::time::Duration;

mod background;
mod cli;
mod db;
mod erasure;
mod log;
mod pipeline;
mod replay;
mod settings;
mod submit;
mod supervise;
mod wait;

use cli::Cli;
use rollcall_service::logging;
use settings::Settings;

/// A tenth to a quarter of the time went into allocation: resources are trees of small values.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long threads that block may go on when everything else has ended, such as one that looks a name up.
const BLOCKED: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let code = runtime.block_on(run());
    runtime.shutdown_timeout(BLOCKED);
    code
}

async fn run() -> ExitCode {
    let cli = Cli::parse();
    let settings = match Settings::read(cli.settings.as_deref()) {
        Ok(settings) => settings,
        Err(error) => return fail(&error),
    };
    logging::start(settings.log_format);
    match cli::run(cli.command, settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("rollcall-worker: {error}");
    ExitCode::FAILURE
}
