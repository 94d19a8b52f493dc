//! `add-checkpoint`: what a log sends to a witness, and what the witness answers (C2SP `tlog-witness`).

use signed_note::Signature;
use std::fmt::Write as _;

use super::cosignature::{Cosignature, WitnessKey};
use crate::Hash;
use crate::checkpoint::root_line;

/// The media type of an answer that names the size that the witness has cosigned.
const SIZE: &str = "text/x.tlog.size";

/// What a witness answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The witness has cosigned the checkpoint.
    Cosigned(Cosignature),
    /// The witness has cosigned another size last (409).
    Conflict {
        /// That size.
        size: u64,
    },
}

/// Why there is no cosignature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 404.
    #[error("the witness does not know the log (404)")]
    UnknownLog,
    /// 403.
    #[error("the witness does not trust the key of the log, or the signature is wrong (403)")]
    Untrusted,
    /// 422.
    #[error("the witness says that the checkpoint does not continue the log that it knows (422)")]
    Inconsistent,
    /// 409 without a size.
    #[error("the witness answered 409 without a size")]
    MalformedConflict,
    /// 200 without signature lines.
    #[error("the answer of the witness is not a list of signatures")]
    Malformed,
    /// 200 without a signature by the expected key.
    #[error("the answer of the witness has no cosignature by its key")]
    NoCosignature,
    /// 200 with a wrong signature.
    #[error("the cosignature of the witness is wrong")]
    WrongSignature,
    /// Another status.
    #[error("the witness answered {0}")]
    Status(u16),
}

/// The body of a request: the size that the witness has cosigned last, the proof of consistency from there, and the
/// checkpoint. Without an old size, or if the sizes are equal, the proof is empty.
pub fn add_checkpoint(old: u64, proof: &[Hash], checkpoint: &str) -> String {
    let mut body = format!("old {old}\n");
    for hash in proof {
        let _ = writeln!(body, "{}", root_line(*hash));
    }
    body + "\n" + checkpoint
}

/// Reads an answer. `text` is the text of the checkpoint that was sent, without signatures.
///
/// # Errors
/// If the witness did not cosign the checkpoint, and did not name a size.
pub fn read_answer(
    status: u16,
    media_type: Option<&str>,
    body: &[u8],
    key: &WitnessKey,
    text: &[u8],
) -> Result<Answer, Refusal> {
    match status {
        200 => cosignature(body, key, text).map(Answer::Cosigned),
        403 => Err(Refusal::Untrusted),
        404 => Err(Refusal::UnknownLog),
        409 => {
            let is_size = media_type.is_some_and(|name| name.split(';').next().map(str::trim) == Some(SIZE));
            let size = std::str::from_utf8(body).ok().and_then(|body| decimal(body.strip_suffix('\n')?));
            size.filter(|_| is_size).map(|size| Answer::Conflict { size }).ok_or(Refusal::MalformedConflict)
        }
        422 => Err(Refusal::Inconsistent),
        other => Err(Refusal::Status(other)),
    }
}

/// The cosignature by a key. Lines by other keys are ignored.
fn cosignature(body: &[u8], key: &WitnessKey, text: &[u8]) -> Result<Cosignature, Refusal> {
    let body = std::str::from_utf8(body).ok().and_then(|body| body.strip_suffix('\n')).ok_or(Refusal::Malformed)?;
    let mut found = None;
    for line in body.split('\n') {
        let signature = Signature::from_bytes(line.as_bytes()).map_err(|_| Refusal::Malformed)?;
        if signature.name() == key.name() && signature.id() == key.id() {
            let time = key.time_of(text, signature.signature()).ok_or(Refusal::WrongSignature)?;
            found.get_or_insert(Cosignature { line: format!("{line}\n"), time });
        }
    }
    found.ok_or(Refusal::NoCosignature)
}

/// An ASCII decimal without leading zeros.
fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}
