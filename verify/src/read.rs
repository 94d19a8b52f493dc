//! Reads what is to be checked.

use rollcall_events::log::NotCanonical;
use rollcall_events::log::checkpoint::InvalidKey;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// Why something could not be checked at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// A file that cannot be read, or is not what it should be.
    #[error("{path}: {reason}", path = .0.display(), reason = .1)]
    File(PathBuf, String),
    /// A key that is none.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// An entry that cannot be hashed.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
}

impl Unreadable {
    /// Something about a file.
    pub(crate) fn file(path: &Path, error: impl std::fmt::Display) -> Self {
        Self::File(path.to_owned(), error.to_string())
    }
}

/// All of a file.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, Unreadable> {
    std::fs::read(path).map_err(|error| Unreadable::file(path, error))
}

/// A file in JSON.
pub(crate) fn json<T: DeserializeOwned>(path: &Path) -> Result<T, Unreadable> {
    serde_json::from_slice(&bytes(path)?).map_err(|error| Unreadable::file(path, error))
}
