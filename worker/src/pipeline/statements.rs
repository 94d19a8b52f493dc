//! The statements that a batch can run. They are prepared when a connection is opened.

use super::{load, notifications, positions, project};
use crate::log::{append, tiles};

/// The statements that load a batch, append to the logs, write the projections, and notify listeners.
pub(crate) fn of_batches() -> impl Iterator<Item = &'static str> {
    let of_logs = load::statements().chain(append::statements()).chain(tiles::STATEMENTS.iter().copied());
    let of_tables = project::statements().chain(positions::statements());
    of_logs.chain(of_tables).chain(notifications::STATEMENTS.iter().copied())
}
