//! `rollcall-verify`: checks an export or a proof from a Rollcall service, without that service.
//!
//! The exit code is 0 if everything verifies, 1 if something does not, and 2 if the check could not run or could not
//! check everything.

#![cfg_attr(test, allow(clippy::needless_pass_by_value, reason = "tests pass literals"))]

mod consistency;
mod distinct;
mod findings;
mod log;
mod proof_file;
mod read;
mod service;
#[cfg(test)]
mod tests;

use clap::{Args, Parser, Subcommand};
use rollcall_log::checkpoint::{Checkpoint, VerifyingKeys};
use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use findings::{Findings, UNCHECKED};
use read::{Unreadable, bytes};

/// A JSON value is a tree of small allocations. With the system allocator, most of the time goes into them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Checks an exported log, a proof or a pair of checkpoints. Nothing is sent anywhere.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Recompute every hash of an exported log, and compare its root with signed checkpoints.
    Log {
        /// The export (NDJSON), from its first entry; `-` reads standard input.
        export: PathBuf,
        /// Checkpoints, of any size. More checkpoints narrow down better which entries were changed.
        #[arg(long = "checkpoint", required = true)]
        checkpoints: Vec<PathBuf>,
        #[command(flatten)]
        keys: Keys,
    },
    /// Check a proof file: that an entry is in a signed log, and the state of a user at a time.
    Proof {
        /// The file (.tlog-proof), as /audit/v1/events/{seq}/proof or /audit/v1/users/{id}/proof gives it.
        file: PathBuf,
        #[command(flatten)]
        keys: Keys,
    },
    /// Check that the log of a later checkpoint begins with the log of an earlier one.
    Consistency {
        #[arg(long)]
        earlier: PathBuf,
        #[arg(long)]
        later: PathBuf,
        /// The proof (JSON), as /audit/v1/proof/consistency gives it.
        #[arg(long)]
        proof: PathBuf,
        #[command(flatten)]
        keys: Keys,
    },
    /// Check the service log, which witnesses cosign.
    #[command(subcommand)]
    Service(service::ServiceCommand),
}

#[derive(Debug, Args)]
struct Keys {
    /// The signer's public key, such as log.example.com+1b2c3d4e+AbC…. Repeat it during a key rotation.
    #[arg(long = "key", required = true)]
    keys: Vec<String>,
}

fn main() -> ExitCode {
    ExitCode::from(execute(Cli::parse().command, &mut stdout().lock(), &mut stderr()))
}

/// Runs a command and prints what it found. Returns the exit code.
fn execute(command: Command, out: &mut impl Write, errors: &mut impl Write) -> u8 {
    let printed = match run(command) {
        Ok(findings) => findings.print(out).map(|()| findings.exit_code()),
        Err(error) => writeln!(errors, "rollcall-verify: {error}").map(|()| UNCHECKED),
    };
    // A result that nobody could read is none.
    printed.unwrap_or(UNCHECKED)
}

fn run(command: Command) -> Result<Findings, Unreadable> {
    match command {
        Command::Log { export, checkpoints, keys } => {
            let keys = keys.read()?;
            let checkpoints = checkpoints.iter().map(|path| checkpoint(path, &keys)).collect::<Result<_, _>>()?;
            log::check(&export, checkpoints)
        }
        Command::Proof { file, keys } => proof_file::check(&file, &keys.read()?),
        Command::Service(command) => service::run(&command),
        Command::Consistency { earlier, later, proof, keys } => {
            let keys = keys.read()?;
            let (first, second) = (checkpoint(&earlier, &keys)?, checkpoint(&later, &keys)?);
            consistency::check((&earlier, &first), (&later, &second), &proof)
        }
    }
}

impl Keys {
    fn read(&self) -> Result<VerifyingKeys, Unreadable> {
        Ok(VerifyingKeys::read(&self.keys)?)
    }
}

fn checkpoint(path: &Path, keys: &VerifyingKeys) -> Result<Checkpoint, Unreadable> {
    Checkpoint::open(&bytes(path)?, keys).map_err(|error| Unreadable::file(path, error))
}
