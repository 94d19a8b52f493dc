//! `rollcall-worker`: applies requests, maintains the log, and offers the operator's commands.

#![cfg_attr(test, allow(clippy::needless_pass_by_value, reason = "tests pass literals"))]

use clap::Parser;
use std::process::ExitCode;
use std::time::Duration;

mod background;
mod cli;
mod db;
mod erasure;
mod fact;
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

/// With the system allocator, allocation took 10 % to 25 % of the time: resources are trees of small values.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Time that blocking threads, such as DNS look-ups, get to finish at shutdown.
const BLOCKING_GRACE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let code = runtime.block_on(run());
    runtime.shutdown_timeout(BLOCKING_GRACE);
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
