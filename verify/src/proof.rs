//! Checks single proofs.

use rollcall_log::Hash;
use rollcall_log::checkpoint::Checkpoint;
use rollcall_log::proof::{verify_consistency, verify_inclusion};
use serde::Deserialize;
use std::path::Path;

use crate::findings::Findings;
use crate::read::{Unreadable, bytes, json};

/// A proof that an entry is in the log of `size` entries.
#[derive(Deserialize)]
struct Inclusion {
    size: u64,
    hashes: Vec<Hash>,
}

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

/// Checks that an entry is in the log of a checkpoint.
pub(crate) fn entry(entry: &Path, proof: &Path, signed: (&Path, &Checkpoint)) -> Result<Findings, Unreadable> {
    let (file, checkpoint) = (proof, signed.1);
    let entry = crate::read::entry(&bytes(entry)?).map_err(|error| Unreadable::file(entry, error))?;
    let proof: Inclusion = json(file)?;
    belongs((file, proof.size), signed)?;
    let mut findings = Findings::default();
    let (seq, size) = (entry.header.seq, checkpoint.size);
    match entry.check()? {
        Err(mismatch) => findings.broken.push(format!("entry {seq}: {mismatch}")),
        Ok(leaf) => {
            let of_another = !checkpoint.origin.ends_with(&format!("/{}", entry.header.organization_id));
            match verify_inclusion(leaf, seq, size, checkpoint.root, &proof.hashes) {
                _ if of_another => {
                    findings.broken.push(format!("the checkpoint is of another log: {}", checkpoint.origin));
                }
                Ok(()) => {
                    let held = format!("entry {seq} is in the log of {} with {size} entries", checkpoint.origin);
                    findings.holds.push(held);
                    findings.holds.extend(entry.missing().map(|part| {
                        format!("entry {seq} has no {part}; only the whole log shows whether its erasure was recorded")
                    }));
                }
                Err(error) => findings.broken.push(format!("entry {seq}: {error}")),
            }
        }
    }
    Ok(findings)
}

/// Checks that the log of a later checkpoint begins with the log of an earlier one.
pub(crate) fn consistency(
    earlier: (&Path, &Checkpoint),
    later: (&Path, &Checkpoint),
    file: &Path,
) -> Result<Findings, Unreadable> {
    let proof: Consistency = json(file)?;
    belongs((file, proof.from), earlier)?;
    belongs((file, proof.to), later)?;
    let (earlier, later) = (earlier.1, later.1);
    let mut findings = Findings::default();
    if earlier.origin != later.origin {
        findings.broken.push(format!("the checkpoints are of two logs: {} and {}", earlier.origin, later.origin));
        return Ok(findings);
    }
    match verify_consistency((earlier.size, earlier.root), (later.size, later.root), &proof.hashes) {
        Ok(()) => findings
            .holds
            .push(format!("the log with {} entries begins with the one with {}", later.size, earlier.size)),
        Err(error) => findings.broken.push(format!("from {} to {} entries: {error}", earlier.size, later.size)),
    }
    Ok(findings)
}
