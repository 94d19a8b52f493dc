//! Checks that a log was only appended to between two checkpoints.

use rollcall_log::Hash;
use rollcall_log::checkpoint::Checkpoint;
use rollcall_log::proof::verify_consistency;
use serde::Deserialize;
use std::path::Path;

use crate::findings::Findings;
use crate::read::{Unreadable, json};

/// A proof that the log of `to` entries begins with the log of `from` entries.
#[derive(Deserialize)]
struct Consistency {
    from: u64,
    to: u64,
    hashes: Vec<Hash>,
}

/// Checks that a proof was made for the size that a checkpoint states. If a checkpoint was signed between two
/// downloads, the files do not belong together, and nothing is wrong with the log.
fn belongs(proof: (&Path, u64), checkpoint: (&Path, &Checkpoint)) -> Result<(), Unreadable> {
    if proof.1 == checkpoint.1.size {
        return Ok(());
    }
    Err(Unreadable::Unrelated {
        proof: proof.0.to_owned(),
        proved: proof.1,
        checkpoint: checkpoint.0.to_owned(),
        signed: checkpoint.1.size,
    })
}

/// Checks that the log of a later checkpoint begins with the log of an earlier one.
pub(crate) fn check(
    earlier: (&Path, &Checkpoint),
    later: (&Path, &Checkpoint),
    file: &Path,
) -> Result<Findings, Unreadable> {
    let proof: Consistency = json(file)?;
    if earlier.1.origin != later.1.origin {
        let mixed = format!("it is of {}, and {} is of {}", later.1.origin, earlier.0.display(), earlier.1.origin);
        return Err(Unreadable::file(later.0, mixed));
    }
    belongs((file, proof.from), earlier)?;
    belongs((file, proof.to), later)?;
    let (earlier, later) = (earlier.1, later.1);
    let mut findings = Findings::default();
    match verify_consistency((earlier.size, earlier.root), (later.size, later.root), &proof.hashes) {
        Ok(()) => findings
            .holds
            .push(format!("the log with {} entries begins with the one with {}", later.size, earlier.size)),
        Err(error) => findings.broken.push(format!("from {} to {} entries: {error}", earlier.size, later.size)),
    }
    Ok(findings)
}
