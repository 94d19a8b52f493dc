//! Reads the files to check.

use rollcall_log::checkpoint::InvalidKey;
use rollcall_log::evidence::Evidence;
use rollcall_log::{Entry, NotCanonical};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

use crate::distinct::Distinct;

/// Why a check could not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// A file cannot be read or has the wrong format.
    #[error("{path}: {reason}", path = .0.display(), reason = .1)]
    File(PathBuf, String),
    /// Two files do not belong together.
    #[error(
        "{proof} proves something about {proved} entries, and {checkpoint} was signed for {signed}. Download the \
         proof again for the size of the checkpoint",
        proof = .proof.display(), checkpoint = .checkpoint.display()
    )]
    Unrelated {
        /// The file with the proof.
        proof: PathBuf,
        /// The size that the proof is about.
        proved: u64,
        /// The file with the checkpoint.
        checkpoint: PathBuf,
        /// The size that the checkpoint was signed for.
        signed: u64,
    },
    /// The parts of a proof file do not belong together.
    #[error("{path}: the proof is not for the checkpoint of the file, which has {size} entries", path = .0.display(), size = .1)]
    Mixed(PathBuf, u64),
    /// A text is not a public key.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// An entry cannot be hashed.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
}

impl Unreadable {
    /// The error for a file.
    pub(crate) fn file(path: &Path, error: impl std::fmt::Display) -> Self {
        Self::File(path.to_owned(), error.to_string())
    }
}

/// Reads a whole file.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, Unreadable> {
    std::fs::read(path).map_err(|error| Unreadable::file(path, error))
}

/// Reads a JSON file.
pub(crate) fn json<T: DeserializeOwned>(path: &Path) -> Result<T, Unreadable> {
    serde_json::from_slice(&bytes(path)?).map_err(|error| Unreadable::file(path, error))
}

/// Reads an entry. Member names must be distinct.
///
/// # Errors
/// If the text is not an entry.
pub(crate) fn entry(text: &[u8]) -> Result<Entry, serde_json::Error> {
    serde_json::from_slice(text).map(plain)
}

/// Reads the evidence of a proof file. Member names must be distinct.
///
/// # Errors
/// If the text is not evidence.
pub(crate) fn evidence(text: &[u8]) -> Result<Evidence, serde_json::Error> {
    let evidence: Evidence<Distinct, Distinct> = serde_json::from_slice(text)?;
    Ok(Evidence { entry: plain(evidence.entry), state: evidence.state })
}

fn plain(entry: Entry<Distinct, Distinct>) -> Entry {
    Entry {
        actor: entry.actor.map(|Distinct(actor)| actor),
        actor_salt: entry.actor_salt,
        header: entry.header,
        leaf: entry.leaf,
        payload: entry.payload.map(|Distinct(payload)| payload),
        payload_salt: entry.payload_salt,
    }
}
