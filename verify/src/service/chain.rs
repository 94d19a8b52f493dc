//! Checks a chain file: a checkpoint of an organization's log in the service log.

use rollcall_log::checkpoint::Checkpoint;
use rollcall_log::service_log::{Chain, InvalidChain};
use rollcall_log::witness::Policy;
use std::path::Path;

use super::describe;
use crate::findings::Findings;
use crate::read::{Unreadable, bytes};

/// Checks a chain file. If the organization's checkpoint is given, the chain must lead to it.
pub(super) fn check(path: &Path, policy: &Policy, signed: Option<Checkpoint>) -> Result<Findings, Unreadable> {
    let file = String::from_utf8(bytes(path)?).map_err(|error| Unreadable::file(path, error))?;
    let mut findings = Findings::default();
    let chain = match Chain::verify(&file, policy) {
        Ok(chain) => chain,
        // Another kind of file.
        Err(error @ (InvalidChain::File(_) | InvalidChain::Opening(_))) => return Err(Unreadable::file(path, error)),
        Err(error) => {
            findings.broken.push(error.to_string());
            return Ok(findings);
        }
    };
    let entered = chain.opening.checkpoint();
    findings.holds.push(describe(&chain.service));
    findings.holds.push(format!(
        "entry {} of the service log is the checkpoint of {} with {} entries (secret {})",
        chain.index, entered.origin, entered.size, chain.opening.secret_hash
    ));
    match signed {
        Some(signed) if (&signed.origin, signed.size) != (&entered.origin, entered.size) => {
            return Err(Unreadable::file(
                path,
                format!(
                    "it is about {} with {} entries, and the checkpoint about {} with {}; download the proof for the \
                     size of the checkpoint",
                    entered.origin, entered.size, signed.origin, signed.size
                ),
            ));
        }
        Some(signed) if signed.root != entered.root => {
            findings.broken.push(format!(
                "the service log has another history of {}: two roots were signed for {} entries",
                entered.origin, entered.size
            ));
        }
        Some(_) => findings.holds.push("this is the checkpoint that was signed for the organization's log".to_owned()),
        None => {}
    }
    Ok(findings)
}
