//! Reads the log for auditors. The auditors' endpoints and the pages share these functions.

mod csv;
mod export;
mod filter;
mod history;
mod proof_file;
mod query;
mod selection;
mod watch;

pub use export::exported;
pub use history::{Change, Step, difference, payload_size, steps, user_at, users_at};
pub use proof_file::{answers, entry_proof, proof_file, user_proof, within};
pub use query::{CONDITIONS, MAX_COUNT, by_now, conditions, count, disclosed, parameter};
pub use selection::{LogLine, Selection};
pub use watch::{Watch, server_sent};

/// The path of every audit endpoint, below the public address.
pub const BASE_PATH: &str = "/audit/v1";
