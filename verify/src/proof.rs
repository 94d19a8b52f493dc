//! Checks single proofs.

use rollcall_log::checkpoint::Checkpoint;
use rollcall_log::proof::{verify_consistency, verify_inclusion};
use rollcall_log::{Entry, Hash};
use serde::Deserialize;
use std::path::Path;

use crate::Findings;
use crate::read::{Unreadable, json};

/// The part that both kinds of proof have.
#[derive(Deserialize)]
struct Proof {
    hashes: Vec<Hash>,
}

/// Checks that an entry is in the log of a checkpoint.
pub(crate) fn entry(entry: &Path, proof: &Path, checkpoint: &Checkpoint) -> Result<Findings, Unreadable> {
    let (entry, proof): (Entry, Proof) = (json(entry)?, json(proof)?);
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
                Ok(()) => findings
                    .holds
                    .push(format!("entry {seq} is in the log of {} with {size} entries", checkpoint.origin)),
                Err(error) => findings.broken.push(format!("entry {seq}: {error}")),
            }
        }
    }
    Ok(findings)
}

/// Checks that the log of a later checkpoint begins with the log of an earlier one.
pub(crate) fn consistency(earlier: &Checkpoint, later: &Checkpoint, proof: &Path) -> Result<Findings, Unreadable> {
    let proof: Proof = json(proof)?;
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
