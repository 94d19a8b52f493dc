//! Why a witness has not cosigned a checkpoint.

use hyper_util::client::legacy;
use rollcall_events::log::witness::Refusal;
use rollcall_service::cause::root;

use crate::db::TaskError;

/// Why a witness has not cosigned a checkpoint.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the witness did not answer in time")]
    TimedOut,
    #[error("the witness cannot be reached: {}", root(.0))]
    Unreachable(#[from] legacy::Error),
    #[error("the request cannot be written: {0}")]
    Unwritable(#[from] hyper::http::Error),
    #[error("the answer of the witness cannot be read, or is too long")]
    Unreadable,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the witness has cosigned {cosigned} entries, but the service log has {size}: the log has gone back")]
    Ahead {
        /// The size that the witness names.
        cosigned: u64,
        /// The size of the log.
        size: u64,
    },
    #[error("the witness answered 409 again and again")]
    Conflicts,
    /// Not a fault of the witness: Postgres failed, or the tree has holes.
    #[error(transparent)]
    Task(#[from] TaskError),
}

impl Failure {
    /// Whether somebody must look: the log has another history than the witness knows, or the witness lies.
    pub(super) fn is_alarming(&self) -> bool {
        matches!(
            self,
            Self::Ahead { .. }
                | Self::Refused(Refusal::Inconsistent | Refusal::WrongSignature | Refusal::NoCosignature)
        )
    }
}
