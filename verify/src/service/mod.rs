//! Checks the service log: a witnessed checkpoint, the chain from a checkpoint of an organization's log to it, and
//! all entries of one organization.

mod chain;
mod entries;

use clap::Subcommand;
use rollcall_log::checkpoint::{Checkpoint, VerifyingKeys};
use rollcall_log::tlog_proof::TlogProof;
use rollcall_log::witness::{Policy, WitnessedCheckpoint};
use std::path::{Path, PathBuf};

use crate::findings::Findings;
use crate::read::{Unreadable, bytes};

/// The commands for the service log.
#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// Check that a policy accepts a checkpoint of the service log: enough witnesses have cosigned it.
    Checkpoint {
        /// The checkpoint with its cosignatures, as /log/checkpoint gives it.
        checkpoint: PathBuf,
        /// The policy (C2SP tlog-policy).
        #[arg(long)]
        policy: PathBuf,
    },
    /// Check that a checkpoint of an organization's log is in the service log that witnesses cosign.
    Chain {
        /// The proof file, as /audit/v1/checkpoints/{size}/witnessed gives it.
        file: PathBuf,
        /// The policy (C2SP tlog-policy).
        #[arg(long)]
        policy: PathBuf,
        /// The checkpoint of the organization's log, or the proof file of an entry, which ends with a checkpoint. The
        /// chain must lead to it.
        #[arg(long, requires = "keys")]
        checkpoint: Option<PathBuf>,
        /// The public key of the signer of that checkpoint. Repeat it during a key rotation.
        #[arg(long = "key", requires = "checkpoint")]
        keys: Vec<String>,
    },
    /// Check that every entry of an organization in the service log is a checkpoint of its exported log.
    Entries {
        /// The entry bundles of the service log from the first on, as /log/tile/entries/… gives them.
        #[arg(required = true)]
        bundles: Vec<PathBuf>,
        /// The secret of the log, as /audit/v1/log-secret gives it.
        #[arg(long)]
        secret: PathBuf,
        /// The export (NDJSON) of the organization's log. `rollcall-verify log` checks it.
        #[arg(long)]
        export: PathBuf,
        /// The checkpoint of the service log with its cosignatures.
        #[arg(long)]
        checkpoint: PathBuf,
        /// The origin of the organization's log.
        #[arg(long)]
        origin: String,
        /// The policy (C2SP tlog-policy).
        #[arg(long)]
        policy: PathBuf,
    },
}

/// Runs a command.
pub(crate) fn run(command: &ServiceCommand) -> Result<Findings, Unreadable> {
    match command {
        ServiceCommand::Checkpoint { checkpoint, policy } => {
            let policy = read_policy(policy)?;
            Ok(match policy.open(&bytes(checkpoint)?) {
                Ok(opened) => Findings { holds: vec![describe(&opened)], ..Findings::default() },
                Err(error) => Findings { broken: vec![error.to_string()], ..Findings::default() },
            })
        }
        ServiceCommand::Chain { file, policy, checkpoint, keys } => {
            let signed = checkpoint.as_deref().map(|path| organizations(path, keys)).transpose()?;
            chain::check(file, &read_policy(policy)?, signed)
        }
        ServiceCommand::Entries { bundles, secret, export, checkpoint, origin, policy } => {
            let policy = read_policy(policy)?;
            let opened = policy.open(&bytes(checkpoint)?).map_err(|error| Unreadable::file(checkpoint, error))?;
            entries::check(bundles, secret, export, &opened, origin)
        }
    }
}

/// A checkpoint of an organization's log: a file of its own, or the end of a proof file.
fn organizations(path: &Path, keys: &[String]) -> Result<Checkpoint, Unreadable> {
    let keys = VerifyingKeys::read(keys)?;
    let file = bytes(path)?;
    let proof: Option<TlogProof> = std::str::from_utf8(&file).ok().and_then(|text| text.parse().ok());
    let note = proof.as_ref().map_or(file.as_slice(), |proof| proof.checkpoint.as_bytes());
    Checkpoint::open(note, &keys).map_err(|error| Unreadable::file(path, error))
}

fn read_policy(path: &Path) -> Result<Policy, Unreadable> {
    let policy = Policy::parse(&bytes(path)?).map_err(|error| Unreadable::file(path, error))?;
    if policy.logs().is_empty() {
        return Err(Unreadable::file(path, "the policy names no log"));
    }
    Ok(policy)
}

/// Says which log was signed, how large it was, and who cosigned it when.
fn describe(opened: &WitnessedCheckpoint) -> String {
    let WitnessedCheckpoint { checkpoint, cosigned } = opened;
    let signed = format!("the policy accepts the checkpoint of {} with {} entries", checkpoint.origin, checkpoint.size);
    let by: Vec<_> = cosigned.iter().map(|(name, time)| format!("{name} at {}", time_of(*time))).collect();
    if by.is_empty() {
        format!("{signed}; no witness has cosigned it")
    } else {
        format!("{signed}, cosigned by {}", by.join(", "))
    }
}

fn time_of(seconds: u64) -> String {
    let micros = i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(1_000_000));
    let time = micros.and_then(rollcall_log::Timestamp::from_microsecond);
    time.map_or_else(|| format!("{seconds} s"), |time| time.to_string())
}
