//! `rollcall-verify`: checks an export or a proof from a Rollcall service, without that service.
//!
//! The exit code is 0 if everything verifies, 1 if something does not, and 2 if the check could not run.

#![cfg_attr(test, allow(clippy::needless_pass_by_value, reason = "tests pass literals"))]

mod consistency;
mod log;
mod proof_file;
mod read;
mod service;

use clap::{Args, Parser, Subcommand};
use rollcall_log::checkpoint::{Checkpoint, VerifyingKeys};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

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

/// The results of a check: what verifies, what the files disclose, what they leave open, and what does not
/// verify.
#[derive(Debug, Default)]
struct Findings {
    holds: Vec<String>,
    shows: Vec<String>,
    open: Vec<String>,
    broken: Vec<String>,
}

/// Maximum number of faults that are printed one by one.
const MAX_PRINTED: usize = 20;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(findings) => report(&findings),
        Err(error) => {
            eprintln!("rollcall-verify: {error}");
            ExitCode::from(2)
        }
    }
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

fn report(findings: &Findings) -> ExitCode {
    for finding in &findings.holds {
        println!("holds: {finding}");
    }
    for finding in &findings.shows {
        println!("shows: {finding}");
    }
    for finding in &findings.open {
        println!("not proved: {finding}");
    }
    for finding in findings.broken.iter().take(MAX_PRINTED) {
        println!("BROKEN: {finding}");
    }
    if findings.broken.len() > MAX_PRINTED {
        println!("BROKEN: and {} more", findings.broken.len() - MAX_PRINTED);
    }
    if findings.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
